/*
 * session.h - one client, from its first byte to its last.
 *
 * The one idea: this runs in a process of its own, which may crash, be
 * killed or be taken over without anybody else noticing.
 */
#ifndef USHER_SESSION_H
#define USHER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "rules.h"
#include "scoreboard.h"

/* What all connections of one generation of rules have in common. */
struct generation {
	const struct rules *rules;
	struct match_index *index; /* or NULL */
	uint16_t *rows; /* the scoreboard row of each service */
	bool needs_local; /* a rule asks for the local address */
	struct scoreboard *board;
	int relay_exe; /* usher-relay's file; -1: relay in this process */
	int keeper; /* where programs are asked for; -1: nowhere */
};

struct session {
	const struct generation *generation;
	struct connection *slot; /* taken, start_us and client set */
	int client; /* non-blocking; the session's */
	struct addr from; /* the client's address */
	const char *socket; /* the listening socket's name, or "" */

	/* the session's own; start with zeros */
	struct addr local; /* the address the client reached; len 0: ask */
	unsigned n_alpn; /* names offered */
	bool handed_over; /* client and slot are the keeper's now */
};

/*
 * Peeks, decides, and does what the rules say; logs, gives the slot back and
 * exits.  Signals are as signals_take() left them.
 */
_Noreturn void session_run(struct session *session);

#endif
