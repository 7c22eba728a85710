/*
 * children.h - the acceptor's children: who serves which slot, or is to once
 * there is something to do, who has been undecided for longest, and who is
 * about to end.
 *
 * The one idea: sized once, at start; adding, finding by pid, removing and
 * evicting are O(1), so a flood costs no more per connection than one client.
 * So is finding whom to reap: the kernel looks at every child to find one that
 * has ended, but a child whose slot somebody else got has given it back.
 */
#ifndef USHER_CHILDREN_H
#define USHER_CHILDREN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILDREN_NONE UINT32_MAX

enum children_queue { CHILDREN_UNDECIDED, CHILDREN_LEAVING, CHILDREN_QUEUES };

struct child {
	pid_t pid; /* 0: it has no process yet */
	uint32_t slot; /* in the scoreboard */
	uint32_t next; /* in its bucket, or in the list of free ones */
	uint32_t older, newer; /* in its queue */
	enum children_queue queue; /* or CHILDREN_QUEUES: in none */
	void *guest; /* the caller's, while it has no process */
};

struct children {
	uint32_t size, mask, slots;
	uint32_t n; /* in the table now */
	uint32_t free;
	struct {
		uint32_t oldest, newest;
	} queues[CHILDREN_QUEUES];
	size_t bytes; /* of the one mapping that all tables are in */
	uint32_t *buckets; /* 1 + index of the first, or 0 */
	uint32_t *latest; /* of each slot: 1 + index of its child, or 0 */
	struct child *list;
};

/*
 * Makes room for size children (1 .. 1 << 20) in slots below slots.  0 or
 * -ENOMEM.
 */
int children_init(struct children *children, uint32_t size, uint32_t slots);
void children_free(struct children *children);

/*
 * Adds one that has no process, as the youngest of the undecided; whoever had
 * the slot before is leaving.  It stays where it is until it is removed.
 * NULL: no room, and nothing has changed.
 */
struct child *children_admit(struct children *children, uint32_t slot);

/* Now it has one, pid > 0, and is no guest any more. */
void children_start(struct children *children, struct child *child, pid_t pid);

/* Both at once.  0, or -ENOSPC. */
int children_add(struct children *children, pid_t pid, uint32_t slot);

/* Forgets one that has no process; others are for children_remove(). */
void children_dismiss(struct children *children, struct child *child);

/* Forgets pid.  Returns its slot, or CHILDREN_NONE if it is not ours. */
uint32_t children_remove(struct children *children, pid_t pid);

/*
 * The one that has been undecided for longest, with a process or without, or
 * NULL.  Of one with a process the caller knows from the slot whether that is
 * still so, and says children_decided() if not.
 */
struct child *children_oldest(struct children *children);
void children_decided(struct children *children, struct child *child);

/* The one that has been leaving for longest, with a process; or NULL. */
struct child *children_leaving(struct children *children);

#endif
