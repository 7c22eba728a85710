/*
 * deadline.c - a point in time that several waits share.
 */
#include "deadline.h"

#include <limits.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define US_PER_MS 1000
#define US_PER_S 1000000
#define NS_PER_US 1000

#define SHORT_US 10000 /* after longer waits a read of the clock is nothing */
#define GUESSES 8 /* ticks, all but the last of which may be guessed */

/*
 * The small static programs ask the kernel.  The vdso would be quicker by a
 * tenth of a microsecond, or by a whole one in some virtual machines, but its
 * pages and the tables to find them by are 12 KB in every process; and it is
 * given back, see lean.h.  Who serves many has it.
 */
#if defined(__GLIBC__) || !defined(__LP64__)
static bool has_vdso = true;
#else
static bool has_vdso;
#endif

static int64_t
read_clock(clockid_t clock)
{
	struct timespec now;

	/* Cannot fail: the clock exists and the pointer is good. */
	if (has_vdso)
		(void)clock_gettime(clock, &now);
	else
		(void)syscall(SYS_clock_gettime, clock, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

/* 0: the clock does not tick. */
static int64_t ticked_us;

int64_t
clock_us(void)
{
	return ticked_us != 0 ? ticked_us : read_clock(CLOCK_MONOTONIC);
}

void
clock_by_vdso(void)
{
	has_vdso = true;
	(void)read_clock(CLOCK_MONOTONIC); /* which has it looked up */
}

int64_t
clock_suspended_us(void)
{
	return read_clock(CLOCK_BOOTTIME) - read_clock(CLOCK_MONOTONIC);
}

void
clock_tick(void)
{
	ticked_us = read_clock(CLOCK_MONOTONIC);
}

void
clock_waited(void)
{
	if (ticked_us != 0)
		clock_tick();
}

void
clock_waited_for(int64_t us)
{
	static unsigned ticks;

	if (us < 0 || us > SHORT_US || ++ticks % GUESSES == 0)
		clock_waited();
	else if (ticked_us != 0)
		ticked_us += us;
}

struct deadline
deadline_after(int64_t start_us, int64_t ms)
{
	if (ms < 0 || ms > (DEADLINE_NEVER - start_us) / US_PER_MS)
		return (struct deadline){ DEADLINE_NEVER };
	return (struct deadline){ start_us + ms * US_PER_MS };
}

struct deadline
deadline_first(struct deadline a, struct deadline b)
{
	return a.at_us <= b.at_us ? a : b;
}

int
deadline_left(struct deadline until, int64_t now_us)
{
	int64_t left_ms;

	if (until.at_us == DEADLINE_NEVER)
		return -1;
	if (until.at_us <= now_us)
		return 0;
	left_ms = (until.at_us - now_us - 1) / US_PER_MS + 1;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

bool
deadline_passed(struct deadline until, int64_t now_us)
{
	return until.at_us != DEADLINE_NEVER && until.at_us <= now_us;
}
