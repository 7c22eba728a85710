/*
 * listener.h - the acceptor: accept, wait for a first byte, fork, reap.
 *
 * The one idea: one process per generation of rules, restricted once before
 * its first fork, so that every child is born restricted.  It reads nothing
 * that a client sent, and no error of accept() or fork() can end it.
 */
#ifndef USHER_LISTENER_H
#define USHER_LISTENER_H

#include <stddef.h>

#include "door.h"

/*
 * Accepts on the n listeners until SIGTERM, or has the workers of crew.h do
 * so where the rules say isolation = shared; connections live on in their own
 * processes, which those who have not sent anything get then.  If there are
 * none to be had for LISTENER_RETIRES_MS, or if it is killed, they end with it;
 * so they do when not its keeper but somebody else tells it to end, or a
 * terminal tells everybody.  Says ready with one empty message to
 * generation->keeper once it accepts.  Signals are as signals_take() left them.
 */
#define LISTENER_RETIRES_MS 800

_Noreturn void listener_run(const struct generation *generation,
    const struct listener *listeners, size_t n);

#endif
