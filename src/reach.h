/*
 * reach.h - from a service to one of its backends.
 *
 * The one idea: backends are tried in the order that "balance" gives, those
 * that failed a moment ago last; what failed is remembered in the scoreboard,
 * so every connection learns from the others and nobody has to probe.
 */
#ifndef USHER_REACH_H
#define USHER_REACH_H

#include <signal.h>

#include "addr.h"
#include "rules.h"
#include "scoreboard.h"

struct reach {
	const struct service *service;
	struct scoreboard *board;
	struct connection *slot; /* told which backend it is */
	int client; /* watched meanwhile */
	const struct addr *from; /* the client's address */
	const struct addr *local; /* the one it reached; len 0: not known */
	const char *alpn; /* for the PROXY header: the only offer, or NULL */
	const volatile sig_atomic_t *stop;
};

/*
 * Connects to a backend and sends the PROXY header if the service wants one.
 * Returns the descriptor, which the caller owns, or the -errno of the last
 * attempt: see dial().  slot->backend, backend_port and connect_us are set.
 */
int reach_backend(const struct reach *reach);

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
