/*
 * rules_loop.h - backends that are usher itself.
 *
 * The one idea: a connection to such a backend comes back as a new client,
 * which is connected again, until max-connections ends it.
 */
#ifndef USHER_RULES_LOOP_H
#define USHER_RULES_LOOP_H

#include <stdbool.h>

#include "addr.h"

/*
 * Whether a connection to backend is certain to reach a socket that listens
 * at listener.  What needs the machine to be known, that another address of
 * a backend is one of its own, is is_own: it counts where all are listened at.
 */
bool rules_loop(
    const struct addr *listener, const struct addr *backend, bool is_own);

#endif
