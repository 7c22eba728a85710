/*
 * addr.c - socket addresses as text, and text as them.
 *
 * inet_ntop() is not used: in a static program it would bring printf along.
 */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "number.h"

#define V4_BYTES 4
#define V6_BYTES 16
#define V6_GROUPS 8
#define V4_MAPPED_BITS 96

static const uint8_t
    mapped_prefix[V4_MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

int
addr_parse_number(const char *text, size_t n, uint32_t max, uint32_t *ret)
{
	int64_t value = 0;
	int digits;

	if (n == 0 || (n > 1 && text[0] == '0'))
		return -EINVAL;
	digits = number_take(text, n, max, &value);
	if (digits < 0 || (size_t)digits != n)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

static void
set_v4(struct addr *ret, const void *bytes, uint16_t port)
{
	memset(ret, 0, sizeof(*ret));
	ret->len = sizeof(ret->v4);
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons(port);
	memcpy(&ret->v4.sin_addr, bytes, V4_BYTES);
}

static void
set_v6(struct addr *ret, const void *bytes, uint32_t scope, uint16_t port)
{
	memset(ret, 0, sizeof(*ret));
	ret->len = sizeof(ret->v6);
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(port);
	ret->v6.sin6_scope_id = scope;
	memcpy(&ret->v6.sin6_addr, bytes, V6_BYTES);
}

/* "::1" or "fe80::1%3", without brackets. */
static int
parse_v6(const char *text, size_t n, struct addr *ret)
{
	const char *percent = memchr(text, '%', n);
	size_t len = percent == NULL ? n : (size_t)(percent - text);
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr bytes;
	uint32_t scope = 0;

	if (len == 0 || len >= sizeof(copy) || memchr(text, '\0', len))
		return -EINVAL;
	if (percent != NULL &&
	    addr_parse_number(percent + 1, n - len - 1, UINT32_MAX, &scope) < 0)
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET6, copy, &bytes) != 1)
		return -EINVAL;
	set_v6(ret, &bytes, scope, 0);
	return 0;
}

static int
parse_v4(const char *text, size_t n, struct addr *ret)
{
	char copy[INET_ADDRSTRLEN];
	struct in_addr bytes;

	if (n == 0 || n >= sizeof(copy) || memchr(text, '\0', n))
		return -EINVAL;
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (inet_pton(AF_INET, copy, &bytes) != 1)
		return -EINVAL;
	set_v4(ret, &bytes, 0);
	return 0;
}

int
addr_parse_host(const char *text, size_t n, struct addr *ret)
{
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']')
		return parse_v6(text + 1, n - 2, ret);
	if (n > 0 && memchr(text, ':', n) != NULL)
		return parse_v6(text, n, ret);
	return parse_v4(text, n, ret);
}

/* What follows "unix:": a path from the root, or '@' and an abstract name. */
static int
parse_unix(const char *text, size_t n, struct addr *ret)
{
	bool abstract = n > 0 && text[0] == '@';
	size_t used = abstract ? n : n + 1; /* of sun_path; a path has a NUL */

	if (n < 2 || (text[0] != '/' && !abstract) || memchr(text, '\0', n))
		return -EINVAL;
	if (used > sizeof(ret->path.sun_path))
		return -ENAMETOOLONG;
	memset(ret, 0, sizeof(*ret));
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + used);
	ret->path.sun_family = AF_UNIX;
	memcpy(ret->path.sun_path, text, n);
	if (abstract)
		ret->path.sun_path[0] = '\0';
	return 0;
}

int
addr_parse(const char *text, size_t n, bool zero_port, struct addr *ret)
{
	static const char unix_prefix[] = "unix:";
	const size_t skip = sizeof(unix_prefix) - 1;
	struct addr host;
	uint32_t port;
	size_t colon = n;

	if (n >= skip && memcmp(text, unix_prefix, skip) == 0)
		return parse_unix(text + skip, n - skip, ret);

	while (colon > 0 && text[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return -EINVAL;
	if (addr_parse_number(text + colon, n - colon, UINT16_MAX, &port) < 0 ||
	    (port == 0 && !zero_port))
		return -EINVAL;
	colon--;
	/* "::1:22" could be either: an IPv6 address must be in brackets. */
	if (text[0] != '[' && memchr(text, ':', colon) != NULL)
		return -EINVAL;
	if (addr_parse_host(text, colon, &host) < 0)
		return -EINVAL;
	if (host.any.sa_family == AF_INET)
		host.v4.sin_port = htons((uint16_t)port);
	else
		host.v6.sin6_port = htons((uint16_t)port);
	*ret = host;
	return 0;
}

static void
write_v4(struct line *line, const uint8_t bytes[static V4_BYTES])
{
	for (unsigned i = 0; i < V4_BYTES; i++) {
		if (i > 0)
			line_char(line, '.');
		line_uint(line, bytes[i]);
	}
}

static unsigned
group(const uint8_t bytes[static V6_BYTES], unsigned i)
{
	return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* How many groups from i on are zero. */
static unsigned
zero_run(const uint8_t bytes[static V6_BYTES], unsigned i)
{
	unsigned end = i;

	while (end < V6_GROUPS && group(bytes, end) == 0)
		end++;
	return end - i;
}

static void
write_group(struct line *line, unsigned value)
{
	static const char digits[] = "0123456789abcdef";
	unsigned shift = 12;

	while (shift > 0 && value >> shift == 0)
		shift -= 4;
	for (; shift > 0; shift -= 4)
		line_char(line, digits[value >> shift & 15]);
	line_char(line, digits[value & 15]);
}

/* RFC 5952: "::" for the first of the longest runs of two or more zeros. */
static void
write_v6(struct line *line, const uint8_t bytes[static V6_BYTES])
{
	unsigned gap = V6_GROUPS, gap_len = 1;

	for (unsigned i = 0; i < V6_GROUPS; i++)
		if (zero_run(bytes, i) > gap_len) {
			gap = i;
			gap_len = zero_run(bytes, i);
		}
	for (unsigned i = 0; i < V6_GROUPS; i++) {
		if (i == gap) {
			line_text(line, "::");
			i += gap_len - 1;
			continue;
		}
		if (i > 0 && i != gap + gap_len)
			line_char(line, ':');
		write_group(line, group(bytes, i));
	}
}

static void
write_unix(struct line *line, const struct addr *addr)
{
	size_t head = offsetof(struct sockaddr_un, sun_path);
	const char *path = addr->path.sun_path;
	size_t n = addr->len > head ? addr->len - head : 0;

	line_text(line, "unix:");
	if (n > sizeof(addr->path.sun_path))
		n = sizeof(addr->path.sun_path);
	if (n == 0)
		return;
	if (path[0] == '\0') {
		line_char(line, '@');
		line_escaped(line, path + 1, n - 1);
	} else {
		line_escaped(line, path, strnlen(path, n));
	}
}

/* The address without port; IPv6 in brackets if they are wanted. */
static void
write_host(struct line *line, const struct addr *addr, bool brackets)
{
	switch (addr->any.sa_family) {
	case AF_INET:
		write_v4(line, (const uint8_t *)&addr->v4.sin_addr);
		break;
	case AF_INET6:
		if (brackets)
			line_char(line, '[');
		write_v6(line, addr->v6.sin6_addr.s6_addr);
		if (addr->v6.sin6_scope_id != 0) {
			line_char(line, '%');
			line_uint(line, addr->v6.sin6_scope_id);
		}
		if (brackets)
			line_char(line, ']');
		break;
	case AF_UNIX:
		write_unix(line, addr);
		break;
	default:
		break;
	}
}

void
addr_write_host(struct line *line, const struct addr *addr)
{
	struct addr plain = *addr;

	if (addr->len == 0)
		return;
	addr_unmap(&plain);
	write_host(line, &plain, false);
}

void
addr_write_ip(struct line *line, const struct addr *addr)
{
	if (addr->any.sa_family == AF_INET)
		write_v4(line, (const uint8_t *)&addr->v4.sin_addr);
	else if (addr->any.sa_family == AF_INET6)
		write_v6(line, addr->v6.sin6_addr.s6_addr);
}

void
addr_write(struct line *line, const struct addr *addr)
{
	struct addr plain = *addr;

	if (addr->len == 0)
		return;
	addr_unmap(&plain);
	write_host(line, &plain, true);
	if (plain.any.sa_family != AF_UNIX) {
		line_char(line, ':');
		line_uint(line, addr_port(&plain));
	}
}

uint16_t
addr_port(const struct addr *addr)
{
	if (addr->len == 0)
		return 0;
	if (addr->any.sa_family == AF_INET)
		return ntohs(addr->v4.sin_port);
	if (addr->any.sa_family == AF_INET6)
		return ntohs(addr->v6.sin6_port);
	return 0;
}

static bool
is_mapped(const uint8_t bytes[static V6_BYTES])
{
	return memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

void
addr_unmap(struct addr *addr)
{
	struct in6_addr bytes;

	if (addr->len == 0 || addr->any.sa_family != AF_INET6 ||
	    !is_mapped(addr->v6.sin6_addr.s6_addr))
		return;
	bytes = addr->v6.sin6_addr;
	set_v4(addr, bytes.s6_addr + sizeof(mapped_prefix), addr_port(addr));
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	struct addr x = *a, y = *b;

	if (x.len == 0 || y.len == 0)
		return x.len == y.len;
	addr_unmap(&x);
	addr_unmap(&y);
	if (x.any.sa_family != y.any.sa_family)
		return false;
	switch (x.any.sa_family) {
	case AF_INET:
		return x.v4.sin_port == y.v4.sin_port &&
		    x.v4.sin_addr.s_addr == y.v4.sin_addr.s_addr;
	case AF_INET6:
		return x.v6.sin6_port == y.v6.sin6_port &&
		    x.v6.sin6_scope_id == y.v6.sin6_scope_id &&
		    memcmp(&x.v6.sin6_addr, &y.v6.sin6_addr, V6_BYTES) == 0;
	default:
		return x.len == y.len && memcmp(&x.any, &y.any, x.len) == 0;
	}
}

bool
addr_to_bytes(const struct addr *addr, uint8_t ret[static V6_BYTES])
{
	if (addr->len == 0)
		return false;
	if (addr->any.sa_family == AF_INET6) {
		memcpy(ret, &addr->v6.sin6_addr, V6_BYTES);
		return true;
	}
	if (addr->any.sa_family != AF_INET)
		return false;
	memcpy(ret, mapped_prefix, sizeof(mapped_prefix));
	memcpy(ret + sizeof(mapped_prefix), &addr->v4.sin_addr, V4_BYTES);
	return true;
}

void
addr_from_bytes(const uint8_t bytes[static V6_BYTES], struct addr *ret)
{
	set_v6(ret, bytes, 0, 0);
	addr_unmap(ret);
}
