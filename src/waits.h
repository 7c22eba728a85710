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
#include <stdbool.h>
#include <time.h>

#include "deadline.h"

#define KERNEL_SIGSET (_NSIG / 8) /* bytes of the kernel's set of signals */

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

/*
 * One ppoll() with a mask, for who waits again and again: what the kernel says
 * was left of the wait tells the time, too; see clock_waited_for().  How many
 * are ready, 0 at the deadline, or -errno: a signal ends it with -EINTR.
 */
int wait_briefly(
    struct pollfd *fds, nfds_t n, struct deadline until, const sigset_t *mask);

/*
 * What ppoll() wants to hear of a deadline: what is left of it, in *ret, or
 * NULL for never.
 */
struct timespec *wait_limit(struct deadline until, struct timespec *ret);

/*
 * What somebody waits for, and what came of it: the currency between a piece
 * of work that is done in steps and whoever drives it.  A step that has to
 * wait fills it in and says -EINPROGRESS; it is called again once one of the
 * events, POLLERR or POLLHUP came, or at the deadline.  A driver that carries
 * many waits in its own way and fills in revents and late itself.
 */
enum { AWAIT_CLIENT, AWAIT_BACKEND, AWAIT_SIDES };

struct await {
	struct pollfd fds[AWAIT_SIDES]; /* fd -1: nobody there */
	struct deadline until;
	bool late; /* until has passed, and nothing came */
};

/* Nothing to wait for yet, and nothing came. */
void await_init(struct await *await);

/* Waits for it.  0, -EINTR if *stop is set, or another -errno. */
int await_poll(struct await *await, const volatile sig_atomic_t *stop);

/* As wait_any(), but SIGCHLD is kept waiting too. */
int wait_undisturbed(struct pollfd *fds, nfds_t n, struct deadline until);

#endif
