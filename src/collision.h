/*
 * collision.h - protocols that are hard to keep apart, and in which order.
 *
 * The one idea: a protocol says "more" to the beginning of its kind.  Where
 * that is also all that the clients of another ever send first, the other
 * must stand above it in the rules, or its clients wait for the timeout.  So
 * must that which is told by more bytes, where both could say yes.
 */
#ifndef USHER_COLLISION_H
#define USHER_COLLISION_H

#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

struct collision {
	const char *first; /* the protocol that should be asked first */
	const char *second;
	const char *why; /* one clause, lower case, no full stop */
};

extern const struct collision collisions[];
extern const size_t collisions_count;

/* Those that should stand below this one, as a sum of their bits. */
uint64_t collision_below(const struct protocol *first);

/* What is known of a and b, in either order; NULL if they do not collide. */
const struct collision *collision_between(
    const struct protocol *a, const struct protocol *b);

#endif
