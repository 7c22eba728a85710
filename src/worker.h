/*
 * worker.h - one of the processes that serve many clients each.
 *
 * The one idea: a worker accepts, peeks, decides, connects and relays as
 * events come, and never waits for one client; what stays it hands to a
 * usher-relay that carries many (see offer.h).  It was born in the sandbox.
 */
#ifndef USHER_WORKER_H
#define USHER_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "door.h"

#define WORKERS_MAX 64

/* Instead of a time: its oldest has to go, and it has not heard of that. */
#define POST_TOLD INT64_C(-1)

/*
 * What the workers of a generation show each other, in shared memory: so the
 * one that has been undecided for longest can be found wherever it is, and who
 * has been let in without a slot gets the next one, whoever's guest makes room.
 */
struct post {
	_Atomic int64_t oldest_us; /* when its oldest came; 0: it has none */
	_Atomic uint32_t slot; /* of the oldest */
	/* When it last asked for a slot for one that it holds; 0: for none. */
	_Atomic int64_t held_us;
};

struct worker_place {
	struct post *posts; /* of n workers */
	const int *wakes; /* an eventfd of each */
	unsigned n, self;
};

/*
 * Serves until SIGTERM; then those that are here already, to their end.
 * Signals are as signals_take() left them.
 */
_Noreturn void worker_run(const struct generation *generation,
    const struct listener *listeners, size_t n,
    const struct worker_place *place);

#endif
