/*
 * handover.h - what one program leaves for the next across an exec.
 *
 * The one idea: every descriptor number, argument and variable that two of
 * the programs agree on is written here and nowhere else.
 *
 *	usher serve --exec--> usherd (keeper) --fork--> acceptor --fork-->
 *	child --exec--> usher-relay
 *
 * or, with isolation = shared (see worker.h),
 *
 *	acceptor --fork--> worker --fork, exec--> usher-relay for many
 */
#ifndef USHER_HANDOVER_H
#define USHER_HANDOVER_H

#include <stdint.h>

#include "log.h"
#include "relay.h"

/* Descriptors from usherd on; all but the standard ones CLOEXEC. */
enum {
	LOG_FD = 3, /* journal or syslog socket; may be closed */
	BOARD_FD = 4, /* the scoreboard */

	/* in usherd; the sandbox looks after this number and LOG_FD */
	KEEPER_FD = 5, /* child to keeper: please run this program */

	/* in usherd, as usher serve leaves them */
	RULES_FD = 6, /* sealed memfd with the normalised rules */
	RELAY_EXE_FD = 7, /* usher-relay's file, for execveat() */
	LISTENERS_FD = 8, /* the first listening socket */

	/* in usher-relay */
	RELAY_CLIENT_FD = 6,
	RELAY_BACKEND_FD = 7,
	RELAY_UP_PIPE_FD = 8, /* client to backend: read end, then write end */
	RELAY_DOWN_PIPE_FD = 10, /* backend to client: the same */
	RELAY_FIRST_FREE_FD = 12,

	/* in a usher-relay that carries many */
	RELAY_CONTROL_FD = 6, /* where it gets them, see batch.h */
};

/* The one variable in usher-relay's environment; see handover_encode(). */
#define RELAY_STATE_ENV "USHER_RELAY"
#define RELAY_STATE_MAX 160 /* bytes of its value, with the NUL */

/*
 * In its place for one that carries many: the kind of log, a digit.
 */
#define RELAY_MANY_ENV "USHER_RELAY_MANY"

/* What usher-relay must know besides its descriptors. */
struct handover {
	uint32_t slot; /* index in the scoreboard */
	enum log_kind log_kind;
	enum rules_log log;
	bool hide_client;
	bool caged; /* usher-relay needs no sandbox of its own */
	struct relay_options options; /* but stays_after_ms: it has stayed */
	struct relay_state state;
};

/*
 * Writes h as one line of decimal numbers into text, and reads it back.
 * handover_decode returns 0, or -EINVAL for anything handover_encode cannot
 * have written; *ret is untouched then.
 */
void handover_encode(const struct handover *h, struct line *text);
int handover_decode(const char *text, struct handover *ret);

/*
 * The same as numbers, for those who have another way to send them.
 * handover_unpack returns as handover_decode does.
 */
#define HANDOVER_NUMBERS 16
void handover_pack(const struct handover *h, int64_t ret[HANDOVER_NUMBERS]);
int handover_unpack(
    const int64_t numbers[HANDOVER_NUMBERS], struct handover *ret);

/*
 * Execs usher-relay (exe, an open descriptor of its file) with the relay's
 * two sockets and what is in flight.  h->options and h->state are taken from
 * relay.  argv becomes "usher-relay SERVICE CLIENT BACKEND" for ps; the
 * scoreboard must be at BOARD_FD.  Signals are as they were at start, but for
 * SIGTERM, which stays blocked: one that comes now is not lost.
 *
 * Returns only on failure, -errno, with the relay able to go on, and no
 * longer trying to get away (stays_after_ms -1).  Its descriptors, and exe,
 * may have other numbers then, and what was at RELAY_CLIENT_FD and up to
 * RELAY_FIRST_FREE_FD, other than them, may be gone.
 */
int handover_exec(int exe, const struct handover *h, struct relay *relay,
    const char *const names[3]);

/*
 * Execs a usher-relay that carries many and gets them by way of control.  To
 * be called in a process that was forked for that: returns, -errno, only on
 * failure, and with descriptors that are good for nothing.
 */
int handover_exec_many(int exe, int control);

/*
 * Whether this program was started so.  Returns 1 with the kind of log, 0 if
 * not, or -EINVAL for what handover_exec_many() cannot have left.
 */
int handover_is_many(enum log_kind *ret);

/*
 * The other side of it, in usher-relay: relay_init() from what was handed
 * over.
 */
void handover_adopt(struct relay *relay, const struct handover *h,
    struct connection *connection);

#endif
