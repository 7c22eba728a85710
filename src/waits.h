/*
 * waits.h - the one way to wait: with a deadline, and open to SIGTERM.
 *
 * The one idea: a serving process keeps its signals blocked except while it
 * sleeps in wait_poll(), so a handler can only run where its flag is looked
 * at next, and no wake-up is lost between a look and a sleep.
 */
#ifndef USHER_WAITS_H
#define USHER_WAITS_H

#include <poll.h>
#include <signal.h>

#include "deadline.h"

/*
 * ppoll() until one of the n descriptors is ready, the deadline passes or
 * *stop (may be NULL) is non-zero.  Returns how many are ready, 0 at the
 * deadline (or after 24 days, see deadline_left()), -EINTR if *stop is set, or
 * another -errno.  A signal that sets nothing does not end the wait.
 */
int wait_poll(struct pollfd *fds, nfds_t n, struct deadline until,
    const volatile sig_atomic_t *stop);

/*
 * The same for a process that has several flags to look at: returns -EINTR
 * as soon as any signal came; which it was is for the caller to find out.
 */
int wait_any(struct pollfd *fds, nfds_t n, struct deadline until);

/* As wait_any(), but SIGCHLD is kept waiting too. */
int wait_undisturbed(struct pollfd *fds, nfds_t n, struct deadline until);

#endif
