#include "proxy.h"

#include <string.h>

#include "line.h"

static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a,
	0x51, 0x55, 0x49, 0x54, 0x0a };
static const char v1_word[] = "PROXY ";

/* Version 2's second byte of the command, and its families. */
enum {
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_UNSPEC = 0x00,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	V2_TCP4_LEN = 12,
	V2_TCP6_LEN = 36,
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
};

static void
set_v4(struct addr *ret, const uint8_t *ip, const uint8_t *port)
{
	memset(ret, 0, sizeof(*ret));
	ret->len = sizeof(ret->v4);
	ret->v4.sin_family = AF_INET;
	memcpy(&ret->v4.sin_addr, ip, 4);
	memcpy(&ret->v4.sin_port, port, 2);
}

static void
set_v6(struct addr *ret, const uint8_t *ip, const uint8_t *port)
{
	memset(ret, 0, sizeof(*ret));
	ret->len = sizeof(ret->v6);
	ret->v6.sin6_family = AF_INET6;
	memcpy(&ret->v6.sin6_addr, ip, 16);
	memcpy(&ret->v6.sin6_port, port, 2);
	addr_unmap(ret);
}

/* The fixed part and the addresses; TLVs are skipped by the length. */
static struct answer
parse_v2(const uint8_t *b, size_t n, struct proxy_header *ret)
{
	size_t len, wanted;

	if (n > 12 && b[12] != V2_PROXY && b[12] != V2_LOCAL)
		return answer_no();
	if (n < PROXY_V2_FIXED)
		return answer_more(n < 12 ? n + 1 : n < 13 ? 13 : 16);
	len = (size_t)b[14] << 8 | b[15];
	wanted = b[13] == V2_TCP4 ? V2_TCP4_LEN :
	    b[13] == V2_TCP6      ? V2_TCP6_LEN :
				    0;
	if (b[12] == V2_PROXY && len < wanted)
		return answer_no();
	if (n < PROXY_V2_FIXED + len)
		return answer_more(PROXY_V2_FIXED + len);
	ret->len = PROXY_V2_FIXED + len;
	ret->known = b[12] == V2_PROXY && wanted > 0;
	if (ret->known && wanted == V2_TCP4_LEN) {
		set_v4(&ret->source, b + 16, b + 24);
		set_v4(&ret->destination, b + 20, b + 26);
	} else if (ret->known) {
		set_v6(&ret->source, b + 16, b + 48);
		set_v6(&ret->destination, b + 32, b + 50);
	}
	return answer_yes();
}

/* The words of version 1's line, between single blanks. */
static size_t
split(const char *text, size_t n, const char *words[5], size_t lens[5])
{
	size_t count = 0;

	while (count < 5) {
		const char *blank = memchr(text, ' ', n);

		words[count] = text;
		lens[count] = blank == NULL ? n : (size_t)(blank - text);
		count++;
		if (blank == NULL)
			return count;
		n -= (size_t)(blank - text) + 1;
		text = blank + 1;
	}
	return count + 1;
}

/* 0 to 65535 without leading zeros. */
static bool
parse_port(const char *text, size_t n, uint16_t *ret)
{
	uint32_t port = 0;

	if (n == 0 || n > 5 || (n > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (uint32_t)(text[i] - '0');
	}
	if (port > 65535)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool
parse_end(const char *host, size_t host_len, const char *port, size_t port_len,
    sa_family_t family, struct addr *ret)
{
	uint16_t number;

	if (host_len == 0 || host[0] == '[' ||
	    addr_parse_host(host, host_len, ret) < 0 ||
	    ret->any.sa_family != family ||
	    !parse_port(port, port_len, &number))
		return false;
	if (family == AF_INET)
		ret->v4.sin_port = htons(number);
	else
		ret->v6.sin6_port = htons(number);
	addr_unmap(ret);
	return true;
}

/* The line without "PROXY " and CRLF. */
static bool
parse_line(const char *text, size_t n, struct proxy_header *ret)
{
	const char *words[5];
	size_t lens[5], count;
	sa_family_t family;

	if (n >= 7 && memcmp(text, "UNKNOWN", 7) == 0 &&
	    (n == 7 || text[7] == ' ')) {
		ret->known = false;
		return true;
	}
	count = split(text, n, words, lens);
	if (count != 5 || lens[0] != 4)
		return false;
	if (memcmp(words[0], "TCP4", 4) == 0)
		family = AF_INET;
	else if (memcmp(words[0], "TCP6", 4) == 0)
		family = AF_INET6;
	else
		return false;
	ret->known = true;
	return parse_end(words[1], lens[1], words[3], lens[3], family,
		   &ret->source) &&
	    parse_end(words[2], lens[2], words[4], lens[4], family,
		&ret->destination);
}

static struct answer
parse_v1(const uint8_t *b, size_t n, struct proxy_header *ret)
{
	size_t word = sizeof(v1_word) - 1;
	struct proxy_header header = { .len = 0 };
	const uint8_t *cr;

	cr = memchr(b, '\r', n < PROXY_V1_MAX ? n : PROXY_V1_MAX);
	if (cr == NULL)
		return n < PROXY_V1_MAX ? answer_more(n + 1) : answer_no();
	header.len = (size_t)(cr - b) + 2;
	if (header.len > PROXY_V1_MAX)
		return answer_no();
	if (n < header.len)
		return answer_more(header.len);
	if (cr[1] != '\n' || header.len < word + 2 ||
	    !parse_line((const char *)b + word, header.len - word - 2, &header))
		return answer_no();
	*ret = header;
	return answer_yes();
}

struct answer
proxy_parse(const uint8_t *bytes, size_t n, struct proxy_header *ret)
{
	size_t word = sizeof(v1_word) - 1;
	size_t sign = sizeof(signature);

	if (n == 0)
		return answer_more(1);
	if (bytes[0] == signature[0]) {
		if (memcmp(bytes, signature, n < sign ? n : sign) != 0)
			return answer_no();
		return parse_v2(bytes, n, ret);
	}
	if (memcmp(bytes, v1_word, n < word ? n : word) != 0)
		return answer_no();
	return parse_v1(bytes, n, ret);
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

/* As the protocol wants it: ::ffff:192.0.2.1 stays so where both are v6. */
static void
write_host(struct line *text, const struct addr *addr)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *ip = (const uint8_t *)&addr->v6.sin6_addr;

	if (addr->any.sa_family == AF_INET) {
		addr_write_host(text, addr);
		return;
	}
	for (int i = 0; i < 16; i += 2) {
		unsigned group = (unsigned)ip[i] << 8 | ip[i + 1];
		int shift = 12;

		if (i > 0)
			line_char(text, ':');
		while (shift > 0 && group >> shift == 0)
			shift -= 4;
		for (; shift >= 0; shift -= 4)
			line_char(text, digits[group >> shift & 0xf]);
	}
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
	write_host(&text, from);
	line_char(&text, ' ');
	write_host(&text, to);
	line_char(&text, ' ');
	line_uint(&text, addr_port(from));
	line_char(&text, ' ');
	line_uint(&text, addr_port(to));
	line_text(&text, "\r\n");
	return text.len;
}

static size_t
put(uint8_t *at, const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return n;
}

static size_t
put_tlv(uint8_t *at, uint8_t type, const char *value)
{
	size_t n = value == NULL ? 0 : strlen(value);

	if (n == 0 || n > 255)
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

	ret[n++] = V2_PROXY;
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
