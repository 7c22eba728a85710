/*
 * relay.c - moves bytes between two sockets until both are done.
 */
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include "deadline.h"

#define REST_MS 1000 /* quiet for this long: give memory and pipes back */
#define RETRY_MS 100 /* before an exec that could not be is tried again */
#define ROUNDS 64 /* without a wait, before signals are let in */

enum { CLIENT, BACKEND, SIDES };

PUMP_MEMORY(relay_held_up);
PUMP_MEMORY(relay_held_down);

static void
restore(struct relay *relay, const struct relay_state *state)
{
	relay->up.eof = state->up_eof;
	relay->up.done = state->up_done;
	relay->up.piped = state->up_held;
	relay->down.eof = state->down_eof;
	relay->down.done = state->down_done;
	relay->down.piped = state->down_held;
	if (state->up_eof && !state->backend_first)
		relay->first = END_CLIENT_CLOSED;
	else if (state->down_eof)
		relay->first = END_BACKEND_CLOSED;
}

void
relay_init(struct relay *relay, int client, int backend,
    struct connection *connection, const struct relay_options *options,
    const struct relay_state *state)
{
	int64_t now = clock_us(), active = 0;

	(void)signal(SIGPIPE, SIG_IGN);
	*relay = (struct relay){
		.connection = connection,
		.options = *options,
		.first = END_NONE,
	};
	pump_init(&relay->up, client, backend, &connection->bytes_in,
	    PUMP_PLACE(relay_held_up));
	pump_init(&relay->down, backend, client, &connection->bytes_out,
	    relay_held_down);
	if (state != NULL) {
		restore(relay, state);
		active = atomic_load_explicit(
		    &connection->active_us, memory_order_relaxed);
	}
	relay->active_us = active > 0 && active < now ? active : now;
	relay->up.active_us = relay->down.active_us = relay->active_us;
	atomic_store_explicit(
	    &connection->active_us, relay->active_us, memory_order_relaxed);
}

void
relay_save(const struct relay *relay, struct relay_state *ret)
{
	*ret = (struct relay_state){
		.up_eof = relay->up.eof,
		.up_done = relay->up.done,
		.down_eof = relay->down.eof,
		.down_done = relay->down.done,
		.backend_first = relay->first == END_BACKEND_CLOSED,
		.up_held = relay->up.piped,
		.down_held = relay->down.piped,
	};
}

/* The limit that holds now, and in *ret_end what it is called. */
static struct deadline
limit(const struct relay *relay, enum end *ret_end)
{
	bool half =
	    relay->first != END_NONE && relay->options.half_close_ms >= 0;

	*ret_end = half ? END_HALF_CLOSE_TIMEOUT : END_IDLE;
	return deadline_after(relay->active_us,
	    half ? relay->options.half_close_ms : relay->options.idle_ms);
}

/* When a quiet connection shows that it stays. */
static struct deadline
stays_at(const struct relay *relay)
{
	struct deadline at;

	at = deadline_after(relay->active_us, relay->options.stays_after_ms);
	if (at.at_us < relay->settle_us)
		at.at_us = relay->settle_us;
	return at;
}

/*
 * Whether the connection is to go on in usher-relay now.  If its bytes in
 * flight cannot be put into a pipe, it is not.
 */
static bool
stays(struct relay *relay, int64_t now_us)
{
	bool bulk = pump_in_bulk(&relay->up) || pump_in_bulk(&relay->down);

	if (relay->options.stays_after_ms < 0 || now_us < relay->settle_us)
		return false;
	if (!bulk && !deadline_passed(stays_at(relay), now_us))
		return false;
	if (pump_settle(&relay->up) == 0 && pump_settle(&relay->down) == 0)
		return true;
	relay->settle_us = deadline_after(now_us, RETRY_MS).at_us;
	return false;
}

/* Gives back what a pump that has been quiet does not need. */
static struct deadline
rest_pump(struct pump *pump, int64_t now_us)
{
	struct deadline at = deadline_after(pump->active_us, REST_MS);

	if (!pump_restless(pump))
		return (struct deadline){ DEADLINE_NEVER };
	if (!deadline_passed(at, now_us))
		return at;
	pump_rest(pump);
	return (struct deadline){ DEADLINE_NEVER };
}

/* The same for all there is; returns when to come again. */
static struct deadline
rest(struct relay *relay, int64_t now_us)
{
	struct deadline at, all = deadline_after(relay->active_us, REST_MS);

	at = deadline_first(
	    rest_pump(&relay->up, now_us), rest_pump(&relay->down, now_us));
	if (!pump_scratch_dirty())
		return at;
	if (!deadline_passed(all, now_us))
		return deadline_first(at, all);
	pump_scratch_rest();
	return at;
}

/*
 * A socket of which nothing is wanted is still watched for errors, unless it
 * is hung: POLLHUP stays, and would turn every wait into a spin.
 */
static struct pollfd
watch(int socket, const struct pump *in, const struct pump *out, bool hung)
{
	struct pollfd poll = { .fd = socket };

	if (pump_reads(in))
		poll.events |= POLLIN;
	if (pump_blocked(out))
		poll.events |= POLLOUT;
	if (poll.events == 0 && hung)
		poll.fd = -1;
	return poll;
}

/* Sleeps until a socket is ready, the deadline passes or a signal comes. */
static void
wait_for(const struct relay *relay, struct pollfd *polls, struct deadline until,
    int64_t now_us, const sigset_t *mask)
{
	int ms = deadline_left(until, now_us);
	struct timespec left = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};

	polls[CLIENT] =
	    watch(relay->up.from, &relay->up, &relay->down, relay->client_hung);
	polls[BACKEND] = watch(
	    relay->down.from, &relay->down, &relay->up, relay->backend_hung);
	if (ppoll(polls, SIDES, ms < 0 ? NULL : &left, mask) <= 0)
		polls[CLIENT].revents = polls[BACKEND].revents = 0;
}

/* ppoll() that finds a socket ready leaves a signal pending. */
static void
let_signals_in(const sigset_t *mask)
{
	static const struct timespec none;

	(void)ppoll(NULL, 0, &none, mask);
}

/*
 * The end when a side resets.  If it had finished before, that was the end:
 * the RST is only its kernel's answer to bytes that still came.
 */
static enum end
reset(const struct relay *relay, int side)
{
	if (side == CLIENT)
		return relay->up.eof ? END_CLIENT_CLOSED : END_CLIENT_RESET;
	return relay->down.eof ? END_BACKEND_CLOSED : END_BACKEND_RESET;
}

/* The end that an error of a socket of this side brings. */
static enum end
failure(struct relay *relay, int side, int error)
{
	relay->reset = true;
	switch (error) {
	case ECONNRESET:
	case EPIPE:
	case ENOTCONN:
	case ECONNABORTED:
	case ETIMEDOUT:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENETRESET:
	case ENETUNREACH:
		return reset(relay, side);
	default:
		relay->connection->error = (int16_t)error;
		return END_ERROR;
	}
}

/* Runs a pump if poll() found what it waits for. */
static enum end
run_pump(struct relay *relay, struct pump *pump, const struct pollfd *from,
    const struct pollfd *to, int64_t now_us)
{
	int source = pump == &relay->up ? CLIENT : BACKEND;
	bool readable = from->revents & ~POLLOUT;
	bool writable = to->revents & ~POLLIN;

	if (!(pump_reads(pump) && readable) &&
	    !(pump_blocked(pump) && writable))
		return END_NONE;
	switch (pump_run(pump)) {
	case PUMP_FROM_FAILED:
		return failure(relay, source, pump->error);
	case PUMP_TO_FAILED:
		return failure(relay, CLIENT + BACKEND - source, pump->error);
	case PUMP_MOVED:
		pump->active_us = relay->active_us = now_us;
		return END_NONE;
	default:
		return END_NONE;
	}
}

/*
 * POLLHUP or POLLERR of a socket of which nothing was wanted: a reset, or
 * both sides have finished and the pump that reads it is waiting to write.
 */
static enum end
look_at(struct relay *relay, int side, const struct pollfd *poll, bool *hung)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (poll->events != 0 || poll->revents == 0)
		return END_NONE;
	if (getsockopt(poll->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	*hung = true;
	return error == 0 ? END_NONE : failure(relay, side, error);
}

/* Does what poll() says can be done now. */
static enum end
serve(struct relay *relay, const struct pollfd *polls, int64_t now_us)
{
	const struct pollfd *client = &polls[CLIENT];
	const struct pollfd *backend = &polls[BACKEND];
	enum end end;

	end = look_at(relay, CLIENT, client, &relay->client_hung);
	if (end == END_NONE)
		end = look_at(relay, BACKEND, backend, &relay->backend_hung);
	if (end == END_NONE)
		end = run_pump(relay, &relay->up, client, backend, now_us);
	if (end == END_NONE)
		end = run_pump(relay, &relay->down, backend, client, now_us);
	if (relay->first == END_NONE && relay->up.eof)
		relay->first = END_CLIENT_CLOSED;
	if (relay->first == END_NONE && relay->down.eof)
		relay->first = END_BACKEND_CLOSED;
	if (relay->active_us == now_us)
		atomic_store_explicit(&relay->connection->active_us, now_us,
		    memory_order_relaxed);
	return end;
}

/* The end if it has come, by itself or by a limit. */
static enum end
over(const struct relay *relay, const volatile int *stop, int64_t now_us)
{
	enum end end;

	if (*stop)
		return relay->connection->evict ? END_LIMIT : END_KILLED;
	if (relay->up.done && relay->down.done)
		return relay->first;
	return deadline_passed(limit(relay, &end), now_us) ? end : END_NONE;
}

enum end
relay_run(struct relay *relay, const volatile int *stop)
{
	struct pollfd polls[SIDES];
	struct deadline until;
	int64_t now = clock_us();
	enum end end, unused;
	sigset_t mask;

	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	(void)sigdelset(&mask, SIGTERM);
	for (unsigned round = 1;; round++) {
		end = over(relay, stop, now);
		if (end != END_NONE)
			return end;
		if (stays(relay, now))
			return RELAY_STAYS;
		until = deadline_first(rest(relay, now), limit(relay, &unused));
		until = deadline_first(until, stays_at(relay));
		if (round % ROUNDS == 0)
			let_signals_in(&mask);
		wait_for(relay, polls, until, now, &mask);
		now = clock_us();
		end = serve(relay, polls, now);
		if (end != END_NONE)
			return end;
	}
}
