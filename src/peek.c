#include "peek.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "waits.h"

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

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
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

static int
wait_for_more(struct peek *peek, size_t need, struct deadline until,
    const volatile sig_atomic_t *stop)
{
	struct pollfd p = { .fd = peek->client, .events = POLLIN | POLLRDHUP };
	int r;

	set_lowat(peek, need);
	r = wait_poll(&p, 1, until, stop);
	if (r <= 0)
		return r;
	if (p.revents & POLLERR)
		return failure(peek);
	r = look(peek);
	if (r < 0)
		return r;
	/* All that was sent before the FIN has been seen by now. */
	if (p.revents & (POLLRDHUP | POLLHUP))
		peek->eof = true;
	return r > 0 || peek->eof ? 1 : -EAGAIN;
}

static int
await(struct peek *peek, size_t need, struct deadline until,
    const volatile sig_atomic_t *stop)
{
	int r;

	if (peek->n == 0) {
		r = look(peek);
		if (r != 0)
			return r;
	}
	for (;;) {
		r = wait_for_more(peek, need, until, stop);
		if (r != -EAGAIN)
			return r;
		/* Woken for nothing: a unix socket, or memory is short. */
		r = wait_poll(NULL, 0,
		    deadline_first(
			until, deadline_after(clock_us(), BLIND_WAIT_MS)),
		    stop);
		if (r < 0)
			return r;
		if (deadline_passed(until, clock_us()))
			return 0;
	}
}

int
peek_more(struct peek *peek, size_t need, struct deadline until,
    const volatile sig_atomic_t *stop)
{
	int r = await(peek, need, until, stop);

	if (r != 0)
		return r;
	/* Fewer than were waited for woke nobody, but have come. */
	r = look(peek);
	return r < 0 ? r : 0;
}

void
peek_end(struct peek *peek)
{
	set_lowat(peek, 1);
}
