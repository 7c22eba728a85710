/*
 * scoreboard_source.c - which bucket a client's address is counted in.
 */
#include <string.h>

#include "scoreboard_inner.h"

static uint64_t
rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

/* One round of SipHash. */
static void
mix(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/*
 * SipHash-1-3 of one 8-byte word.  Keyed, because a client who could choose
 * addresses that share a bucket could lock somebody else out.
 */
static uint64_t
hash(const uint64_t key[2], uint64_t word)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	};
	uint64_t words[2] = { word, (uint64_t)sizeof(word) << 56 };

	for (unsigned i = 0; i < 2; i++) {
		v[3] ^= words[i];
		mix(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 3; i++)
		mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int
scoreboard_bucket(const struct scoreboard *board, const struct endpoint *client)
{
	uint64_t word = 0;

	if (client->family == AF_INET)
		memcpy(&word, client->ip, 4);
	else if (client->family == AF_INET6)
		memcpy(&word, client->ip, 8);
	else
		return -1;
	/* 0.x.x.x and ::/32 are no clients: families need no telling apart. */
	return (int)(hash(board->head->key, word) % SCOREBOARD_SOURCES);
}
