/*
 * timers.h - many deadlines, and which of them comes first.
 *
 * The one idea: a heap over timers that are parts of other records.  Setting,
 * moving and taking out are O(log n), looking at the first is O(1), and a
 * timer that is never set costs 16 bytes.
 */
#ifndef USHER_TIMERS_H
#define USHER_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#include "deadline.h"

/* Zeroed: not set. */
struct timer {
	int64_t at_us;
	uint32_t place; /* 1 + its index in the heap; 0: not set */
};

struct timers {
	struct timer **heap;
	uint32_t n, size;
};

/* Makes room for size timers (1 .. 1 << 24) that are set.  0 or -ENOMEM. */
int timers_init(struct timers *timers, uint32_t size);
void timers_free(struct timers *timers);

/*
 * Sets a timer, or moves it.  DEADLINE_NEVER clears it.  No more than size
 * may be set at a time.
 */
void timers_set(struct timers *timers, struct timer *timer, struct deadline at);

/* Moves it only if that makes it earlier. */
void timers_hasten(
    struct timers *timers, struct timer *timer, struct deadline at);

/* Clears one that has passed at now_us and returns it; NULL: there is none. */
struct timer *timers_take(struct timers *timers, int64_t now_us);

/* When the first one passes. */
struct deadline timers_next(const struct timers *timers);

#endif
