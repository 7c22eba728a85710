/*
 * session_target.c - one client on its way to where its service says.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "launch.h"
#include "session_inner.h"

/* A keeper that has much to do is asked again after that, and so often. */
#define KEEPER_RETRY_MS 20

enum session_next
session_over(struct session *s, enum end end)
{
	s->end = (uint8_t)end;
	return SESSION_ENDS;
}

void
session_learn_local(struct session *s)
{
	struct addr *local = &s->local;

	if (local->len != 0)
		return;
	local->len = sizeof(struct sockaddr_un);
	if (getsockname(s->client, &local->any, &local->len) < 0)
		local->len = 0;
	else
		addr_unmap(local);
	endpoint_from(&s->slot->local, local);
}

static enum session_next
unreachable(struct session *s, int error)
{
	s->slot->error = (int16_t)-error;
	switch (error) {
	case -ECANCELED:
		return session_over(s, END_CLIENT_RESET);
	case -ETIMEDOUT:
		return session_over(s, END_CONNECT_TIMEOUT);
	case -EPERM: /* ours, not the backend's */
	case -EAFNOSUPPORT:
	case -EADDRNOTAVAIL:
		return session_over(s, END_ERROR);
	default:
		return session_over(s, END_REFUSED);
	}
}

/* The only ALPN name offered, or NULL: with several, who knows which. */
static const char *
only_alpn(const struct session *s)
{
	return s->one_alpn ? scoreboard_alpn(s->generation->board, s->slot) :
			     NULL;
}

static enum session_next
reach_on(struct session *s, struct await *await, int *backend)
{
	int r = reach_step(&s->reach, await);

	if (r == -EINPROGRESS)
		return SESSION_WAITS;
	if (r < 0)
		return unreachable(s, r);
	*backend = r;
	return SESSION_RELAYS;
}

static enum session_next
start_reaching(struct session *s, struct await *await, int *backend)
{
	s->stage = SESSION_REACHING;
	s->reach = (struct reach){
		.service = s->service,
		.board = s->generation->board,
		.slot = s->slot,
		.client = s->client,
		.keeper = s->generation->keeper,
		.from = &s->from,
		.local = &s->local,
		.alpn = only_alpn(s),
	};
	if (s->peek.shown <= PUMP_BUFFER) {
		s->reach.first = s->peek.bytes;
		s->reach.n_first = s->peek.shown;
	}
	if (s->service->proxy_protocol != 0)
		session_learn_local(s);
	return reach_on(s, await, backend);
}

/*
 * The keeper has much to do, or the kernel has as many descriptors under way
 * for this user as it allows: both pass.
 */
static enum session_next
ask_again(struct session *s, struct await *await, int error)
{
	int64_t now_us = clock_us();

	if (deadline_passed(s->asking, now_us))
		return unreachable(s, error == -EAGAIN ? -ETIMEDOUT : error);
	await_init(await);
	await->until =
	    deadline_first(s->asking, deadline_after(now_us, KEEPER_RETRY_MS));
	return SESSION_WAITS;
}

/* The keeper takes over, slot and all: it must not be given back here. */
static enum session_next
ask_for_program(struct session *s, struct await *await)
{
	const struct generation *g = s->generation;
	const struct launch_request request = {
		.row = s->slot->service,
		.slot = scoreboard_index(g->board, s->slot),
		.pid = getpid(),
	};
	int r = launch_ask(g->keeper, &request, s->client);

	if (r == -EAGAIN || r == -ETOOMANYREFS)
		return ask_again(s, await, r);
	if (r < 0) {
		s->slot->error = (int16_t)-r;
		return session_over(s, END_ERROR);
	}
	/* Unless it has begun already, and the slot is the program's. */
	scoreboard_pass(
	    s->slot, request.pid, atomic_load(&g->board->head->keeper));
	return SESSION_HANDED_ON;
}

static enum session_next
start_asking(struct session *s, struct await *await)
{
	s->stage = SESSION_ASKING;
	s->asking = deadline_after(clock_us(), s->service->limits.connect_ms);
	scoreboard_set_program(
	    s->generation->board, s->slot, s->service->argv[0]);
	return ask_for_program(s, await);
}

static enum session_next
pass_on(struct session *s, struct await *await)
{
	int r = pass_step(&s->pass, await);

	if (r == -EINPROGRESS)
		return SESSION_WAITS;
	return r < 0 ? unreachable(s, r) : session_over(s, END_BACKEND_CLOSED);
}

static enum session_next
start_passing(struct session *s, struct await *await)
{
	const struct service *service = s->service;
	struct scoreboard *board = s->generation->board;

	s->stage = SESSION_PASSING;
	scoreboard_set_backend(board, s->slot, &service->pass);
	session_learn_local(s);
	s->extras = (struct proxy_extras){
		.authority = scoreboard_name(board, s->slot),
		.alpn = only_alpn(s),
	};
	s->pass = (struct pass){
		.to = &service->pass,
		.until = deadline_after(clock_us(), service->limits.connect_ms),
		.client = s->client,
		.from = &s->from,
		.local = &s->local,
		.extras = &s->extras,
	};
	return pass_on(s, await);
}

enum session_next
session_go(struct session *s, struct await *await, int *backend)
{
	switch (s->service->target) {
	case GO_BACKEND:
		return start_reaching(s, await, backend);
	case GO_EXEC:
		return start_asking(s, await);
	case GO_PASS:
		return start_passing(s, await);
	case GO_CLOSE:
	case GO_RESET:
		break;
	}
	return session_over(s, END_REJECTED);
}

enum session_next
session_go_on(struct session *s, struct await *await, int *backend)
{
	switch (s->stage) {
	case SESSION_REACHING:
		return reach_on(s, await, backend);
	case SESSION_PASSING:
		return pass_on(s, await);
	default:
		return ask_for_program(s, await);
	}
}

void
session_stop(struct session *s, enum end end)
{
	s->end = (uint8_t)end;
	if (s->stage == SESSION_REACHING)
		reach_abandon(&s->reach);
	else if (s->stage == SESSION_PASSING)
		pass_abandon(&s->pass);
}

struct relay_options
session_relay_options(const struct session *s, int64_t stays_after_ms)
{
	const struct limits *limits = &s->service->limits;

	return (struct relay_options){
		.idle_ms = limits->idle_ms,
		.half_close_ms = limits->half_close_ms,
		.stays_after_ms = stays_after_ms,
		.dead_after_ms = dial_dead_after_ms(limits->keepalive_ms),
	};
}

void
session_begin_relay(const struct session *s, struct relay *relay)
{
	size_t sent = s->reach.dial.sent;

	relay->plain[CLIENT] = s->from.any.sa_family != AF_UNIX;
	relay->plain[BACKEND] = s->reach.dial.to->any.sa_family != AF_UNIX;
	pump_delivered(&relay->up, sent);
	relay->up.packs = sent > 0 && relay->plain[BACKEND];
	/* Whoever is told of arrivals can take these along with the next. */
	if (s->peek.n > (s->edge ? sent : 0))
		relay_notice(relay, CLIENT, POLLIN);
}

void
session_watch_peers(const struct session *s, int backend)
{
	const struct rules *rules = s->generation->rules;
	int64_t keepalive_ms = s->service->limits.keepalive_ms;

	if (backend >= 0)
		(void)dial_keepalive(backend, keepalive_ms);
	if (s->client >= 0 &&
	    keepalive_ms != rules->settings.limits.keepalive_ms)
		(void)dial_keepalive(s->client, keepalive_ms);
}
