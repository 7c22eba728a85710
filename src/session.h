/*
 * session.h - one client, from its first byte to where it goes.
 *
 * The one idea: a session is done in steps that never wait, so whoever drives
 * it decides how to wait: alone.c for one, in a process of its own, worker.c
 * for many.  Nothing here knows which of the two it is.
 */
#ifndef USHER_SESSION_H
#define USHER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "pass.h"
#include "peek.h"
#include "reach.h"
#include "relay.h"
#include "rules.h"
#include "scoreboard.h"
#include "waits.h"

/* What all connections of one generation of rules have in common. */
struct generation {
	const struct rules *rules;
	struct match_index *index; /* or NULL */
	uint16_t *rows; /* the scoreboard row of each service */
	bool needs_local; /* a rule asks for the local address */
	bool may_be_early; /* a decision may come before a byte has */
	struct scoreboard *board;
	int relay_exe; /* usher-relay's file; -1: relay in this process */
	int keeper; /* where programs are asked for; -1: nowhere */
};

enum session_stage {
	SESSION_HEADER, /* a PROXY header is to come */
	SESSION_UNDECIDED,
	SESSION_REACHING, /* for a backend */
	SESSION_PASSING, /* to another process */
	SESSION_ASKING, /* for a program */
};

struct session {
	const struct generation *generation;
	struct connection *slot; /* taken, start_us and client set */
	int client; /* non-blocking; the session's */
	struct addr from; /* the client's address */
	const char *socket; /* the listening socket's name, or "" */
	bool edge; /* see struct peek */

	/* the session's own; start with zeros */
	struct addr local; /* the address the client reached; len 0: ask */
	const struct service *service; /* once it is decided */
	enum session_stage stage;
	uint8_t end; /* enum end, after SESSION_ENDS */
	bool one_alpn; /* was offered: scoreboard_alpn() */
	struct peek peek;
	union {
		struct reach reach;
		struct pass pass;
		struct deadline asking; /* for a program: no longer */
	};
	struct proxy_extras extras; /* what pass refers to */
};

enum session_next {
	SESSION_WAITS, /* as await says; then another step */
	SESSION_RELAYS, /* *backend is connected, and the caller's */
	SESSION_ENDS, /* see session_parting() */
	SESSION_HANDED_ON, /* client and slot are the keeper's now */
};

/*
 * Before session_start(): whether there is nothing to do for it until the
 * client sends something or leaves, or at most until then, in *ret.  Reads
 * nothing; may ask for the local address.
 */
bool session_begins_later(struct session *session, struct deadline *ret);

/* Begins; returns what session_step() does. */
enum session_next session_start(
    struct session *session, struct await *await, int *backend);

/* Goes on after what await says has come. */
enum session_next session_step(
    struct session *session, struct await *await, int *backend);

/* Ends it between two steps, with this end. */
void session_stop(struct session *session, enum end end);

/* How the client is to be closed at such an end. */
enum session_parting {
	PART_CLOSED, /* it is closed already, or not ours to close */
	PART_RESET, /* with close_reset() */
	PART_IN_ORDER, /* with FIN, read and thrown away for PARTING_MS */
};
enum session_parting session_parting(const struct session *session);

/* How long a client that was turned down may go on sending. */
#define PARTING_MS 1000

/* What limits.log holds for it: the service's, once there is one. */
const struct limits *session_limits(const struct session *session);

/* The limits of its service as a relay takes them. */
struct relay_options session_relay_options(
    const struct session *session, int64_t stays_after_ms);

/* What a relay just made of the session's sockets knows of them. */
void session_begin_relay(const struct session *session, struct relay *relay);

/*
 * Whoever stays gets keepalive too; the client's, as the settings have it,
 * came from accept.
 */
void session_watch_peers(const struct session *session, int backend);

/* The log line, and the slot given back. */
void session_finish(struct session *session, enum end end);

/* When a connection counts as one that stays, and gets a lean relay. */
#define STAYS_AFTER_MS 200

#endif
