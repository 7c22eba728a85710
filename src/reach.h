/*
 * reach.h - from a service to one of its backends.
 *
 * The one idea: backends are tried in the order that "balance" gives, those
 * that failed a moment ago last; what failed is remembered in the scoreboard,
 * so every connection learns from the others and nobody has to probe.
 */
#ifndef USHER_REACH_H
#define USHER_REACH_H

#include "addr.h"
#include "dial.h"
#include "rules.h"
#include "scoreboard.h"

/* Start with zeros but for the first part. */
struct reach {
	const struct service *service;
	struct scoreboard *board;
	struct connection *slot; /* told which backend it is */
	int client; /* watched meanwhile */
	int keeper; /* see launch_inquire(); -1: nowhere */
	const struct addr *from; /* the client's address */
	const struct addr *local; /* the one it reached; len 0: not known */
	const char *alpn; /* for the PROXY header: the only offer, or NULL */
	/* What the client has sent, while the first step takes; see dial.h. */
	const uint8_t *first;
	size_t n_first;

	struct dial dial; /* dial.sent: so many of first are with the backend */
	int64_t since_us; /* 0: nothing was tried yet */
	uint8_t at; /* which of order is being tried */
	bool explained; /* why not, once */
	uint8_t order[RULES_BACKENDS_MAX];
};

/*
 * Connects to a backend and sends the PROXY header if the service wants one.
 * Returns the descriptor, which the caller owns; -EINPROGRESS if it has to
 * wait as await says and to be called again; or the -errno of the last
 * attempt: see dial_step().  The slot's backend, backend_port and connect_us
 * are set.
 */
int reach_step(struct reach *reach, struct await *await);

/* Gives up between two steps. */
void reach_abandon(struct reach *reach);

/*
 * Whether a service is transparent, which takes CAP_NET_RAW in the process
 * that connects.
 */
bool reach_needs_right(const struct rules *rules);

/*
 * Puts the order in which n backends (1 .. RULES_BACKENDS_MAX) are tried into
 * order.  seed is random, or the same for the same client, as balance wants;
 * failed[i] moves backend i to the end.
 */
void reach_order(enum balance balance, size_t n, uint64_t seed,
    const bool *failed, uint8_t *order);

#endif
