/*
 * timers.c - many deadlines, and which of them comes first.
 */
#include "timers.h"

#include <errno.h>
#include <sys/mman.h>

#include "process.h"

int
timers_init(struct timers *t, uint32_t size)
{
	void *at = process_memory(size * sizeof(*t->heap));

	if (at == NULL)
		return -ENOMEM;
	*t = (struct timers){ .heap = at, .size = size };
	return 0;
}

void
timers_free(struct timers *t)
{
	(void)munmap(t->heap, t->size * sizeof(*t->heap));
	*t = (struct timers){ .heap = NULL };
}

static void
put(struct timers *t, uint32_t i, struct timer *timer)
{
	t->heap[i] = timer;
	timer->place = i + 1;
}

/* Moves the timer at i towards the first until it is in order. */
static void
rise(struct timers *t, uint32_t i)
{
	struct timer *timer = t->heap[i];

	while (i > 0) {
		uint32_t parent = (i - 1) / 2;

		if (t->heap[parent]->at_us <= timer->at_us)
			break;
		put(t, i, t->heap[parent]);
		i = parent;
	}
	put(t, i, timer);
}

/* And away from the first. */
static void
sink(struct timers *t, uint32_t i)
{
	struct timer *timer = t->heap[i];

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= t->n)
			break;
		if (child + 1 < t->n &&
		    t->heap[child + 1]->at_us < t->heap[child]->at_us)
			child++;
		if (timer->at_us <= t->heap[child]->at_us)
			break;
		put(t, i, t->heap[child]);
		i = child;
	}
	put(t, i, timer);
}

static void
clear(struct timers *t, struct timer *timer)
{
	uint32_t i = timer->place - 1;
	struct timer *last;

	if (timer->place == 0)
		return;
	timer->place = 0;
	last = t->heap[--t->n];
	if (last == timer)
		return;
	put(t, i, last);
	rise(t, i);
	sink(t, last->place - 1);
}

void
timers_set(struct timers *t, struct timer *timer, struct deadline at)
{
	if (at.at_us == DEADLINE_NEVER) {
		clear(t, timer);
		return;
	}
	timer->at_us = at.at_us;
	if (timer->place == 0) {
		if (t->n == t->size)
			return; /* the caller has broken the contract */
		put(t, t->n++, timer);
	}
	rise(t, timer->place - 1);
	sink(t, timer->place - 1);
}

void
timers_hasten(struct timers *t, struct timer *timer, struct deadline at)
{
	if (timer->place == 0 || at.at_us < timer->at_us)
		timers_set(t, timer, at);
}

struct timer *
timers_take(struct timers *t, int64_t now_us)
{
	struct timer *first = t->n > 0 ? t->heap[0] : NULL;

	if (first == NULL || first->at_us > now_us)
		return NULL;
	clear(t, first);
	return first;
}

struct deadline
timers_next(const struct timers *t)
{
	return (
	    struct deadline){ t->n > 0 ? t->heap[0]->at_us : DEADLINE_NEVER };
}
