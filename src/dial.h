/*
 * dial.h - a connection to a backend, before a deadline.
 */
#ifndef USHER_DIAL_H
#define USHER_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "deadline.h"
#include "rules.h"
#include "waits.h"

/* One attempt.  Start with zeros but for the first part. */
struct dial {
	const struct addr *to;
	struct deadline until;
	int client; /* watched: a client that resets ends the attempt; or -1 */
	const struct addr *from; /* bind here first; NULL: do not */
	bool transparent; /* from is the client's address: IP_TRANSPARENT */
	/*
	 * What the backend is to get first, if that is there to be sent as
	 * long as the first step takes: it may go along with the connect.
	 */
	const uint8_t *first;
	size_t n_first;

	int backend; /* the socket, once begun */
	uint16_t port; /* ours, once connected by TCP */
	bool begun, connecting;
	size_t sent; /* so many of first have gone along */
};

/*
 * Connects a non-blocking stream socket, CLOEXEC, with urgent bytes in line.
 * It has TCP_NODELAY if nothing was sent; else the caller sees to that before
 * it writes again, for the first write waits for nothing.
 *
 * Returns the descriptor, which the caller owns; -EINPROGRESS if it has to
 * wait as await says and to be called again; or -errno: -ETIMEDOUT at the
 * deadline, -ECANCELED if the client is gone.
 */
int dial_step(struct dial *dial, struct await *await);

/* Gives up between two steps. */
void dial_abandon(struct dial *dial);

/*
 * Turns keepalive on for a TCP socket, with probes so that a dead peer is
 * noticed about 1.5 times keepalive_ms after its last sign of life.
 * RULES_OFF turns it off.  0 or -errno.
 *
 * Not with TCP_USER_TIMEOUT: that also resets a peer that lives and answers
 * every probe, but does not read for so long; see acks.h.
 */
int dial_keepalive(int socket, int64_t keepalive_ms);

/* That time, 1.5 times keepalive_ms; 0 for RULES_OFF. */
int64_t dial_dead_after_ms(int64_t keepalive_ms);

#endif
