/*
 * network.c - networks of addresses as text, and what is inside them.
 */
#include "network.h"

#include <errno.h>
#include <string.h>

#define BYTES 16
#define ALL_BITS (BYTES * 8)
#define V4_BITS 32
#define V4_MAPPED_BITS (ALL_BITS - V4_BITS)

/* The first bits of a and b are the same. */
static bool
prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* No bit from bits on is set. */
static bool
tail_clear(const uint8_t bytes[static BYTES], unsigned bits)
{
	for (unsigned i = bits; i < ALL_BITS; i++)
		if (bytes[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

static bool
is_v4(const uint8_t bytes[static BYTES])
{
	struct addr addr;

	addr_from_bytes(bytes, &addr);
	return addr.any.sa_family == AF_INET;
}

int
network_parse(const char *text, size_t n, struct network *ret)
{
	const char *slash = n > 0 ? memchr(text, '/', n) : NULL;
	size_t len = slash == NULL ? n : (size_t)(slash - text);
	struct network network = { 0 };
	struct addr host;
	uint32_t bits, max;

	if (addr_parse_host(text, len, &host) < 0 ||
	    (host.any.sa_family == AF_INET6 && host.v6.sin6_scope_id != 0))
		return -EINVAL;
	max = host.any.sa_family == AF_INET ? V4_BITS : ALL_BITS;
	bits = max;
	if (slash != NULL &&
	    addr_parse_number(slash + 1, n - len - 1, max, &bits) < 0)
		return -EINVAL;
	bits += ALL_BITS - max;
	(void)addr_to_bytes(&host, network.bytes);
	if (!tail_clear(network.bytes, bits))
		return -EDOM;
	network.bits = (uint8_t)bits;
	network.v4 = bits >= V4_MAPPED_BITS && is_v4(network.bytes);
	*ret = network;
	return 0;
}

void
network_write(struct line *line, const struct network *network)
{
	struct addr first;

	addr_from_bytes(network->bytes, &first);
	addr_write_host(line, &first);
	if (network->bits == ALL_BITS)
		return;
	line_char(line, '/');
	line_uint(line, network->bits - (network->v4 ? V4_MAPPED_BITS : 0u));
}

bool
network_holds(const struct network *network, const struct addr *addr)
{
	uint8_t bytes[BYTES];

	/* ::/0 is every IPv6 client, not every client. */
	return addr_to_bytes(addr, bytes) && is_v4(bytes) == network->v4 &&
	    prefix_equal(bytes, network->bytes, network->bits);
}
