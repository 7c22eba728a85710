/*
 * peek.h - a client's first bytes, looked at without taking them.
 */
#ifndef USHER_PEEK_H
#define USHER_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "waits.h"

#define PEEK_MAX 65536

/* Start with zeros but for client, bytes, size and edge. */
struct peek {
	int client; /* non-blocking */
	uint8_t *bytes;
	size_t size; /* of the buffer behind bytes, at most PEEK_MAX */
	/*
	 * Whoever waits is told of arrivals, not of what is there; and has
	 * others use the buffer meanwhile.
	 */
	bool edge;

	size_t n; /* seen so far */
	size_t shown; /* of these, in the buffer since this step began */
	bool eof; /* the client has finished sending */
	bool waiting, pausing, lowat_set;
	bool looked; /* what was there has been heard of */
};

/*
 * Looks until at least need bytes (more than there are) can be seen, the
 * client has finished sending, or the deadline passes.  need is a hint: fewer
 * new bytes may come back.
 *
 * Returns 1 if there are more bytes or eof was learnt, 0 at the deadline (n
 * counts what has come until then, though it was not enough), -EINPROGRESS if
 * it has to wait as await says and to be called again, or another -errno: the
 * client is gone (-ECONNRESET).
 */
int peek_step(
    struct peek *peek, size_t need, struct deadline until, struct await *await);

/*
 * The same for who can wait: 1, 0, -EINTR if *stop is set, or another -errno.
 */
int peek_more(struct peek *peek, size_t need, struct deadline until,
    const volatile sig_atomic_t *stop);

/*
 * Has the same bytes in the buffer again, after others used it.  Returns
 * whether that could be.
 */
bool peek_again(struct peek *peek);

/* Leaves the socket as it was, for the relay or program that comes next. */
void peek_end(struct peek *peek);

#endif
