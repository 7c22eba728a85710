/*
 * listener.h - the acceptor: accept, fork, count, reap.
 *
 * The one idea: one process per generation of rules, restricted once before
 * its first fork, so that every child is born restricted.  It reads nothing
 * that a client sent, and no error of accept() or fork() can end it.
 */
#ifndef USHER_LISTENER_H
#define USHER_LISTENER_H

#include <stddef.h>

#include "session.h"

/* A listening socket, non-blocking, and the name systemd gave it or "". */
struct listener {
	int fd;
	const char *name;
};

#define LISTENERS_MAX 256

/*
 * Accepts on the n listeners until SIGTERM; connections live on in their own
 * processes.  Says ready with one empty message to generation->keeper once
 * it accepts.  Signals are as signals_take() left them.
 */
_Noreturn void listener_run(const struct generation *generation,
    const struct listener *listeners, size_t n);

/*
 * What accepted sockets inherit from a listening one, so that it costs
 * nothing per connection: TCP_NODELAY, keepalive, and that no urgent byte is
 * left out of what is peeked at and relayed.
 */
void listener_prepare(int listener, const struct settings *settings);

#endif
