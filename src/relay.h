/*
 * relay.h - moves bytes between two sockets until both are done.
 *
 * The one idea: a relay is two pumps, client to backend ("up") and backend to
 * client ("down"), that know nothing of each other (see pump.h).  What the
 * relay adds is what a socket is ready for, the clocks, and how it all ends.
 *
 * relay_run() carries one relay, in a process of its own.  Whoever carries
 * many (see carrier.h) gives each what it waits for with relay_notice() and
 * relay_step().
 */
#ifndef USHER_RELAY_H
#define USHER_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"
#include "deadline.h"
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
	/*
	 * A peer that answers nothing for this long although there are bytes
	 * for it, which is looked at so often, is gone (see acks.h); 0: never.
	 */
	int64_t dead_after_ms;
};

/* What of a relay survives an exec besides its descriptors. */
struct relay_state {
	/* eof: this side sent FIN; done: and it was passed on. */
	bool up_eof, up_done, down_eof, down_done;
	bool backend_first; /* both sent FIN, the backend before the client */
	/* bytes in the pipe of that direction; 0: there is no pipe */
	uint32_t up_held, down_held;
};

enum { CLIENT, BACKEND, SIDES };

struct relay {
	struct pump up, down;
	struct connection *connection; /* counts, clock, evict flag */
	struct relay_options options;
	int64_t active_us; /* when a byte or a FIN last moved */
	int64_t settle_us; /* RELAY_STAYS is not tried again before */
	int64_t asked_us; /* when both peers' acknowledgements were looked at */
	bool owes[SIDES]; /* what was found then */
	uint8_t first; /* enum end: who finished first; END_NONE: nobody has */
	short ready[SIDES]; /* POLLIN and so on, not used up yet */
	bool hung[SIDES]; /* POLLHUP for good, known */
	/*
	 * The caller's: a read that is not full has taken all there is, unless
	 * there is urgent data.  So it is with TCP.
	 */
	bool plain[SIDES];
	bool reset; /* one side reset, or failed: both are to be */
	/*
	 * Another process may have the sockets open, too, in a message that it
	 * has not read: closing them is not enough to have them reset.
	 */
	bool elsewhere;
};

/* relay_run() only: not an end, the connection goes on elsewhere. */
#define RELAY_STAYS END_NONE

/*
 * Prepares a relay between two connected, non-blocking stream sockets with
 * SO_RCVLOWAT 1, which are the relay's until relay_finish().  A state of
 * NULL is a new one; with one, the caller puts the pipes into the pumps
 * (handover_adopt() does).  SIGPIPE must be ignored.
 */
void relay_init(struct relay *relay, int client, int backend,
    struct connection *connection, const struct relay_options *options,
    const struct relay_state *state);

/*
 * The same for relay_run(), in relay_run.c: this process carries no other, so
 * there is static memory for slow readers.
 */
void relay_init_alone(struct relay *relay, int client, int backend,
    struct connection *connection, const struct relay_options *options,
    const struct relay_state *state);

/* Something has become possible with the socket of this side. */
void relay_notice(struct relay *relay, int side, short events);

/*
 * Does one round of what is possible at now_us.  Returns the end once it has
 * come, but for the limits: see relay_over().
 */
enum end relay_step(struct relay *relay, int64_t now_us);

/* Whether another step would find something to do. */
bool relay_can_step(const struct relay *relay);

/* POLLIN and POLLOUT as they are of use with the socket of this side. */
short relay_wants(const struct relay *relay, int side);

/*
 * The end if it has come by now_us: both are done, a limit is reached, or a
 * peer is gone, which is asked now and then.
 */
enum end relay_over(struct relay *relay, int64_t now_us);

#define REST_MS 1000 /* quiet for this long: give memory and pipes back */

/*
 * Gives back at now_us what a quiet relay does not need.  Returns when to
 * look at all of these again if nothing happens: limits, rest, staying.
 */
struct deadline relay_due(struct relay *relay, int64_t now_us);

/*
 * Whether options.stays_after_ms has shown that the connection stays, and
 * nothing of it is in memory: relay_save() is all there is to know.  If its
 * bytes in flight cannot be put into a pipe, it does not stay yet.
 */
bool relay_stays(struct relay *relay, int64_t now_us);

/* Not again before so long. */
void relay_settle(struct relay *relay, int64_t now_us, int64_t ms);

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
 * The same without the moment: returns false if it is all done, true if both
 * sockets have been sent FIN and are to be read and closed by the caller:
 * for LINGER_MS, or until pump_drop() is through with each.
 */
bool relay_part(struct relay *relay, enum end end);

/* What relay_part() will return. */
bool relay_lingers(const struct relay *relay, enum end end);

#define LINGER_MS 1000 /* for a peer to answer our FIN with its own */

/*
 * Ends one connection: with FIN, reading and dropping what still comes for at
 * most linger_ms (closing with unread bytes would make it a RST), or with
 * RST.  Both close socket.
 */
void close_in_order(int socket, int linger_ms);
void close_reset(int socket);

#endif
