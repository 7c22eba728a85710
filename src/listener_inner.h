/*
 * listener_inner.h - what the two listener files share.  For them only.
 */
#ifndef USHER_LISTENER_INNER_H
#define USHER_LISTENER_INNER_H

#include <poll.h>

#include "children.h"
#include "listener.h"
#include "lobby.h"

/* In memory that children do not inherit: they cannot look at it. */
struct acceptor {
	struct door door; /* first: see listener_evict() */
	struct children children;
	struct lobby lobby;
	struct session dismissed; /* not on the stack either: see there */
	int64_t busy_until_us;
	int64_t search_us; /* when to look for any that ended */
	struct pollfd polls[LISTENERS_MAX + 1]; /* and the lobby */
};

/* Looks for children that have ended, unless it is too early for that. */
void listener_reap(struct acceptor *acceptor);

/* Lets in those who wait there, some at a time. */
void listener_accept(
    struct acceptor *acceptor, const struct listener *listener);

/* The one that is held gets another try. */
void listener_retry(struct acceptor *acceptor);

/*
 * Those in the lobby whose time has come get processes, some at a time, while
 * there are any to be had; spoken: some may have sent something.
 */
void listener_call(struct acceptor *acceptor, bool spoken);

/* For struct door: the one that has been undecided for longest has to go. */
void listener_evict(struct door *door);

/* All in the lobby end, for signals.everybody, which is set back. */
void listener_dismiss_all(struct acceptor *acceptor);

/*
 * Or live on in processes of their own, and the one that is held too, where
 * others accept from now on.  Tries for LISTENER_RETIRES_MS; who is left then
 * is the keeper's to bury.
 */
void listener_start_all(struct acceptor *acceptor);

#endif
