/*
 * many.c - a usher-relay that carries many connections.
 */
#include "many.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "batch.h"
#include "carrier.h"
#include "log.h"

#define CONTROL 0 /* what the carrier calls our only other descriptor */
#define BATCHES 4 /* taken at once, before what is carried gets its turn */
#define SPARE_FDS (64 + BATCH_FDS) /* for all else, and a message */
#define REST_AFTER_MS 5000 /* without a connection, when it goes */

struct many {
	struct carrier carrier; /* first: see many_of() */
	struct scoreboard *board;
	bool closed; /* nobody is left to hand us any */
	bool parting;
};

static struct many *
many_of(struct carrier *carrier)
{
	return (struct many *)carrier;
}

static void
close_item(const struct batch_item *item)
{
	const int fds[] = { item->client, item->backend, item->up_pipe[0],
		item->up_pipe[1], item->down_pipe[0], item->down_pipe[1] };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

/* Puts what was in flight where it was. */
static void
restore(
    struct pair *pair, const struct batch_item *item, struct connection *slot)
{
	const struct handover *h = &item->handover;

	pair->log = (uint8_t)h->log;
	pair->hide_client = h->hide_client;
	relay_init(&pair->relay, item->client, item->backend, slot, &h->options,
	    &h->state);
	for (int end = 0; end < 2; end++) {
		pair->relay.up.pipe[end] = item->up_pipe[end];
		pair->relay.down.pipe[end] = item->down_pipe[end];
	}
}

/*
 * From here on it is ours, unless it was taken back meanwhile, or has no room
 * here: then it stays, or goes back, where it was.
 */
static void
take(struct many *m, int32_t owner, const struct batch_item *item)
{
	struct connection *slot =
	    scoreboard_slot(m->board, item->handover.slot);
	struct pair *pair = m->parting ? NULL : carrier_new(&m->carrier);

	if (slot->start_us != item->start_us || pair == NULL ||
	    carrier_watch(&m->carrier, item->client, pair, CLIENT) < 0 ||
	    carrier_watch(&m->carrier, item->backend, pair, BACKEND) < 0 ||
	    !scoreboard_adopt(slot, -owner, getpid())) {
		if (slot->start_us == item->start_us)
			(void)scoreboard_pass(slot, -owner, owner);
		/* The worker has them open, too. */
		carrier_forget(&m->carrier, item->client);
		carrier_forget(&m->carrier, item->backend);
		close_item(item);
		if (pair != NULL)
			carrier_release(&m->carrier, pair);
		return;
	}
	restore(pair, item, slot);
	carrier_carry(&m->carrier, pair);
}

/* One message; the answer is for the worker to wake up. */
static int
take_batch(struct many *m)
{
	struct batch batch;
	int r = batch_receive(RELAY_CONTROL_FD, &batch);

	if (r == 0 || (r < 0 && r != -EAGAIN && r != -EPROTO)) {
		m->closed = true;
		carrier_forget(&m->carrier, RELAY_CONTROL_FD);
		return -EPIPE;
	}
	if (r == -EAGAIN)
		return r;
	for (size_t i = 0; i < batch.n && r > 0; i++)
		take(m, batch.owner, &batch.items[i]);
	/* Not a descriptor was left for them: they go back. */
	for (size_t i = 0; i < batch.n && r < 0; i++)
		(void)scoreboard_pass(
		    scoreboard_slot(m->board, batch.items[i].handover.slot),
		    -batch.owner, batch.owner);
	(void)send(RELAY_CONTROL_FD, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	return 0;
}

static void
other(struct carrier *carrier, uint32_t id)
{
	(void)id;
	for (int i = 0; i < BATCHES; i++)
		if (take_batch(many_of(carrier)) < 0)
			return;
}

static void
over(struct carrier *carrier, struct pair *pair)
{
	struct scoreboard *board = many_of(carrier)->board;
	struct connection *slot = pair->relay.connection;

	slot->end = pair->end;
	log_end(board, slot, (enum rules_log)pair->log, pair->hide_client);
	carrier_release(carrier, pair);
}

/* Neither can be: relays here have stayed, and there are no other pairs. */
static void
stays(struct carrier *carrier, struct pair *pair)
{
	(void)carrier;
	(void)pair;
}

static void
ready(struct carrier *carrier, struct pair *pair, bool late)
{
	(void)late;
	stays(carrier, pair);
}

static const struct carrier_owner owner = {
	.ready = ready,
	.stays = stays,
	.over = over,
	.other = other,
};

/* As many as there can be descriptors for; pipes come when there are more. */
static uint32_t
room(void)
{
	struct rlimit limit;
	rlim_t n = SCOREBOARD_SLOTS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur / 2 < n + SPARE_FDS)
		n = limit.rlim_cur < 4 * SPARE_FDS ?
		    SPARE_FDS / 2 :
		    (limit.rlim_cur - SPARE_FDS) / 2;
	return n < SCOREBOARD_SLOTS ? (uint32_t)n : SCOREBOARD_SLOTS;
}

static void
part_all(struct many *m)
{
	struct carrier *c = &m->carrier;

	m->parting = true;
	for (uint32_t i = 0; i < c->high; i++) {
		struct pair *pair = carrier_record(c, i);

		if (pair->state == PAIR_CARRIED)
			carrier_part(c, pair, END_KILLED);
	}
}

static bool
goes_on(const struct many *m)
{
	const struct carrier *c = &m->carrier;
	struct deadline rested = deadline_after(c->busy_us, REST_AFTER_MS);

	if (c->n > 0)
		return true;
	return !m->parting && !m->closed &&
	    !deadline_passed(rested, clock_us());
}

int
many_run(
    struct scoreboard *board, const volatile int *stop, void (*confine)(void))
{
	static struct many many;
	struct many *m = &many;
	int r;

	r = carrier_init(&m->carrier, &owner, room(), sizeof(struct pair));
	if (r == 0)
		r = carrier_watch_other(
		    &m->carrier, RELAY_CONTROL_FD, CONTROL, false);
	if (r < 0) {
		log_errno(LOG_ERR, "cannot carry connections", -r);
		return EXIT_FAILURE;
	}
	m->board = board;
	m->carrier.elsewhere = true; /* the worker has them for a while */
	confine();
	while (goes_on(m)) {
		struct deadline until = { DEADLINE_NEVER };

		if (m->carrier.n == 0)
			until =
			    deadline_after(m->carrier.busy_us, REST_AFTER_MS);
		carrier_turn(&m->carrier, until);
		if (*stop && !m->parting)
			part_all(m);
	}
	return EXIT_SUCCESS;
}
