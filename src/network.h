/*
 * network.h - networks of addresses as text, and what is inside them.
 */
#ifndef USHER_NETWORK_H
#define USHER_NETWORK_H

#include "addr.h"

struct network {
	uint8_t bytes[16]; /* its first address, IPv4 in mapped form */
	uint8_t bits; /* of the prefix, of these bytes: 0..128 */
	bool v4; /* it holds IPv4 addresses; else IPv6 ones only */
};

/*
 * Parses 192.0.2.0/24, 2001:db8::/32 or a single address.  Returns 0,
 * -EINVAL, or -EDOM when address bits beyond the prefix are set.
 */
int network_parse(const char *text, size_t n, struct network *ret);

/* Writes what network_parse reads; a single address without "/". */
void network_write(struct line *line, const struct network *network);

/*
 * Whether addr is inside; never for unix sockets and where there is none.  A
 * mapped address is an IPv4 one, so ::/0 holds every IPv6 client and no other.
 */
bool network_holds(const struct network *network, const struct addr *addr);

#endif
