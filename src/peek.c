#include "peek.h"

#include <errno.h>
#include <sys/socket.h>

/* How long to wait where a socket cannot be told to wait for more bytes. */
#define BLIND_WAIT_MS 10

/*
 * Peeked bytes stay queued, so a plain poll() would return at once and spin.
 * SO_RCVLOWAT makes it sleep until there is something new to look at.
 */
static void
set_lowat(struct peek *peek, size_t bytes)
{
	int lowat = (int)(bytes < PEEK_MAX ? bytes : PEEK_MAX);

	if (bytes <= 1 && !peek->lowat_set)
		return;
	/* Where it cannot be set, look() finds nothing new and we go slow. */
	(void)setsockopt(
	    peek->client, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat));
	peek->lowat_set = bytes > 1;
}

/* Returns 1 if there is something new, 0 if not, or -errno. */
static int
look(struct peek *peek)
{
	ssize_t n = recv(
	    peek->client, peek->bytes, peek->size, MSG_PEEK | MSG_DONTWAIT);

	peek->looked = true;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	peek->shown = (size_t)n;
	if (n == 0)
		peek->eof = true;
	if ((size_t)n > peek->n) {
		peek->n = (size_t)n;
		return 1;
	}
	return peek->eof;
}

/* What was queued before a reset can still be read: the reset comes first. */
static int
failure(const struct peek *peek)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(peek->client, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return error == 0 ? -ECONNRESET : -error;
}

/* Nothing new: says what to wait for. */
static int
want(struct peek *peek, size_t need, struct deadline until, struct await *await)
{
	if (!peek->edge)
		set_lowat(peek, need);
	peek->waiting = true;
	await->fds[AWAIT_CLIENT] = (struct pollfd){
		.fd = peek->client,
		.events = POLLIN | POLLRDHUP,
	};
	await->until = until;
	return -EINPROGRESS;
}

/*
 * Woken for nothing: a unix socket, or memory is short.  Whoever would be
 * woken at once again looks the other way for a moment.
 */
static int
pause_looking(
    struct peek *peek, size_t need, struct deadline until, struct await *await)
{
	(void)want(peek, need, until, await);
	if (peek->edge)
		return -EINPROGRESS;
	peek->pausing = true;
	await->fds[AWAIT_CLIENT].fd = -1;
	await->until =
	    deadline_first(until, deadline_after(clock_us(), BLIND_WAIT_MS));
	return -EINPROGRESS;
}

/* What came of the wait; 0: the deadline, -EAGAIN: nothing. */
static int
outcome(struct peek *peek, const struct await *await)
{
	short revents = await->fds[AWAIT_CLIENT].revents;
	int r;

	if (revents & POLLERR)
		return failure(peek);
	/* At the deadline too: fewer than were waited for woke nobody. */
	r = look(peek);
	if (r < 0)
		return r;
	if (await->late)
		return 0;
	/* All that was sent before the FIN has been seen by now. */
	if (revents & (POLLRDHUP | POLLHUP))
		peek->eof = true;
	return r > 0 || peek->eof ? 1 : -EAGAIN;
}

int
peek_step(
    struct peek *peek, size_t need, struct deadline until, struct await *await)
{
	int r;

	peek->shown = 0;
	if (!peek->waiting) {
		/*
		 * Whoever is told of arrivals is told of what was there when
		 * it began, too, but not again of what came with that.
		 */
		r = peek->n == 0 && (!peek->edge || peek->looked) ? look(peek) :
								    0;
		return r != 0 ? r : want(peek, need, until, await);
	}
	peek->waiting = false;
	if (peek->pausing) {
		peek->pausing = false;
		if (deadline_passed(until, clock_us())) {
			r = look(peek);
			return r < 0 ? r : 0;
		}
		return want(peek, need, until, await);
	}
	r = outcome(peek, await);
	if (r == -EAGAIN)
		return pause_looking(peek, need, until, await);
	return r;
}

int
peek_more(struct peek *peek, size_t need, struct deadline until,
    const volatile sig_atomic_t *stop)
{
	struct await await;
	int r;

	await_init(&await);
	while ((r = peek_step(peek, need, until, &await)) == -EINPROGRESS) {
		r = await_poll(&await, stop);
		if (r < 0)
			break;
	}
	peek->waiting = peek->pausing = false;
	return r;
}

bool
peek_again(struct peek *peek)
{
	if (!peek->edge)
		return true;
	return recv(peek->client, peek->bytes, peek->n,
		   MSG_PEEK | MSG_DONTWAIT) == (ssize_t)peek->n;
}

void
peek_end(struct peek *peek)
{
	set_lowat(peek, 1);
}
