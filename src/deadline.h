/*
 * deadline.h - a point in time that several waits share.
 *
 * The one idea: a deadline is set once, on CLOCK_MONOTONIC, and every wait
 * asks how much is left of it; data that trickles in never moves it.
 */
#ifndef USHER_DEADLINE_H
#define USHER_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* at_us: microseconds of CLOCK_MONOTONIC, or DEADLINE_NEVER. */
struct deadline {
	int64_t at_us;
};

#define DEADLINE_NEVER INT64_MAX

/* Now, in microseconds of CLOCK_MONOTONIC. */
int64_t clock_us(void);

/*
 * For a process that has its vdso, and is on the stack that it was started
 * with (see lean.h): from here on a look at the clock is no system call.
 */
void clock_by_vdso(void);

/* How long the machine was suspended since boot: that clock stood still. */
int64_t clock_suspended_us(void);

/*
 * For a process that serves connections: reads the clock, and until the next
 * tick clock_us() says what it said.  So the clock is read once for each time
 * the process wakes up, not for each thing it does then.
 */
void clock_tick(void);

/* A wait is over: the next tick, if the clock ticks.  For whoever waits. */
void clock_waited(void);

/*
 * The same where somebody else has measured the wait: it took us
 * microseconds; < 0: nobody has.  Most often that is added to the last tick
 * and the clock is not read.  Ticks lag by what is done between waits, so
 * only a few in a row are made in this way, and only after short ones.
 */
void clock_waited_for(int64_t us);

/*
 * A deadline ms milliseconds after start_us; ms < 0, and what is beyond all
 * time, means never.
 */
struct deadline deadline_after(int64_t start_us, int64_t ms);

/* The one of the two that comes first. */
struct deadline deadline_first(struct deadline a, struct deadline b);

/*
 * What poll() wants to hear at now_us: milliseconds left, rounded up so that
 * a wait never ends early, 0 if it has passed, -1 for never.  At most INT_MAX,
 * which is 24 days: who can wait longer looks again then.
 */
int deadline_left(struct deadline until, int64_t now_us);

/* Whether the deadline has passed at now_us. */
bool deadline_passed(struct deadline until, int64_t now_us);

#endif
