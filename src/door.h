/*
 * door.h - where clients come in: accept, count, and turn away.
 *
 * The one idea: what is the same whoever serves them, a process each or one
 * for many.  No error of accept() can end it; what lasts is logged now and
 * then.
 */
#ifndef USHER_DOOR_H
#define USHER_DOOR_H

#include <stdbool.h>
#include <stddef.h>

#include "complaints.h"
#include "session.h"

/* A listening socket, non-blocking, and the name systemd gave it or "". */
struct listener {
	int fd;
	const char *name;
};

#define LISTENERS_MAX 256

/* Connections taken from one socket before the others get their turn. */
#define ACCEPT_BATCH 16

/* How long to leave the backlog alone when descriptors or memory are short,
 * or when connections of an earlier generation use up the limit. */
#define PAUSE_MS 100

struct door {
	const struct generation *generation;
	const struct listener *listeners;
	size_t n;
	/* max-pending are undecided: the oldest has to go. */
	void (*make_room)(struct door *door);

	uint16_t older[LISTENERS_MAX]; /* so many may have nothing inherited */
	int64_t paused_until_us;
	struct complaints complaints;
	/*
	 * One has been accepted, and waits: for a slot (held.slot NULL), or for
	 * whatever else its owner says.
	 */
	bool holding;
	struct session held;
};

/* Before the first door_accept(): who waits may have come before
 * door_prepare(). */
void door_open(struct door *door);

/* max-connections are there: nobody is to be let in. */
bool door_is_full(const struct door *door);

/*
 * Lets one in from a listener.  Returns 1 with *ret begun and a slot taken,
 * 0 if nobody is there or nobody else can be taken now, -EAGAIN if it was
 * turned away or is gone and the next can be tried at once.
 */
int door_accept(
    struct door *door, const struct listener *listener, struct session *ret);

/* A slot for the one that is held: 1 with *ret, or 0 if there is none yet. */
int door_readmit(struct door *door, struct session *ret);

/* Lets nobody in for PAUSE_MS. */
void door_pause(struct door *door);

/*
 * What accepted sockets inherit from a listening one, so that it costs
 * nothing per connection: TCP_NODELAY, keepalive, and that no urgent byte is
 * left out of what is peeked at and relayed.
 */
void door_prepare(int listener, const struct settings *settings);

#endif
