#include "waits.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * ppoll() that finds something ready lets no signal in, so a process that
 * always has work would never hear of SIGTERM.  Now and then, then, a look
 * at nothing but the signals.
 */
#define WAITS_PER_WINDOW 32

static bool
let_signals_in(const sigset_t *mask)
{
	static unsigned waits;
	const struct timespec at_once = { 0, 0 };

	return ++waits % WAITS_PER_WINDOW == 0 &&
	    ppoll(NULL, 0, &at_once, mask) < 0;
}

struct timespec *
wait_limit(struct deadline until, struct timespec *ret)
{
	int ms = -1;

	if (until.at_us != DEADLINE_NEVER)
		ms = deadline_left(until, clock_us());
	if (ms < 0)
		return NULL;
	ret->tv_sec = ms / 1000;
	ret->tv_nsec = (long)(ms % 1000) * 1000000;
	return ret;
}

static int
wait_masked(
    struct pollfd *fds, nfds_t n, struct deadline until, const sigset_t *mask)
{
	struct timespec left;
	int r = ppoll(fds, n, wait_limit(until, &left), mask);

	if (r < 0)
		r = -errno;
	clock_waited();
	return r;
}

#ifdef __LP64__

static int64_t
in_ns(const struct timespec *span)
{
	return (int64_t)span->tv_sec * 1000000000 + span->tv_nsec;
}

/*
 * The system call writes what was left into its timeout (ppoll(2), NOTES), and
 * libraries keep that to themselves.  Where it does not, nothing has changed,
 * while even what is ready at once takes some nanoseconds.
 */
int
wait_briefly(
    struct pollfd *fds, nfds_t n, struct deadline until, const sigset_t *mask)
{
	struct timespec left, *limit = wait_limit(until, &left);
	int64_t took_ns = limit == NULL ? 0 : in_ns(limit);
	int r = (int)syscall(SYS_ppoll, fds, n, limit, mask, KERNEL_SIGSET);

	if (r < 0)
		r = -errno;
	if (limit != NULL)
		took_ns -= in_ns(limit);
	/* Rounded down: clocks may be late, but must not be put back. */
	clock_waited_for(r > 0 && took_ns > 0 ? took_ns / 1000 : -1);
	return r;
}

#else

int
wait_briefly(
    struct pollfd *fds, nfds_t n, struct deadline until, const sigset_t *mask)
{
	return wait_masked(fds, n, until, mask);
}

#endif

int
wait_any(struct pollfd *fds, nfds_t n, struct deadline until)
{
	sigset_t none;

	sigemptyset(&none);
	if (let_signals_in(&none))
		return -EINTR;
	return wait_masked(fds, n, until, &none);
}

int
wait_undisturbed(struct pollfd *fds, nfds_t n, struct deadline until)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (let_signals_in(&child))
		return -EINTR;
	return wait_masked(fds, n, until, &child);
}

int
wait_poll(struct pollfd *fds, nfds_t n, struct deadline until,
    const volatile sig_atomic_t *stop)
{
	int r;

	do {
		if (stop != NULL && *stop)
			return -EINTR;
		r = wait_any(fds, n, until);
	} while (r == -EINTR);
	return r;
}

void
await_init(struct await *await)
{
	*await = (struct await){
		.fds = { { .fd = -1 }, { .fd = -1 } },
		.until = { DEADLINE_NEVER },
	};
}

int
await_poll(struct await *await, const volatile sig_atomic_t *stop)
{
	int r = wait_poll(await->fds, AWAIT_SIDES, await->until, stop);

	await->late = r == 0;
	if (r <= 0)
		for (int i = 0; i < AWAIT_SIDES; i++)
			await->fds[i].revents = 0;
	return r < 0 ? r : 0;
}
