#include "waits.h"

#include <errno.h>
#include <stddef.h>

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

static int
wait_masked(
    struct pollfd *fds, nfds_t n, struct deadline until, const sigset_t *mask)
{
	struct timespec left = { 0, 0 };
	int ms = -1, r;

	if (until.at_us != DEADLINE_NEVER)
		ms = deadline_left(until, clock_us());
	if (ms > 0) {
		left.tv_sec = ms / 1000;
		left.tv_nsec = (long)(ms % 1000) * 1000000;
	}
	r = ppoll(fds, n, ms < 0 ? NULL : &left, mask);
	if (r < 0)
		r = -errno;
	clock_waited();
	return r;
}

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
