/*
 * batch.h - connections on their way from a worker to usher-relay.
 *
 * The one idea: nobody lets go of a connection before another has it.  The
 * worker offers its slot (see scoreboard_pass()) and keeps its descriptors;
 * the relay takes the slot, or declines, and answers with one byte for each
 * message; only then does the worker close.  A connection whose relay died
 * with the message unread is the worker's as before.
 *
 * One message on a SOCK_SEQPACKET socket: a struct batch_head and as many
 * items of 8-byte numbers; their descriptors, client, backend and the pipes
 * that hold something, as SCM_RIGHTS.
 */
#ifndef USHER_BATCH_H
#define USHER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handover.h"

#define BATCH_MAX 40 /* connections in a message */
#define BATCH_FDS (6 * BATCH_MAX) /* the kernel's limit is 253 */

struct batch_item {
	struct handover handover;
	int64_t start_us; /* of the connection, to know it by */
	int client, backend;
	int up_pipe[2], down_pipe[2]; /* -1: none */
};

struct batch {
	int32_t owner; /* who offers the slots */
	size_t n;
	struct batch_item items[BATCH_MAX];
};

/*
 * Puts a relay, of which relay_stays() said that it stays, into a batch that
 * is not full.  handover has slot, log and hide_client.
 */
void batch_add(struct batch *batch, const struct handover *handover,
    int64_t start_us, const struct relay *relay);

/* Sends it without waiting.  0 or -errno. */
int batch_send(int via, const struct batch *batch);

/*
 * Receives one without waiting; its descriptors are the caller's, CLOEXEC.
 * Returns 1, 0 at the end of the stream, -EAGAIN if there is none now, or
 * another -errno; -EPROTO for a message in which something is missing or
 * wrong: ret->owner and the slots are set as far as they make sense, and
 * there are no descriptors.
 */
int batch_receive(int via, struct batch *ret);

#endif
