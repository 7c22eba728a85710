/*
 * network.h - networks of addresses as text, and what is inside them.
 */
#ifndef USHER_NETWORK_H
#define USHER_NETWORK_H

#include "addr.h"

/* Address bits of a network: IPv4 in mapped form, so bits is 0..128. */
struct network {
	uint8_t bytes[16];
	uint8_t bits;
	bool v4;
};

/*
 * Parses 192.0.2.0/24, 2001:db8::/32 or a single address.  Returns 0,
 * -EINVAL, or -EDOM when address bits beyond the prefix are set.
 */
int network_parse(const char *text, size_t n, struct network *ret);
void network_write(struct line *line, const struct network *network);

/* Whether addr, of any family, is inside; never for unix sockets. */
bool network_holds(const struct network *network, const struct addr *addr);

#endif
