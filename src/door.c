/*
 * door.c - where clients come in: accept, count, and turn away.
 */
#include "door.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "complaints.h"
#include "deadline.h"
#include "fd.h"
#include "log.h"
#include "proxy.h"
#include "relay.h"

void
door_pause(struct door *d)
{
	d->paused_until_us = clock_us() + PAUSE_MS * 1000;
}

/*
 * How many wait to be accepted is what TCP_INFO gives for a listening socket.
 * Waiting for the backlog to be empty instead could take for ever where many
 * come.  The few are those on their way into it on other processors.
 */
void
door_open(struct door *d)
{
	const unsigned few = 16;

	for (size_t i = 0; i < d->n; i++) {
		struct tcp_info info = { .tcpi_unacked = 0 };
		socklen_t size = sizeof(info);
		unsigned n = UINT16_MAX;

		if (getsockopt(d->listeners[i].fd, IPPROTO_TCP, TCP_INFO, &info,
			&size) == 0 &&
		    info.tcpi_unacked < UINT16_MAX - few)
			n = info.tcpi_unacked + few;
		d->older[i] = (uint16_t)n;
	}
}

bool
door_is_full(const struct door *d)
{
	return atomic_load(&d->generation->board->head->connections) >=
	    d->generation->rules->settings.limits.max_connections;
}

/* Turned away before it has a slot; still, it is counted and logged. */
static void
turn_away(const struct door *d, int client, const struct endpoint *from,
    enum end end, int error)
{
	const struct generation *g = d->generation;
	const struct settings *settings = &g->rules->settings;
	struct connection record = {
		.service = CONN_NO_SERVICE,
		.end = (uint8_t)end,
		.start_us = clock_us(),
		.wait_us = -1,
		.connect_us = -1,
		.client = *from,
		.error = (int16_t)error,
	};
	struct tally *tally = scoreboard_tally(g->board, CONN_NO_SERVICE);

	close_reset(client);
	atomic_fetch_add(&tally->total, 1);
	atomic_fetch_add(&tally->ends[end], 1);
	log_connection(
	    g->board, &record, settings->limits.log, settings->hide_clients);
}

/*
 * Whether this source may not have one more.  It is asked before it is
 * counted, which is cheap, and after, which holds when somebody else counts
 * at the same time.
 */
static bool
is_too_many(const struct door *d, const struct addr *from,
    const struct endpoint *source, uint32_t limit)
{
	return scoreboard_source_count(d->generation->board, source) > limit &&
	    !proxy_expected(&d->generation->rules->settings, from);
}

/* Whoever has filled the file system can make room again. */
static void
lack_memory(struct door *d, int error)
{
	complaints_say(&d->complaints,
	    "clients wait, for the runtime directory has no room for the "
	    "record of one more: make some there",
	    error);
	door_pause(d);
}

/* All slots may have gone since the limit was looked at: it is held. */
static int
take_slot(struct door *d, struct session *session)
{
	const struct generation *g = d->generation;
	const struct settings *settings = &g->rules->settings;
	struct endpoint source;

	endpoint_from(&source, &session->from);
	if (atomic_load(&g->board->head->pending) >= settings->max_pending)
		d->make_room(d);
	session->slot = scoreboard_take(
	    g->board, settings->limits.max_connections, &source);
	d->holding = session->slot == NULL;
	if (d->holding) {
		d->held = *session;
		if (g->board->lacking != 0)
			lack_memory(d, g->board->lacking);
		return 0;
	}
	if (!is_too_many(d, &session->from, &source, settings->max_per_source))
		return 1;
	session->end = END_LIMIT;
	close_reset(session->client);
	session_finish(session, END_LIMIT);
	return -EAGAIN;
}

static int
admit(struct door *d, int client, const struct listener *listener,
    const struct addr *from, struct session *ret)
{
	uint32_t most = d->generation->rules->settings.max_per_source;
	struct endpoint source;

	endpoint_from(&source, from);
	if (is_too_many(d, from, &source, most - 1)) {
		turn_away(d, client, &source, END_LIMIT, 0);
		return -EAGAIN;
	}
	ret->generation = d->generation;
	ret->slot = NULL;
	ret->client = client;
	ret->from = *from;
	ret->socket = listener->name;
	return take_slot(d, ret);
}

int
door_readmit(struct door *d, struct session *ret)
{
	*ret = d->held;
	return take_slot(d, ret) > 0;
}

/*
 * Errors that belong to the one connection that could not be accepted: the
 * next one may be fine.  accept(2) lists them.
 */
static bool
is_about_the_client(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPERM:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

int
door_accept(
    struct door *d, const struct listener *listener, struct session *ret)
{
	struct addr from = { .len = sizeof(struct sockaddr_un) };
	uint16_t *older = &d->older[listener - d->listeners];
	int client;

	if (d->holding || door_is_full(d))
		return 0;
	client = accept4(
	    listener->fd, &from.any, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client >= 0) {
		/* It came before there was anything to inherit, or never is. */
		if (*older > 0 || from.any.sa_family == AF_UNIX)
			door_prepare(client, &d->generation->rules->settings);
		if (*older > 0)
			--*older;
		addr_unmap(&from);
		return admit(d, client, listener, &from, ret);
	}
	if (errno == EAGAIN) {
		*older = 0;
		return 0;
	}
	if (is_about_the_client(errno))
		return -EAGAIN;
	complaints_say(&d->complaints, "cannot accept, trying again", errno);
	door_pause(d);
	return 0;
}

void
door_prepare(int listener, const struct settings *settings)
{
	int on = 1;

	/* A unix socket knows none of these, and needs none. */
	(void)setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)dial_keepalive(listener, settings->limits.keepalive_ms);
	(void)fd_set_urgent_inline(listener, 1);
}
