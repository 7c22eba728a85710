/*
 * carrier.c - many relays in one process, with one epoll.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "carrier_inner.h"

#define EVENTS_MAX 64 /* of one wake-up */
#define BURST 8 /* rounds of one relay before the others get their turn */
#define DROPS 16 /* the same for one that is parting */
#define TURNS 64 /* before signals are let in even if there is work */

/*
 * What an event is about: the address of a pair, which leaves its low bits
 * free for the side; or what the owner calls it.
 */
#define TAG_OTHER 2u
#define TAG_MASK UINT64_C(3)
#define ID_SHIFT 2

int
carrier_init(struct carrier *c, const struct carrier_owner *owner,
    uint32_t size, size_t record_size)
{
	int r;

	*c = (struct carrier){ .owner = owner, .size = size };
	r = carrier_reserve(c, record_size);
	if (r < 0)
		return r;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll < 0)
		return -errno;
	r = timers_init(&c->timers, size);
	clock_tick();
	c->busy_us = clock_us();
	return r;
}

int
carrier_watch(struct carrier *c, int socket, struct pair *pair, int side)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = (uintptr_t)pair | (unsigned)side,
	};

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, socket, &event) < 0 ? -errno :
									0;
}

void
carrier_forget(struct carrier *c, int socket)
{
	struct epoll_event unused = { 0 };

	(void)epoll_ctl(c->epoll, EPOLL_CTL_DEL, socket, &unused);
}

int
carrier_watch_other(struct carrier *c, int fd, uint32_t id, bool exclusive)
{
	struct epoll_event event = {
		.events = EPOLLIN | (exclusive ? EPOLLEXCLUSIVE : 0),
		.data.u64 = (uint64_t)id << ID_SHIFT | TAG_OTHER,
	};

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void
carrier_queue(struct carrier *c, struct pair *pair)
{
	if (pair->queued)
		return;
	pair->queued = true;
	pair->next = NULL;
	if (c->first == NULL)
		c->first = pair;
	else
		c->last->next = pair;
	c->last = pair;
}

void
carrier_carry(struct carrier *c, struct pair *pair)
{
	pair->state = PAIR_CARRIED;
	timers_set(
	    &c->timers, &pair->timer, relay_due(&pair->relay, clock_us()));
	carrier_queue(c, pair);
}

/*
 * To be called before a socket is closed: while another process has it open,
 * too, events would go on, for whatever the pair's record is used for next.
 */
static void
unwatch(struct carrier *c, const struct pair *pair, int socket)
{
	if (socket >= 0 && (c->elsewhere || pair->relay.elsewhere))
		carrier_forget(c, socket);
}

/* Both have said FIN, or had their time. */
static void
parted(struct carrier *c, struct pair *pair)
{
	int *sockets[SIDES] = { &pair->relay.up.from, &pair->relay.down.from };

	for (int side = 0; side < SIDES; side++) {
		unwatch(c, pair, *sockets[side]);
		if (*sockets[side] >= 0)
			(void)close(*sockets[side]);
	}
	c->owner->over(c, pair);
}

/* Throws away what comes; closes what has come to its end. */
static void
drop(struct carrier *c, struct pair *pair)
{
	int *sockets[SIDES] = { &pair->relay.up.from, &pair->relay.down.from };
	bool more = false;

	for (int side = 0; side < SIDES; side++) {
		int r = 1;

		if (*sockets[side] < 0)
			continue;
		for (int i = 0; i < DROPS && r > 0; i++)
			r = pump_drop(*sockets[side]);
		more |= r > 0;
		if (r >= 0)
			continue;
		unwatch(c, pair, *sockets[side]);
		(void)close(*sockets[side]);
		*sockets[side] = -1;
	}
	if (*sockets[CLIENT] < 0 && *sockets[BACKEND] < 0)
		c->owner->over(c, pair);
	else if (more)
		carrier_queue(c, pair);
}

static void
begin_parting(struct carrier *c, struct pair *pair, int64_t ms)
{
	pair->state = PAIR_PARTING;
	timers_set(&c->timers, &pair->timer, deadline_after(clock_us(), ms));
	drop(c, pair);
}

void
carrier_part(struct carrier *c, struct pair *pair, enum end end)
{
	pair->end = (uint8_t)end;
	if (!relay_lingers(&pair->relay, end)) {
		unwatch(c, pair, pair->relay.up.from);
		unwatch(c, pair, pair->relay.down.from);
	}
	if (relay_part(&pair->relay, end))
		begin_parting(c, pair, LINGER_MS);
	else
		c->owner->over(c, pair);
}

void
carrier_part_client(
    struct carrier *c, struct pair *pair, int client, enum end end, int64_t ms)
{
	pair->end = (uint8_t)end;
	pair->relay.up.from = client;
	pair->relay.down.from = -1;
	(void)shutdown(client, SHUT_WR);
	begin_parting(c, pair, ms);
}

/* Some rounds of a relay; whether anything is left for the next turn. */
static void
carry(struct carrier *c, struct pair *pair)
{
	struct relay *relay = &pair->relay;
	int64_t now_us = clock_us();
	enum end end = END_NONE;

	for (int i = 0; i < BURST && relay_can_step(relay); i++) {
		if (relay_stays(relay, now_us)) {
			c->owner->stays(c, pair);
			return;
		}
		end = relay_step(relay, now_us);
		if (end != END_NONE) {
			carrier_part(c, pair, end);
			return;
		}
	}
	timers_hasten(&c->timers, &pair->timer, relay_due(relay, now_us));
	if (relay_can_step(relay))
		carrier_queue(c, pair);
}

/* The timer of a relay: most often it has been active since, and goes on. */
static void
look_at(struct carrier *c, struct pair *pair)
{
	struct relay *relay = &pair->relay;
	int64_t now_us = clock_us();
	enum end end = relay_over(relay, now_us);

	if (end != END_NONE)
		carrier_part(c, pair, end);
	else if (relay_stays(relay, now_us))
		c->owner->stays(c, pair);
	else
		timers_set(&c->timers, &pair->timer, relay_due(relay, now_us));
}

/* All that are queued now; those that queue again wait for the next turn. */
static void
run_queue(struct carrier *c)
{
	struct pair *pair = c->first;

	c->first = c->last = NULL;
	while (pair != NULL) {
		struct pair *next = pair->next;

		pair->queued = false;
		switch (pair->state) {
		case PAIR_FREE:
			carrier_put_free(c, pair);
			break;
		case PAIR_OWNERS:
			c->owner->ready(c, pair, false);
			break;
		case PAIR_CARRIED:
			carry(c, pair);
			break;
		default:
			drop(c, pair);
		}
		pair = next;
	}
}

static void
run_timers(struct carrier *c)
{
	struct timer *timer;

	while ((timer = timers_take(&c->timers, clock_us())) != NULL) {
		struct pair *pair =
		    (void *)((uint8_t *)timer - offsetof(struct pair, timer));

		if (pair->state == PAIR_OWNERS)
			c->owner->ready(c, pair, true);
		else if (pair->state == PAIR_CARRIED)
			look_at(c, pair);
		else
			parted(c, pair);
	}
}

/* Gathers what has happened before anything is done about it. */
static void
hear(struct carrier *c, const struct epoll_event *events, int n)
{
	uint32_t others[EVENTS_MAX];
	int n_others = 0;

	for (int i = 0; i < n; i++) {
		uint64_t tag = events[i].data.u64;
		struct pair *pair = (void *)(uintptr_t)(tag & ~TAG_MASK);

		if (tag & TAG_OTHER) {
			others[n_others++] = (uint32_t)(tag >> ID_SHIFT);
			continue;
		}
		relay_notice(&pair->relay, (int)(tag & TAG_MASK),
		    (short)events[i].events);
		carrier_queue(c, pair);
	}
	for (int i = 0; i < n_others; i++)
		c->owner->other(c, others[i]);
}

/* A process that always finds something ready would never hear a signal. */
static void
let_signals_in(struct carrier *c, const sigset_t *mask)
{
	static const struct timespec none;

	if (++c->turns % TURNS == 0)
		(void)ppoll(NULL, 0, &none, mask);
}

/* The buffer that all pumps share goes back when all are quiet. */
static struct deadline
rest(const struct carrier *c)
{
	struct deadline at = deadline_after(c->busy_us, REST_MS);

	if (!pump_scratch_dirty())
		return (struct deadline){ DEADLINE_NEVER };
	if (!deadline_passed(at, clock_us()))
		return at;
	pump_scratch_rest();
	return (struct deadline){ DEADLINE_NEVER };
}

void
carrier_turn(struct carrier *c, struct deadline until)
{
	struct epoll_event events[EVENTS_MAX];
	sigset_t none;
	int n, ms = 0;

	sigemptyset(&none);
	until = deadline_first(until, timers_next(&c->timers));
	until = deadline_first(until, rest(c));
	if (c->first == NULL)
		ms = deadline_left(until, clock_us());
	let_signals_in(c, &none);
	n = epoll_pwait(c->epoll, events, EVENTS_MAX, ms, &none);
	clock_tick();
	if (n > 0 || c->first != NULL)
		c->busy_us = clock_us();
	if (n > 0)
		hear(c, events, n);
	run_queue(c);
	run_timers(c);
}
