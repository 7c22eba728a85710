/*
 * ending.c - how the connections of a relay end.  Declared in relay.h.
 */
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "relay.h"

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
	if (poll->revents != 0 && pump_drop(poll->fd) < 0)
		poll->fd = -1;
}

/* FIN has been sent to both: waits for theirs; -1: there is but one. */
static void
close_both_in_order(int first, int second, int linger_ms)
{
	struct pollfd polls[] = {
		{ .fd = first, .events = POLLIN },
		{ .fd = second, .events = POLLIN },
	};
	int64_t now = clock_us();
	struct deadline until = deadline_after(now, linger_ms);

	while ((polls[0].fd >= 0 || polls[1].fd >= 0) &&
	    !deadline_passed(until, now)) {
		if (poll(polls, 2, deadline_left(until, now)) > 0) {
			drop(&polls[0]);
			drop(&polls[1]);
		}
		clock_waited();
		now = clock_us();
	}
	(void)close(first);
	if (second >= 0)
		(void)close(second);
}

void
close_in_order(int socket, int linger_ms)
{
	(void)shutdown(socket, SHUT_WR);
	close_both_in_order(socket, -1, linger_ms);
}

/* Whoever else has the socket open: its peer hears of it now. */
static void
disconnect(int socket)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	(void)connect(socket, &nobody, sizeof(nobody));
}

static bool
is_reset(const struct relay *relay, enum end end)
{
	return relay->reset || end == END_LIMIT || end == END_ERROR;
}

bool
relay_lingers(const struct relay *relay, enum end end)
{
	return !is_reset(relay, end) && end != END_CLIENT_CLOSED &&
	    end != END_BACKEND_CLOSED;
}

bool
relay_part(struct relay *relay, enum end end)
{
	int client = relay->up.from, backend = relay->down.from;

	pump_free(&relay->up);
	pump_free(&relay->down);
	if (is_reset(relay, end)) {
		/* The side that reset is past hearing of it. */
		if (relay->elsewhere) {
			disconnect(client);
			disconnect(backend);
		}
		close_reset(client);
		close_reset(backend);
		return false;
	}
	if (!relay_lingers(relay, end)) {
		/* All is delivered and said: nothing unread, no RST. */
		(void)close(client);
		(void)close(backend);
		return false;
	}
	(void)shutdown(client, SHUT_WR);
	(void)shutdown(backend, SHUT_WR);
	return true;
}

void
relay_finish(struct relay *relay, enum end end)
{
	if (relay_part(relay, end))
		close_both_in_order(
		    relay->up.from, relay->down.from, LINGER_MS);
}
