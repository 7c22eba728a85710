/*
 * peek.h - a client's first bytes, looked at without taking them.
 */
#ifndef USHER_PEEK_H
#define USHER_PEEK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deadline.h"

#define PEEK_MAX 65536

/* Start with zeros but for client, bytes and size. */
struct peek {
	int client; /* non-blocking */
	uint8_t *bytes;
	size_t size; /* of the buffer behind bytes, at most PEEK_MAX */
	size_t n; /* seen so far */
	bool eof; /* the client has finished sending */
	bool lowat_set;
};

/*
 * Waits until at least need bytes (more than there are) can be seen, the
 * client has finished sending, the deadline passes or *stop is set by a
 * signal (which is let in only inside the wait).  need is a hint: fewer new
 * bytes may come back.
 *
 * Returns 1 if there are more bytes or eof was learnt, 0 at the deadline (n
 * counts what has come until then, though it was not enough), -EINTR for *stop,
 * or another -errno: the client is gone (-ECONNRESET).
 */
int peek_more(struct peek *peek, size_t need, struct deadline until,
    const volatile sig_atomic_t *stop);

/* Leaves the socket as it was, for the relay or program that comes next. */
void peek_end(struct peek *peek);

#endif
