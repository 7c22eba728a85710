/*
 * relay.h - moves bytes between two sockets until both are done.
 *
 * The one idea: a relay is two pumps, client to backend ("up") and backend to
 * client ("down"), that know nothing of each other.  A pump reads only when
 * it has nothing left to write, so a reader that stops stops its writer, and
 * memory is bounded.  It copies small messages through a buffer, and splices
 * bulk through a pipe that exists only while it is needed.
 */
#ifndef USHER_RELAY_H
#define USHER_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"

struct relay_options {
	int64_t idle_ms; /* -1: no limit; both directions, one clock */
	int64_t half_close_ms; /* the idle limit once one side has finished */
	/*
	 * For the lazy exec: relay_run() comes back with RELAY_STAYS when the
	 * connection was quiet for this long, or has gone into bulk.
	 * -1: it never does.
	 */
	int64_t stays_after_ms;
};

/* What of a relay survives an exec besides its descriptors. */
struct relay_state {
	/* eof: this side sent FIN; done: and it was passed on. */
	bool up_eof, up_done, down_eof, down_done;
	/* bytes in the pipe of that direction; 0: there is no pipe */
	uint32_t up_held, down_held;
};

/* One direction.  Its fields belong to relay.c. */
struct pump {
	int from, to;
	int pipe[2]; /* -1: none */
	size_t piped; /* bytes in the pipe */
	uint8_t *held; /* read but not yet written; NULL: none */
	size_t held_at, held_len;
	unsigned full_reads; /* full buffers in a row */
	bool eof, done;
	bool write_blocked;
	_Atomic uint64_t *count; /* of bytes delivered */
};

struct relay {
	struct pump up, down;
	struct connection *connection; /* counts, clock, evict flag */
	struct relay_options options;
};

/* relay_run() only: not an end, the connection goes on elsewhere. */
#define RELAY_STAYS END_NONE

/*
 * Prepares a relay between two connected, non-blocking stream sockets, which
 * stay the caller's.  state is NULL for a new one.  pipes are taken from
 * state's counts by handover; see handover.h.
 */
void relay_init(struct relay *relay, int client, int backend,
    struct connection *connection, const struct relay_options *options,
    const struct relay_state *state);

/*
 * Relays until both directions are done, a limit of options is reached, a
 * side resets, or SIGTERM arrives (*stop becomes non-zero; the caller's
 * handler sets it, SIGTERM is blocked but for the waits inside).  A reset of
 * one side is passed to the other; on all other ends both sockets are closed
 * in order by relay_finish().  Returns the end, or RELAY_STAYS.
 */
enum end relay_run(struct relay *relay, const volatile int *stop);

/*
 * Ends both connections as end asks for: FIN to both with what still comes
 * read and thrown away for a moment, or RST to the other side of the one
 * that reset.  Closes the sockets and pipes.
 */
void relay_finish(struct relay *relay, enum end end);

/*
 * Ends one connection: with FIN, reading and dropping what still comes for at
 * most linger_ms (closing with unread bytes would make it a RST), or with
 * RST.  Both close socket.
 */
void close_in_order(int socket, int linger_ms);
void close_reset(int socket);

#endif
