/*
 * many.h - a usher-relay that carries many connections.
 *
 * The one idea: it is handed connections that stay, and that is all that it
 * hears.  It has no socket that strangers can connect to, outlives the worker
 * it gets them from, and ends when the last of them has.
 */
#ifndef USHER_MANY_H
#define USHER_MANY_H

#include "scoreboard.h"

/*
 * Carries what comes by way of RELAY_CONTROL_FD until that is closed and
 * nothing is left, or nothing was there for a while.  SIGTERM and SIGINT are
 * blocked, and make *stop non-zero when they come: then all are closed in
 * order.  The sandbox is the caller's to put on, in confine(), once memory and
 * descriptors are there.  Returns the exit status.
 */
int many_run(
    struct scoreboard *board, const volatile int *stop, void (*confine)(void));

#endif
