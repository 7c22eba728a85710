/*
 * offer.c - a worker's relay, and what was offered to it.
 */
#include "offer.h"

#include <errno.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "fd.h"
#include "handover.h"
#include "log.h"
#include "process.h"

#define ANSWER_MS 1000 /* what was offered is taken back after that */
#define UNANSWERED_MAX 8 /* messages; with more it has enough to do */
#define START_AGAIN_US 1000000 /* after one that ended soon, or failed */

void
offers_init(struct offers *o)
{
	o->control = -1;
}

static void
unlist(struct offers *o, struct offer *offer)
{
	if (offer->older != NULL)
		offer->older->newer = offer->newer;
	else
		o->oldest = offer->newer;
	if (offer->newer != NULL)
		offer->newer->older = offer->older;
	else
		o->newest = offer->older;
}

/*
 * What has become of an offer; with back, one that was not taken is to be the
 * worker's again.
 */
static void
settle(struct offers *o, struct offer *offer, bool back)
{
	struct connection *slot = offer->pair->relay.connection;
	int32_t self = getpid();
	/* It may have been taken, ended, and be another's by now. */
	bool same = slot->start_us == offer->start_us;

	if (same && back && scoreboard_pass(slot, -self, self))
		o->stalled = o->unanswered > 0;
	if (same && atomic_load(&slot->pid) == -self)
		return;
	unlist(o, offer);
	if (same && atomic_load(&slot->pid) == self)
		o->came_back(offer->pair);
	else
		o->was_taken(offer->pair);
}

static void
settle_all(struct offers *o, bool back)
{
	struct offer *next;

	for (struct offer *offer = o->oldest; offer != NULL; offer = next) {
		next = offer->newer;
		settle(o, offer, back);
	}
}

/* The relay is gone, or of no use: what it has not taken comes back. */
static void
part(struct offers *o)
{
	int64_t now_us = clock_us();

	if (o->control >= 0) {
		carrier_forget(o->carrier, o->control);
		(void)close(fd_take(&o->control));
	}
	o->not_before_us = now_us;
	if (now_us - o->started_us < START_AGAIN_US)
		o->not_before_us += START_AGAIN_US;
	o->unanswered = 0;
	settle_all(o, true);
	o->stalled = false;
}

_Noreturn static void
be_relay(const struct offers *o, int control)
{
	int r = handover_exec_many(o->generation->relay_exe, control);

	log_errno(LOG_ERR, "cannot run usher-relay", -r);
	_exit(1);
}

static int
start_relay(struct offers *o)
{
	_Atomic int32_t unused;
	int ends[2], r;
	pid_t pid = -1;

	o->started_us = clock_us();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, ends) < 0)
		return -errno;
	r = carrier_watch_other(o->carrier, ends[0], o->id, false);
	if (r == 0)
		pid = process_fork(&unused);
	if (pid == 0)
		be_relay(o, ends[1]);
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return r < 0 ? r : (int)pid;
	}
	o->control = ends[0];
	o->pid = pid;
	return 0;
}

bool
offers_welcome(const struct offers *o)
{
	return o->generation->relay_exe >= 0 && !o->stalled &&
	    o->unanswered < UNANSWERED_MAX && clock_us() >= o->not_before_us;
}

void
offers_add(struct offers *o, struct offer *offer, struct pair *pair,
    const struct handover *handover)
{
	struct connection *slot = pair->relay.connection;
	int32_t self = getpid();

	if (o->batch.n == BATCH_MAX)
		offers_send(o);
	*offer = (struct offer){
		.older = o->newest,
		.pair = pair,
		.start_us = slot->start_us,
	};
	if (o->newest != NULL)
		o->newest->newer = offer;
	else
		o->oldest = offer;
	o->newest = offer;
	(void)scoreboard_pass(slot, self, -self);
	o->batch.owner = self;
	batch_add(&o->batch, handover, slot->start_us, &pair->relay);
}

/* A relay that does not answer may take its time: nothing waits for it. */
static void
look_at_clock(struct offers *o)
{
	if (o->unanswered == 0 || o->stalled || clock_us() < o->answer_due_us)
		return;
	settle_all(o, true);
	o->stalled = true;
}

/* What lasts is tried again each second, and not logged again. */
static void
complain(struct offers *o, int error)
{
	complaints_say(&o->complaints,
	    "cannot hand over to usher-relay, trying again", -error);
}

/* What is in the batch; -EAGAIN if the relay is behind. */
static int
send_batch(struct offers *o)
{
	int r = o->control < 0 ? start_relay(o) : 0;

	if (r < 0) {
		complain(o, r);
		return r;
	}
	r = batch_send(o->control, &o->batch);
	if (r < 0 && r != -EAGAIN && r != -EPIPE && r != -ECONNRESET)
		complain(o, r);
	return r;
}

void
offers_send(struct offers *o)
{
	int r;

	look_at_clock(o);
	if (o->batch.n == 0)
		return;
	r = send_batch(o);
	o->batch.n = 0;
	if (r == 0) {
		if (o->unanswered++ == 0)
			o->answer_due_us = clock_us() + ANSWER_MS * 1000;
		return;
	}
	o->not_before_us = clock_us() + START_AGAIN_US;
	settle_all(o, true);
}

void
offers_hear(struct offers *o)
{
	char answer[8];
	ssize_t n;

	while ((n = recv(o->control, answer, sizeof(answer), MSG_DONTWAIT)) > 0)
		if (o->unanswered > 0)
			o->unanswered--;
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		part(o);
		return;
	}
	o->answer_due_us = clock_us() + ANSWER_MS * 1000;
	if (o->unanswered == 0)
		o->stalled = false;
	settle_all(o, false);
}

bool
offers_reap(struct offers *o, pid_t pid)
{
	if (pid != o->pid || pid == 0)
		return false;
	o->pid = 0;
	part(o);
	return true;
}

struct deadline
offers_due(const struct offers *o)
{
	if (o->unanswered == 0 || o->stalled)
		return (struct deadline){ DEADLINE_NEVER };
	return (struct deadline){ o->answer_due_us };
}
