/*
 * ending.c - how the connections of a relay end.  Declared in relay.h.
 */
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "relay.h"

#define LINGER_MS 1000 /* for a peer to answer our FIN with its own */

void
close_reset(int socket)
{
	struct linger none = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(socket, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	(void)close(socket);
}

/* Reads what poll() found and forgets a socket that is through. */
static void
drop(struct pollfd *poll)
{
	if (poll->revents != 0 && pump_drop(poll->fd))
		poll->fd = -1;
}

/* Sends FIN to both and waits for theirs; -1: there is but one. */
static void
close_both_in_order(int first, int second, int linger_ms)
{
	struct pollfd polls[] = {
		{ .fd = first, .events = POLLIN },
		{ .fd = second, .events = POLLIN },
	};
	int64_t now = clock_us();
	struct deadline until = deadline_after(now, linger_ms);

	(void)shutdown(first, SHUT_WR);
	if (second >= 0)
		(void)shutdown(second, SHUT_WR);
	while ((polls[0].fd >= 0 || polls[1].fd >= 0) &&
	    !deadline_passed(until, now)) {
		if (poll(polls, 2, deadline_left(until, now)) > 0) {
			drop(&polls[0]);
			drop(&polls[1]);
		}
		now = clock_us();
	}
	(void)close(first);
	if (second >= 0)
		(void)close(second);
}

void
close_in_order(int socket, int linger_ms)
{
	close_both_in_order(socket, -1, linger_ms);
}

void
relay_finish(struct relay *relay, enum end end)
{
	int client = relay->up.from, backend = relay->down.from;

	pump_close(&relay->up);
	pump_close(&relay->down);
	if (relay->reset || end == END_LIMIT || end == END_ERROR) {
		/* The side that reset is past hearing of it. */
		close_reset(client);
		close_reset(backend);
	} else if (end == END_CLIENT_CLOSED || end == END_BACKEND_CLOSED) {
		/* All is delivered and said: nothing unread, no RST. */
		(void)close(client);
		(void)close(backend);
	} else {
		close_both_in_order(client, backend, LINGER_MS);
	}
}
