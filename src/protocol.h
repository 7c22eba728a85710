/*
 * protocol.h - the protocols that usher knows by their first bytes.
 *
 * One row per name that a rules file may give to "protocol =".  Each row's
 * recognise() is a pure function of a prefix of the client's stream: it does
 * no I/O, allocates nothing and reads nothing outside [bytes, bytes + n).
 */
#ifndef USHER_PROTOCOL_H
#define USHER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"

struct protocol {
	const char *name;
	/* One line for people: "usher protocols", the manual, completion. */
	const char *summary;
	/*
	 * Where the byte rule is defined: an RFC and section, a document; for
	 * "usher explain".
	 */
	const char *source;
	/*
	 * n may be 0: then ANSWER_MORE with need >= 1.  Monotone: a yes or no
	 * holds for every longer stream that begins with these bytes.
	 */
	struct answer (*recognise)(const uint8_t *bytes, size_t n);
	/* The server speaks first: it can only be reached as "silent". */
	bool server_first;
};

/* There are no more: who remembers answers has a bit for each. */
#define PROTOCOLS_MAX 64

/* All protocols in the order in which they are listed to people. */
extern const struct protocol protocols[];
extern const size_t protocols_count;

/* A set of protocols is the sum of their bits: there are at most 64. */
static inline uint64_t
protocol_bit(const struct protocol *protocol)
{
	return UINT64_C(1) << (protocol - protocols);
}

/* The protocol called name, or NULL. */
const struct protocol *protocol_find(const char *name);

/*
 * The first protocol in the table that says yes to these bytes, for logs and
 * explanations, or NULL.
 */
const struct protocol *protocol_of(const uint8_t *bytes, size_t n);

#endif
