/*
 * lobby.h - who has been let in and has not sent anything yet.
 *
 * The one idea: until the first byte comes there is nothing to be careful of,
 * and nothing for a process to do.  So a client that is silent costs its
 * socket, not a process; its process begins with that byte, or when waiting
 * for it is over.  Nothing here reads from a client.
 */
#ifndef USHER_LOBBY_H
#define USHER_LOBBY_H

#include <stddef.h>
#include <stdint.h>

#include "children.h"
#include "session.h"
#include "timers.h"

struct lobby_guest {
	struct timer timer; /* first: see lobby_late() */
	struct child *child; /* the caller's: its record among the children */
	struct connection *slot;
	const char *socket;
	struct addr from;
	int client;
	uint32_t next; /* of the free ones: 1 + index, or 0: the one after */
};

struct lobby {
	int epoll; /* ready when somebody has spoken; -1: nobody fits */
	uint32_t n, size; /* now, at most */
	uint32_t free;
	struct lobby_guest *guests;
	struct timers timers;
};

/*
 * Makes room for size guests (up to 1 << 20; 0: nobody fits), in memory that
 * children do not inherit.  0, -ENOMEM, or what epoll_create1() says; after an
 * error it may be used, and nobody fits.
 */
int lobby_init(struct lobby *lobby, uint32_t size);

/*
 * A session that has a slot and has not been started waits here, until its
 * client sends something or leaves, or until then: lobby_spoken() and
 * lobby_late() name it.  What session->socket points to stays where it is.
 * The caller sets child.  NULL without room for it, or if it cannot be
 * watched: it stays the caller's.
 */
struct lobby_guest *lobby_enter(
    struct lobby *lobby, const struct session *session, struct deadline until);

/* The session of a guest as door_accept() had begun it. */
void lobby_recall(const struct lobby_guest *guest,
    const struct generation *generation, struct session *ret);

/* Forgets a guest, whose descriptor is open still, and the caller's. */
void lobby_remove(struct lobby *lobby, struct lobby_guest *guest);

/* It cannot be served now: whatever it sends, lobby_late() names it then. */
void lobby_defer(
    struct lobby *lobby, struct lobby_guest *guest, struct deadline until);

/*
 * Those who have sent something or left, LOBBY_BATCH at most.  Each is to be
 * removed or deferred, or is named again.  How many.
 */
#define LOBBY_BATCH 16
size_t lobby_spoken(
    struct lobby *lobby, struct lobby_guest *ret[static LOBBY_BATCH]);

/*
 * One whose time is over at now_us, or NULL.  It is to be removed or deferred,
 * for it is not named again.
 */
struct lobby_guest *lobby_late(struct lobby *lobby, int64_t now_us);

/* When the next one's is. */
struct deadline lobby_due(const struct lobby *lobby);

#endif
