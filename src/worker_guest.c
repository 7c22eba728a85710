/*
 * worker_guest.c - a client of a worker, from the door to where it goes.
 */
#include <errno.h>
#include <unistd.h>

#include "log.h"
#include "worker_inner.h"

/* What could not be handed over is tried again after that. */
#define KEEP_MS 1000

/*
 * The undecided, oldest first.
 */

void
guest_publish(const struct worker *w)
{
	struct post *post = &w->place->posts[w->place->self];
	const struct connection *slot;

	if (w->oldest == NULL) {
		atomic_store(&post->oldest_us, 0);
		return;
	}
	slot = w->oldest->session.slot;
	atomic_store(
	    &post->slot, scoreboard_index(w->door.generation->board, slot));
	atomic_store(&post->oldest_us, slot->start_us);
}

static void
list(struct worker *w, struct guest *guest)
{
	guest->undecided = true;
	guest->older = w->newest;
	guest->newer = NULL;
	if (w->newest != NULL)
		w->newest->newer = guest;
	else
		w->oldest = guest;
	w->newest = guest;
	if (w->oldest == guest)
		guest_publish(w);
}

static void
unlist(struct worker *w, struct guest *guest)
{
	if (!guest->undecided)
		return;
	guest->undecided = false;
	if (guest->newer != NULL)
		guest->newer->older = guest->older;
	else
		w->newest = guest->older;
	if (guest->older != NULL) {
		guest->older->newer = guest->newer;
	} else {
		w->oldest = guest->newer;
		guest_publish(w);
	}
}

/*
 * The end of a guest.
 */

void
guest_over(struct carrier *carrier, struct pair *pair)
{
	struct guest *guest = guest_of(pair);

	session_finish(&guest->session, pair->end);
	carrier_release(carrier, pair);
}

/* Before there is a relay: the client is closed as the end deserves. */
static void
end_session(struct worker *w, struct guest *guest)
{
	struct session *session = &guest->session;

	unlist(w, guest);
	guest->pair.end = session->end;
	switch (session_parting(session)) {
	case PART_IN_ORDER:
		carrier_part_client(&w->carrier, &guest->pair, session->client,
		    session->end, PARTING_MS);
		return;
	case PART_RESET:
		close_reset(session->client);
		break;
	case PART_CLOSED:
		/* It may have been passed on: then closing is not the end. */
		if (session->stage == SESSION_PASSING)
			carrier_forget(&w->carrier, session->client);
		(void)close(session->client);
	}
	guest_over(&w->carrier, &guest->pair);
}

void
guest_stop(struct worker *w, struct guest *guest, enum end end)
{
	session_stop(&guest->session, end);
	end_session(w, guest);
}

/* The keeper has it, slot and all. */
static void
forget_guest(struct worker *w, struct guest *guest)
{
	unlist(w, guest);
	carrier_forget(&w->carrier, guest->session.client);
	(void)close(guest->session.client);
	carrier_release(&w->carrier, &guest->pair);
}

/*
 * A guest on its way.
 */

int64_t
guest_stays_after_ms(const struct worker *w)
{
	if (w->door.generation->relay_exe < 0)
		return -1;
	return w->retiring ||
		w->door.generation->rules->settings.relay_at_once ?
	    0 :
	    STAYS_AFTER_MS;
}

static void
start_relay(struct worker *w, struct guest *guest, int backend)
{
	const struct session *session = &guest->session;
	struct relay *relay = &guest->pair.relay;
	const struct relay_options options =
	    session_relay_options(session, guest_stays_after_ms(w));
	short client_ready = relay->ready[CLIENT];
	short backend_ready = relay->ready[BACKEND];

	relay_init(
	    relay, session->client, backend, session->slot, &options, NULL);
	session_begin_relay(session, relay);
	relay_notice(relay, CLIENT, client_ready);
	relay_notice(relay, BACKEND, backend_ready);
	if (w->door.generation->relay_exe < 0)
		session_watch_peers(session, backend);
	carrier_carry(&w->carrier, &guest->pair);
}

/* Has the socket of this attempt watched; there may have been others. */
static int
watch_backend(struct worker *w, struct guest *guest, int backend)
{
	uint16_t attempt = (uint16_t)(guest->session.reach.at + 1);

	if (guest->attempt == attempt)
		return 0;
	guest->attempt = attempt;
	guest->pair.relay.ready[BACKEND] = 0;
	return carrier_watch(&w->carrier, backend, &guest->pair, BACKEND);
}

static int
wait_on(struct worker *w, struct guest *guest)
{
	int backend = guest->await.fds[AWAIT_BACKEND].fd;
	int r = backend < 0 ? 0 : watch_backend(w, guest, backend);

	if (guest->undecided && guest->session.stage > SESSION_UNDECIDED)
		unlist(w, guest);
	timers_set(&w->carrier.timers, &guest->pair.timer, guest->await.until);
	return r;
}

static void
go_on(
    struct worker *w, struct guest *guest, enum session_next next, int backend)
{
	int r = 0;

	switch (next) {
	case SESSION_WAITS:
		r = wait_on(w, guest);
		break;
	case SESSION_RELAYS:
		unlist(w, guest);
		r = watch_backend(w, guest, backend);
		if (r == 0)
			start_relay(w, guest, backend);
		else
			(void)close(backend);
		break;
	case SESSION_ENDS:
		end_session(w, guest);
		break;
	case SESSION_HANDED_ON:
		forget_guest(w, guest);
	}
	if (r == 0)
		return;
	guest->session.slot->error = (int16_t)-r;
	guest_stop(w, guest, END_ERROR);
}

/* What of what has come it waits for; all of it is used up by that. */
static void
tell(struct guest *guest, bool late)
{
	struct relay *relay = &guest->pair.relay;
	bool any = false;

	for (int side = 0; side < AWAIT_SIDES; side++) {
		struct pollfd *fd = &guest->await.fds[side];

		fd->revents = (short)(relay->ready[side] &
		    (fd->events | POLLERR | POLLHUP));
		if (fd->fd < 0)
			fd->revents = 0;
		any |= fd->revents != 0;
		if (side == CLIENT && fd->revents & POLLIN)
			relay->ready[side] &= ~POLLIN;
	}
	guest->await.late = late && !any;
}

/* Whether anything came that it waits for. */
static bool
is_told(const struct guest *guest)
{
	return guest->await.late || guest->await.fds[CLIENT].revents != 0 ||
	    guest->await.fds[BACKEND].revents != 0;
}

void
guest_ready(struct carrier *carrier, struct pair *pair, bool late)
{
	struct guest *guest = guest_of(pair);
	enum session_next next;
	int backend = -1;

	if (guest->offered)
		return; /* it is remembered in the relay */
	if (!guest->begun) {
		guest->begun = true;
		next = session_start(&guest->session, &guest->await, &backend);
		/* Of one that was held, what has come is known by now. */
		if (pair->relay.ready[CLIENT] != 0)
			carrier_queue(carrier, pair);
	} else {
		tell(guest, late);
		if (!is_told(guest))
			return;
		next = session_step(&guest->session, &guest->await, &backend);
	}
	go_on(&worker, guest, next, backend);
}

/*
 * A guest that stays.
 */

/* Not now: it goes on here. */
static void
keep(struct worker *w, struct pair *pair)
{
	if (w->ending) {
		carrier_part(&w->carrier, pair, END_KILLED);
		return;
	}
	relay_settle(&pair->relay, clock_us(), KEEP_MS);
	carrier_carry(&w->carrier, pair);
}

void
guest_stays(struct carrier *carrier, struct pair *pair)
{
	struct guest *guest = guest_of(pair);
	const struct generation *g = guest->session.generation;
	const struct limits *limits = session_limits(&guest->session);
	const struct handover handover = {
		.slot = scoreboard_index(g->board, guest->session.slot),
		.log_kind = log_kind(),
		.log = limits->log,
		.hide_client = g->rules->settings.hide_clients,
	};

	(void)carrier;
	if (!offers_welcome(&worker.offers)) {
		keep(&worker, pair);
		return;
	}
	session_watch_peers(&guest->session, pair->relay.down.from);
	pair->state = PAIR_OWNERS;
	guest->offered = true;
	timers_set(&worker.carrier.timers, &pair->timer,
	    (struct deadline){ DEADLINE_NEVER });
	offers_add(&worker.offers, &guest->offer, pair, &handover);
}

void
guest_came_back(struct pair *pair)
{
	guest_of(pair)->offered = false;
	pair->relay.elsewhere = true;
	keep(&worker, pair);
}

/* The relay has the sockets open: they have to be forgotten by number. */
void
guest_was_taken(struct pair *pair)
{
	struct relay *relay = &pair->relay;

	carrier_forget(&worker.carrier, relay->up.from);
	carrier_forget(&worker.carrier, relay->down.from);
	(void)close(relay->up.from);
	(void)close(relay->down.from);
	pump_free(&relay->up);
	pump_free(&relay->down);
	carrier_release(&worker.carrier, pair);
}

/*
 * A guest comes.
 */

void
guest_begin(struct worker *w, const struct session *session)
{
	struct pair *pair = carrier_new(&w->carrier);
	struct guest *guest = guest_of(pair);
	int r;

	/* Cannot be: there is a record for each slot. */
	if (pair == NULL) {
		struct session lost = *session;

		close_reset(lost.client);
		session_finish(&lost, END_LIMIT);
		return;
	}
	guest->session = *session;
	guest->session.edge = true;
	guest->await.fds[BACKEND].fd = guest->await.fds[CLIENT].fd = -1;
	list(w, guest);
	r = carrier_watch(&w->carrier, session->client, pair, CLIENT);
	if (r == 0) {
		carrier_queue(&w->carrier, pair);
		return;
	}
	guest->session.slot->error = (int16_t)-r;
	guest_stop(w, guest, END_ERROR);
}
