/*
 * worker.c - one of the processes that serve many clients each.
 */
#include "worker.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "bury.h"
#include "lean.h"
#include "log.h"
#include "rest.h"
#include "signals.h"
#include "worker_inner.h"

/* What the carrier calls what is no connection; then the listeners. */
enum { WAKE, RELAY, FIRST_LISTENER };

/* Clients taken from one socket at a time: others may be idle. */
#define ACCEPTS 4

/* How long to wait where others' ends make room, and nobody tells. */
#define FULL_LOOK_MS 20

/*
 * So many more may be undecided for the moment that a worker takes to hear
 * that its oldest has to go; who does not hear is passed over then.
 */
#define OVER_MAX 8

/* Who holds one and has not asked for so long does not count: it may be
 * stopped, or dead. */
#define HOLDS_MS (10 * FULL_LOOK_MS)

/* Descriptors for all but clients and their backends. */
#define SPARE_FDS 128

LEAN_ASIDE struct worker worker;

/*
 * The door.
 */

static uint32_t
count_over(const struct worker *w)
{
	const struct generation *g = w->door.generation;
	uint32_t n = atomic_load(&g->board->head->pending);
	uint32_t most = g->rules->settings.max_pending;

	return n > most ? n - most : 0;
}

/*
 * Whose oldest is the oldest of all; or -EAGAIN where nobody knows, because a
 * worker has not yet heard that its oldest has to go.
 */
static int
find_oldest(const struct worker *w)
{
	const struct worker_place *place = w->place;
	int64_t first_us =
	    w->oldest == NULL ? INT64_MAX : w->oldest->session.slot->start_us;
	int chosen = (int)place->self;

	for (unsigned i = 0; i < place->n; i++) {
		int64_t us = atomic_load(&place->posts[i].oldest_us);

		if (i == place->self || us == 0)
			continue;
		if (us == POST_TOLD && count_over(w) < OVER_MAX)
			return -EAGAIN;
		if (us != POST_TOLD && us < first_us) {
			first_us = us;
			chosen = (int)i;
		}
	}
	return chosen;
}

/*
 * The oldest of all workers' goes; if it is another's, that one is told, and
 * makes room for those who come until it hears, too.
 */
static void
make_room(struct door *door)
{
	struct worker *w = &worker;
	const struct worker_place *place = w->place;
	int chosen = find_oldest(w);
	const uint64_t one = 1;

	if (chosen < 0)
		return;
	if (chosen != (int)place->self) {
		struct post *post = &place->posts[chosen];
		uint32_t i = atomic_load(&post->slot) % SCOREBOARD_SLOTS;

		atomic_store(
		    &scoreboard_slot(door->generation->board, i)->evict, 1);
		atomic_store(&post->oldest_us, POST_TOLD);
		(void)!write(place->wakes[chosen], &one, sizeof(one));
	} else if (w->oldest != NULL) {
		guest_stop(w, w->oldest, END_LIMIT);
	}
}

/* Somebody else needs room: those that were marked go. */
static void
wake(struct worker *w)
{
	struct guest *next;
	uint64_t count;

	(void)!read(w->place->wakes[w->place->self], &count, sizeof(count));
	for (struct guest *guest = w->oldest; guest != NULL; guest = next) {
		next = guest->newer;
		if (!atomic_load(&guest->session.slot->evict))
			break;
		guest_stop(w, guest, END_LIMIT);
	}
	guest_publish(w);
	/* Who came while we had not heard yet has asked nobody. */
	for (int i = 0; i < OVER_MAX && count_over(w) > 0; i++)
		make_room(&w->door);
}

/* Clients that other workers hold: they came before those in the backlog. */
static uint32_t
held_by_others(const struct worker *w)
{
	const struct worker_place *place = w->place;
	int64_t since_us = clock_us() - HOLDS_MS * 1000;
	uint32_t n = 0;

	for (unsigned i = 0; i < place->n; i++)
		n += i != place->self &&
		    atomic_load(&place->posts[i].held_us) > since_us;
	return n;
}

/* A slot that is free may be spoken for. */
static bool
is_full(const struct worker *w)
{
	const struct generation *g = w->door.generation;

	return w->door.holding || w->carrier.n >= w->room ||
	    atomic_load(&g->board->head->connections) + held_by_others(w) >=
	    g->rules->settings.limits.max_connections;
}

static void
accept_from(struct worker *w, const struct listener *listener)
{
	for (int i = 0; i < ACCEPTS && !is_full(w); i++) {
		struct session session = { .generation = NULL };
		int r = door_accept(&w->door, listener, &session);

		if (r == 0)
			return;
		if (r > 0)
			guest_begin(w, &session);
	}
}

/* The one that is held asks again, and the others are told that it does. */
static void
readmit(struct worker *w)
{
	struct door *door = &w->door;
	struct post *post = &w->place->posts[w->place->self];
	struct session session;

	if (door->holding && clock_us() >= door->paused_until_us &&
	    door_readmit(door, &session) > 0)
		guest_begin(w, &session);
	if (door->holding || atomic_load(&post->held_us) != 0)
		atomic_store(&post->held_us, door->holding ? clock_us() : 0);
}

static void
other(struct carrier *carrier, uint32_t id)
{
	(void)carrier;
	if (id == WAKE)
		wake(&worker);
	else if (id == RELAY)
		offers_hear(&worker.offers);
	else if (worker.listening)
		accept_from(
		    &worker, &worker.door.listeners[id - FIRST_LISTENER]);
}

/* Listeners are watched while somebody can be let in. */
static void
watch_listeners(struct worker *w, bool on)
{
	const struct door *door = &w->door;

	if (on == w->listening)
		return;
	w->listening = on;
	for (size_t i = 0; i < door->n; i++) {
		if (!on)
			carrier_forget(&w->carrier, door->listeners[i].fd);
		else
			(void)carrier_watch_other(&w->carrier,
			    door->listeners[i].fd, FIRST_LISTENER + (uint32_t)i,
			    true);
	}
}

static struct deadline
mind_the_door(struct worker *w)
{
	struct door *door = &w->door;
	bool paused, full;

	readmit(w);
	if (w->retiring)
		return deadline_after(
		    clock_us(), door->holding ? FULL_LOOK_MS : -1);
	paused = clock_us() < door->paused_until_us;
	full = is_full(w);
	watch_listeners(w, !paused && !full);
	if (paused)
		return (struct deadline){ door->paused_until_us };
	return deadline_after(clock_us(), full ? FULL_LOOK_MS : -1);
}

/*
 * The process.
 */

static void
reap(struct worker *w)
{
	int status;
	pid_t pid;

	signals.child = 0;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		(void)offers_reap(&w->offers, pid);
		(void)bury_process(w->door.generation, pid, status);
	}
}

/* Nobody else is let in; those who stay go to the relay as soon as they can. */
static void
retire(struct worker *w)
{
	struct carrier *c = &w->carrier;

	watch_listeners(w, false);
	for (size_t i = 0; i < w->door.n; i++)
		(void)close(w->door.listeners[i].fd);
	w->retiring = true;
	for (uint32_t i = 0; i < c->high; i++) {
		struct pair *pair = carrier_record(c, i);

		if (pair->state != PAIR_CARRIED)
			continue;
		pair->relay.options.stays_after_ms = guest_stays_after_ms(w);
		carrier_carry(c, pair);
	}
}

/* A terminal says that it is over, for everybody. */
static void
end_all(struct worker *w)
{
	struct carrier *c = &w->carrier;

	w->ending = true;
	for (uint32_t i = 0; i < c->high; i++) {
		struct pair *pair = carrier_record(c, i);

		if (pair->state == PAIR_CARRIED)
			carrier_part(c, pair, END_KILLED);
		else if (pair->state == PAIR_OWNERS && !guest_of(pair)->offered)
			guest_stop(w, guest_of(pair), END_KILLED);
	}
}

static void
obey(struct worker *w)
{
	if (signals.child)
		reap(w);
	if (!signals.terminate)
		return;
	if (!w->retiring)
		retire(w);
	if (signals.terminate == INTERRUPTED)
		end_all(w);
	signals.terminate = 0;
}

static const struct carrier_owner owner = {
	.ready = guest_ready,
	.stays = guest_stays,
	.over = guest_over,
	.other = other,
};

/* Two descriptors each; what is needed besides is spared. */
static uint32_t
count_room(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur / 2 > SCOREBOARD_SLOTS + SPARE_FDS)
		return SCOREBOARD_SLOTS;
	if (limit.rlim_cur < 2 * SPARE_FDS)
		return (uint32_t)limit.rlim_cur / 4 + 1;
	return (uint32_t)(limit.rlim_cur - SPARE_FDS) / 2;
}

static int
start(struct worker *w)
{
	int r = carrier_init(&w->carrier, &owner,
	    w->door.generation->rules->settings.limits.max_connections,
	    sizeof(struct guest));

	w->offers = (struct offers){
		.generation = w->door.generation,
		.carrier = &w->carrier,
		.id = RELAY,
		.came_back = guest_came_back,
		.was_taken = guest_was_taken,
	};
	offers_init(&w->offers);
	w->room = count_room();
	if (r < 0)
		return r;
	return carrier_watch_other(
	    &w->carrier, w->place->wakes[w->place->self], WAKE, false);
}

/* Waits for what comes next, and does it. */
static void
turn(struct worker *w, struct deadline until)
{
	struct carrier *c = &w->carrier;
	struct deadline quiet = deadline_after(c->busy_us, REST_AFTER_MS);
	struct pollfd any = { .fd = c->epoll, .events = POLLIN };

	if (c->n > 0 || c->first != NULL) {
		carrier_turn(c, until);
		return;
	}
	if (!deadline_passed(quiet, clock_us()))
		carrier_turn(c, deadline_first(until, quiet));
	else if (rest_wait(&any, 1, until, w->door.generation->board) >= 0)
		carrier_turn(c, until); /* which will not wait */
}

void
worker_run(const struct generation *g, const struct listener *listeners,
    size_t n, const struct worker_place *place)
{
	struct worker *w = &worker;
	int r;

	w->place = place;
	w->door = (struct door){
		.generation = g,
		.listeners = listeners,
		.n = n,
		.make_room = make_room,
	};
	door_open(&w->door);
	r = start(w);
	if (r < 0) {
		log_errno(LOG_ERR, "cannot serve", -r);
		_exit(1);
	}
	while (!w->retiring || w->carrier.n > 0 || w->door.holding) {
		struct deadline until = mind_the_door(w);

		turn(w, deadline_first(until, offers_due(&w->offers)));
		offers_send(&w->offers);
		obey(w);
	}
	_exit(0);
}
