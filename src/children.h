/*
 * children.h - the acceptor's children: who serves which slot, and who has
 * been undecided for longest.
 *
 * The one idea: sized once, at start; adding, finding by pid, removing and
 * evicting are O(1), so a flood costs no more per connection than one client.
 */
#ifndef USHER_CHILDREN_H
#define USHER_CHILDREN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILDREN_NONE UINT32_MAX

struct child {
	pid_t pid;
	uint32_t slot; /* in the scoreboard */
	uint32_t next; /* in its bucket, or in the list of free ones */
	uint32_t older, newer; /* among the undecided */
};

struct children {
	uint32_t size, mask;
	uint32_t n; /* in the table now */
	uint32_t free, oldest, newest;
	size_t bytes; /* of the one mapping that both tables are in */
	uint32_t *buckets; /* 1 + index of the first, or 0 */
	struct child *list;
};

/* Makes room for size children (1 .. 1 << 20).  0 or -ENOMEM. */
int children_init(struct children *children, uint32_t size);
void children_free(struct children *children);

/* Adds one, as the youngest of the undecided.  0, or -ENOSPC. */
int children_add(struct children *children, pid_t pid, uint32_t slot);

/* Forgets pid.  Returns its slot, or CHILDREN_NONE if it is not ours. */
uint32_t children_remove(struct children *children, pid_t pid);

/*
 * The one that has been undecided for longest, or NULL.  The caller knows
 * from the slot whether that is still so, and says children_decided() if not.
 */
struct child *children_oldest(struct children *children);
void children_decided(struct children *children, struct child *child);

#endif
