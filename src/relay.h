/*
 * relay.h - moves bytes between two sockets until both are done.
 *
 * The one idea: a relay is two pumps, client to backend ("up") and backend to
 * client ("down"), that know nothing of each other (see pump.h).  What the
 * relay adds is one poll() for both, the clocks, and how it all ends.
 *
 * One relay per process: the buffers for slow readers are static.
 */
#ifndef USHER_RELAY_H
#define USHER_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"
#include "pump.h"

struct relay_options {
	int64_t idle_ms; /* -1: no limit; both directions, one clock */
	/*
	 * The idle limit once one side has finished, counted from that or the
	 * last byte since; -1: idle_ms goes on to hold.
	 */
	int64_t half_close_ms;
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
	bool backend_first; /* both sent FIN, the backend before the client */
	/* bytes in the pipe of that direction; 0: there is no pipe */
	uint32_t up_held, down_held;
};

struct relay {
	struct pump up, down;
	struct connection *connection; /* counts, clock, evict flag */
	struct relay_options options;
	enum end first; /* which side finished first; END_NONE: none has */
	int64_t active_us; /* when a byte or a FIN last moved */
	int64_t settle_us; /* RELAY_STAYS is not tried again before */
	bool client_hung, backend_hung; /* POLLHUP for good, known */
	bool reset; /* one side reset, or failed: both are to be */
};

/* relay_run() only: not an end, the connection goes on elsewhere. */
#define RELAY_STAYS END_NONE

/*
 * Prepares a relay between two connected, non-blocking stream sockets with
 * SO_RCVLOWAT 1, which are the relay's until relay_finish().  A state of
 * NULL is a new one; with one, the caller puts the pipes into the pumps
 * (handover_adopt() does).  SIGPIPE is ignored from here on.
 */
void relay_init(struct relay *relay, int client, int backend,
    struct connection *connection, const struct relay_options *options,
    const struct relay_state *state);

/*
 * Relays until both directions are done, a limit of options is reached, a
 * side resets, or SIGTERM arrives (*stop becomes non-zero; the caller's
 * handler sets it, SIGTERM is blocked but for the waits inside).  Returns the
 * end, for relay_finish(), or RELAY_STAYS: nothing is held in memory then and
 * relay_save() is all there is to know.
 *
 * A side that resets after it had finished has closed: that end is
 * END_CLIENT_CLOSED or END_BACKEND_CLOSED, yet the RST is passed on.  With
 * END_ERROR connection->error is set.
 */
enum end relay_run(struct relay *relay, const volatile int *stop);

/* What handover_exec() passes on.  For a new relay or after RELAY_STAYS. */
void relay_save(const struct relay *relay, struct relay_state *ret);

/*
 * Ends both connections as end asks for: FIN to both with what still comes
 * read and thrown away for a moment, or RST to both if one of them reset or
 * failed, and for END_LIMIT.  Closes the sockets and pipes.
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
