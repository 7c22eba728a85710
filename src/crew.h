/*
 * crew.h - the acceptor where isolation = shared: it has workers.
 *
 * The one idea: it reads nothing that a client sent, so nothing a client does
 * can hurt it; a worker that dies is buried and replaced.
 */
#ifndef USHER_CREW_H
#define USHER_CREW_H

#include "door.h"

/*
 * Locks itself in, starts a worker for each processor, says ready to
 * generation->keeper, and replaces the dead until SIGTERM.  The workers hear
 * of its end and retire.
 */
_Noreturn void crew_run(const struct generation *generation,
    const struct listener *listeners, size_t n);

#endif
