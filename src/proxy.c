#include "proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "line.h"
#include "shape.h"

static const char signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a,
	0x51, 0x55, 0x49, 0x54, 0x0a };
static const char v1_word[] = "PROXY ";

/* Version 2's second byte of the command, and its families. */
enum {
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_UNSPEC = 0x00,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_MAX = 255, /* bytes of either */
};

/* An end of a connection as it stands in a header. */
struct end {
	uint8_t ip[16]; /* the first 4 of them for IPv4 */
	uint16_t port;
};

static void
set_addr(struct addr *ret, sa_family_t family, const struct end *end)
{
	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET) {
		ret->len = sizeof(ret->v4);
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(end->port);
		memcpy(&ret->v4.sin_addr, end->ip, 4);
		return;
	}
	ret->len = sizeof(ret->v6);
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(end->port);
	memcpy(&ret->v6.sin6_addr, end->ip, 16);
	addr_unmap(ret);
}

static void
read_ip(struct cursor *cursor, size_t size, struct end *ret)
{
	for (size_t i = 0; i < size; i++)
		ret->ip[i] = cursor_u8(cursor);
}

/* Addresses, then ports, which are all there. */
static void
read_ends(struct cursor cursor, size_t size, struct proxy_header *ret)
{
	sa_family_t family = size == 4 ? AF_INET : AF_INET6;
	struct end from = { 0 }, to = { 0 };

	read_ip(&cursor, size, &from);
	read_ip(&cursor, size, &to);
	from.port = cursor_u16(&cursor);
	to.port = cursor_u16(&cursor);
	set_addr(&ret->source, family, &from);
	set_addr(&ret->destination, family, &to);
}

/* The fixed part and the addresses; TLVs are skipped by the length. */
static struct answer
parse_v2(const uint8_t *bytes, size_t n, struct proxy_header *ret)
{
	struct shape shape = shape_over(bytes, n);
	struct cursor addresses;
	struct answer answer;
	uint32_t command, rest, len, size = 0;

	shape_bytes(&shape, signature, sizeof(signature));
	command = shape_be(&shape, 1, V2_LOCAL, V2_PROXY);
	rest = shape_be(&shape, 3, 0, 0xffffff);
	len = rest & 0xffff;
	if (command == V2_PROXY && rest >> 16 == V2_TCP4)
		size = 4;
	else if (command == V2_PROXY && rest >> 16 == V2_TCP6)
		size = 16;
	if (size > 0 && len < 2 * (size + 2))
		shape_refuse(&shape);
	addresses = shape.cursor;
	shape_skip(&shape, len);
	answer = shape_answer(&shape);
	if (answer.verdict != ANSWER_YES)
		return answer;
	ret->len = shape.cursor.at;
	ret->known = size > 0;
	if (ret->known)
		read_ends(addresses, size, ret);
	return answer;
}

static bool
is_ip_byte(uint8_t byte)
{
	return byte_is_hex(byte) || byte == ':' || byte == '.';
}

/* An address as text, and the blank after it. */
static void
read_text(struct shape *shape, sa_family_t family, struct end *ret)
{
	char text[INET6_ADDRSTRLEN] = "";
	size_t len = 0;

	while (len < sizeof(text) - 1 && is_ip_byte(shape_peek(shape))) {
		text[len++] = (char)shape_peek(shape);
		shape_skip(shape, 1);
	}
	shape_byte(shape, ' ');
	if (!shape_stopped(shape) && inet_pton(family, text, ret->ip) != 1)
		shape_refuse(shape);
}

/* "SOURCE DESTINATION PORT PORT" */
static void
read_words(struct shape *shape, sa_family_t family, struct proxy_header *ret)
{
	struct end from = { 0 }, to = { 0 };

	read_text(shape, family, &from);
	read_text(shape, family, &to);
	from.port = (uint16_t)shape_decimal(shape, 0, UINT16_MAX);
	shape_byte(shape, ' ');
	to.port = (uint16_t)shape_decimal(shape, 0, UINT16_MAX);
	set_addr(&ret->source, family, &from);
	set_addr(&ret->destination, family, &to);
}

static bool
is_in_line(uint8_t byte)
{
	return byte != '\r';
}

static struct answer
parse_v1(const uint8_t *bytes, size_t n, struct proxy_header *ret)
{
	static const char *const kinds[] = { "UNKNOWN", "TCP4 ", "TCP6 " };
	struct shape shape =
	    shape_over(bytes, n < PROXY_V1_MAX ? n : PROXY_V1_MAX);
	struct proxy_header header = { 0 };
	struct answer answer;
	size_t kind;

	shape_text(&shape, v1_word);
	kind = shape_one_of(&shape, kinds, COUNT(kinds));
	header.known = kind > 0;
	if (header.known)
		read_words(&shape, kind == 1 ? AF_INET : AF_INET6, &header);
	else if (shape_peek(&shape) == ' ')
		shape_run(&shape, is_in_line, 1, PROXY_V1_MAX);
	shape_text(&shape, "\r\n");
	answer = shape_answer(&shape);
	if (answer.verdict == ANSWER_MORE && answer.need > PROXY_V1_MAX)
		return answer_no();
	if (answer.verdict != ANSWER_YES)
		return answer;
	header.len = shape.cursor.at;
	*ret = header;
	return answer;
}

struct answer
proxy_parse(const uint8_t *bytes, size_t n, struct proxy_header *ret)
{
	struct shape shape = shape_over(bytes, n);

	if (shape_peek(&shape) == (uint8_t)v1_word[0])
		return parse_v1(bytes, n, ret);
	return parse_v2(bytes, n, ret);
}

/* IPv4 in IPv6's clothes. */
static void
map(struct addr *addr)
{
	struct sockaddr_in v4 = addr->v4;
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	if (addr->any.sa_family != AF_INET)
		return;
	memset(addr, 0, sizeof(*addr));
	addr->len = sizeof(addr->v6);
	addr->v6.sin6_family = AF_INET6;
	addr->v6.sin6_port = v4.sin_port;
	memcpy(&addr->v6.sin6_addr, prefix, 12);
	memcpy((uint8_t *)&addr->v6.sin6_addr + 12, &v4.sin_addr, 4);
}

static bool
is_ip(const struct addr *addr)
{
	return addr->len > 0 &&
	    (addr->any.sa_family == AF_INET || addr->any.sa_family == AF_INET6);
}

static size_t
write_v1(const struct addr *from, const struct addr *to, uint8_t *ret)
{
	struct line text = line_over((char *)ret, PROXY_WRITE_MAX);

	line_text(&text, v1_word);
	if (!is_ip(from) || !is_ip(to)) {
		line_text(&text, "UNKNOWN\r\n");
		return text.len;
	}
	line_text(&text, from->any.sa_family == AF_INET ? "TCP4 " : "TCP6 ");
	addr_write_ip(&text, from);
	line_char(&text, ' ');
	addr_write_ip(&text, to);
	line_char(&text, ' ');
	line_uint(&text, addr_port(from));
	line_char(&text, ' ');
	line_uint(&text, addr_port(to));
	line_text(&text, "\r\n");
	return text.len;
}

static size_t
put(uint8_t *at, const void *value, size_t n)
{
	memcpy(at, value, n);
	return n;
}

static size_t
put_tlv(uint8_t *at, uint8_t type, const char *value)
{
	size_t n = value == NULL ? 0 : strnlen(value, TLV_MAX + 1);

	if (n == 0 || n > TLV_MAX)
		return 0;
	at[0] = type;
	at[1] = 0;
	at[2] = (uint8_t)n;
	return 3 + put(at + 3, value, n);
}

static size_t
put_addresses(uint8_t *at, const struct addr *from, const struct addr *to)
{
	size_t n = 0;

	if (from->any.sa_family == AF_INET) {
		n += put(at + n, &from->v4.sin_addr, 4);
		n += put(at + n, &to->v4.sin_addr, 4);
		n += put(at + n, &from->v4.sin_port, 2);
		n += put(at + n, &to->v4.sin_port, 2);
	} else {
		n += put(at + n, &from->v6.sin6_addr, 16);
		n += put(at + n, &to->v6.sin6_addr, 16);
		n += put(at + n, &from->v6.sin6_port, 2);
		n += put(at + n, &to->v6.sin6_port, 2);
	}
	return n;
}

static size_t
write_v2(const struct addr *from, const struct addr *to,
    const struct proxy_extras *extras, uint8_t *ret)
{
	size_t n = put(ret, signature, sizeof(signature));
	bool ip = is_ip(from) && is_ip(to);

	/* Not all receivers take a PROXY command without an address. */
	ret[n++] = ip ? V2_PROXY : V2_LOCAL;
	ret[n++] = !ip                     ? V2_UNSPEC :
	    from->any.sa_family == AF_INET ? V2_TCP4 :
					     V2_TCP6;
	n += 2;
	if (ip)
		n += put_addresses(ret + n, from, to);
	if (extras != NULL) {
		n += put_tlv(ret + n, TLV_ALPN, extras->alpn);
		n += put_tlv(ret + n, TLV_AUTHORITY, extras->authority);
	}
	ret[14] = (uint8_t)((n - PROXY_V2_FIXED) >> 8);
	ret[15] = (uint8_t)(n - PROXY_V2_FIXED);
	return n;
}

size_t
proxy_write(int version, const struct addr *source,
    const struct addr *destination, const struct proxy_extras *extras,
    uint8_t ret[static PROXY_WRITE_MAX])
{
	struct addr from = *source, to = *destination;

	if (is_ip(&from) && is_ip(&to)) {
		addr_unmap(&from);
		addr_unmap(&to);
		if (from.any.sa_family != to.any.sa_family) {
			map(&from);
			map(&to);
		}
	}
	return version == 1 ? write_v1(&from, &to, ret) :
			      write_v2(&from, &to, extras, ret);
}

bool
proxy_expected(const struct settings *settings, const struct addr *from)
{
	for (size_t i = 0; i < settings->n_accept_proxy; i++)
		if (network_holds(&settings->accept_proxy[i], from))
			return true;
	return false;
}
