/*
 * relay_run.c - a relay that has a process of its own.
 */
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "relay.h"
#include "waits.h"

#define ROUNDS 16 /* without a wait, before signals are let in */
#define BURST 16 /* steps in bulk, without a wait or a look at the clock */

PUMP_MEMORY(relay_held_up, PUMP_BUFFER);
PUMP_MEMORY(relay_held_down, PUMP_BUFFER);

void
relay_init_alone(struct relay *relay, int client, int backend,
    struct connection *connection, const struct relay_options *options,
    const struct relay_state *state)
{
	relay_init(relay, client, backend, connection, options, state);
	relay->up.held = PUMP_PLACE(relay_held_up);
	relay->down.held = PUMP_PLACE(relay_held_down);
	relay->up.held_own = relay->down.held_own = false;
}

/* Gives back the buffer that the pumps share; returns when to come again. */
static struct deadline
rest_scratch(const struct relay *relay, int64_t now_us)
{
	struct deadline all = deadline_after(relay->active_us, REST_MS);

	if (!pump_scratch_dirty())
		return (struct deadline){ DEADLINE_NEVER };
	if (!deadline_passed(all, now_us))
		return all;
	pump_scratch_rest();
	return (struct deadline){ DEADLINE_NEVER };
}

/*
 * A socket of which nothing is wanted is still watched for errors, unless it
 * is hung: POLLHUP stays, and would turn every wait into a spin.
 */
static struct pollfd
watch(const struct relay *relay, int side)
{
	struct pollfd poll = {
		.fd = side == CLIENT ? relay->up.from : relay->down.from,
		.events = relay_wants(relay, side),
	};

	/* So that an end which is there already goes on with the bytes. */
	if (relay->plain[side] && poll.events & POLLIN)
		poll.events |= POLLRDHUP | POLLPRI;

	if (poll.events == 0 && relay->hung[side])
		poll.fd = -1;
	return poll;
}

/* Sleeps until a socket is ready, the deadline passes or a signal comes. */
static void
wait_for(struct relay *relay, struct deadline until, const sigset_t *mask)
{
	struct pollfd polls[SIDES] = {
		watch(relay, CLIENT),
		watch(relay, BACKEND),
	};

	if (wait_briefly(polls, SIDES, until, mask) <= 0)
		polls[CLIENT].revents = polls[BACKEND].revents = 0;
	for (int side = 0; side < SIDES; side++)
		relay->ready[side] = polls[side].revents;
	relay->up.promised = polls[CLIENT].revents & POLLIN;
	relay->down.promised = polls[BACKEND].revents & POLLIN;
}

/* ppoll() that finds a socket ready leaves a signal pending. */
static void
let_signals_in(const sigset_t *mask)
{
	static const struct timespec none;

	(void)ppoll(NULL, 0, &none, mask);
}

/* While a pipe full was written, the next has come: no need to ask. */
static bool
is_rich(const struct pump *pump)
{
	return pump->pipe[0] >= 0 && !pump->dry;
}

/* One step, or in bulk as many as find something to do. */
static enum end
work(struct relay *relay, int64_t now_us)
{
	enum end end = relay_step(relay, now_us);

	for (int i = 1; i < BURST && end == END_NONE; i++) {
		if (!is_rich(&relay->up) && !is_rich(&relay->down))
			break;
		if (!relay_can_step(relay))
			break;
		end = relay_step(relay, now_us);
	}
	return end;
}

enum end
relay_run(struct relay *relay, const volatile int *stop)
{
	int64_t now = clock_us();
	struct deadline until;
	sigset_t mask;
	enum end end;

	/* As it is, but for SIGTERM: see signals_take(). */
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigaddset(&mask, SIGHUP);
	for (unsigned round = 1;; round++) {
		if (*stop)
			return relay->connection->evict ? END_LIMIT :
							  END_KILLED;
		end = relay_over(relay, now);
		if (end != END_NONE)
			return end;
		if (relay_stays(relay, now))
			return RELAY_STAYS;
		until = deadline_first(
		    rest_scratch(relay, now), relay_due(relay, now));
		if (round % ROUNDS == 0)
			let_signals_in(&mask);
		/* What was peeked at is there: nobody need be asked. */
		if (round > 1 || !relay_can_step(relay))
			wait_for(relay, until, &mask);
		now = clock_us();
		end = work(relay, now);
		if (end != END_NONE)
			return end;
	}
}
