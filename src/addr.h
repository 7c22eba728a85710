/*
 * addr.h - socket addresses as text, and text as them.
 *
 * Numeric only: names are resolved elsewhere, once, before anything here.
 */
#ifndef USHER_ADDR_H
#define USHER_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "line.h"

/* len 0: no address. */
struct addr {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un path;
	};
};

/*
 * As text: "[", an IPv6 address with scope, "]:", a port, NUL; or "unix:" and
 * the longest path.  One with many bytes to escape is cut.
 */
#define ADDR_TEXT_MAX 128

/*
 * Parses n bytes of text: 127.0.0.1:22, [::1]:22, unix:/run/x.sock,
 * unix:@abstract.  A port is 1..65535, or 0 too if zero_port.  Returns 0 or
 * -EINVAL, and -ENAMETOOLONG for a path that no socket can have.
 */
int addr_parse(const char *text, size_t n, bool zero_port, struct addr *ret);

/*
 * Parses a numeric IPv4 or IPv6 address without a port ("::1", "[::1]",
 * "fe80::1%2" with the number of an interface); the port of *ret is 0.
 * Returns 0 or -EINVAL.
 */
int addr_parse_host(const char *text, size_t n, struct addr *ret);

/*
 * Writes what addr_parse reads; an IPv4-mapped address as IPv4.  The path of
 * a unix socket is escaped.  A client without a name is "unix:".
 */
void addr_write(struct line *line, const struct addr *addr);

/* The same without the port and brackets. */
void addr_write_host(struct line *line, const struct addr *addr);

/*
 * The bare IP address: without a scope, and IPv6 in its own form even where
 * it is IPv4-mapped.  Nothing for a unix socket.
 */
void addr_write_ip(struct line *line, const struct addr *addr);

/* The port in host order, 0 where there is none. */
uint16_t addr_port(const struct addr *addr);

/* An IPv4-mapped IPv6 address becomes the IPv4 one; others stay. */
void addr_unmap(struct addr *addr);

/*
 * Equal family, address, scope and port (or path); mapped and plain IPv4 are
 * equal, and so are two that are no address.
 */
bool addr_equal(const struct addr *a, const struct addr *b);

/*
 * The 16 bytes of an IP address, IPv4 in mapped form, and an address without a
 * port of such bytes, IPv4 as such.  Returns false for addresses of other
 * kinds.
 */
bool addr_to_bytes(const struct addr *addr, uint8_t ret[static 16]);
void addr_from_bytes(const uint8_t bytes[static 16], struct addr *ret);

/*
 * The number that n bytes of decimal digits are, without leading zeros and at
 * most max.  Returns 0 or -EINVAL.
 */
int addr_parse_number(const char *text, size_t n, uint32_t max, uint32_t *ret);

#endif
