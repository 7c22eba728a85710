/*
 * relay.c - moves bytes between two sockets until both are done.
 */
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "acks.h"

#define RETRY_MS 100 /* before an exec that could not be is tried again */

#define READABLE (POLLIN | POLLRDHUP | POLLHUP | POLLERR)
#define WRITABLE (POLLOUT | POLLHUP | POLLERR)

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

	*relay = (struct relay){
		.connection = connection,
		.options = *options,
		.first = END_NONE,
	};
	pump_init(&relay->up, client, backend, &connection->bytes_in, NULL);
	pump_init(&relay->down, backend, client, &connection->bytes_out, NULL);
	if (state != NULL) {
		restore(relay, state);
		active = atomic_load_explicit(
		    &connection->active_us, memory_order_relaxed);
	}
	relay->active_us = active > 0 && active < now ? active : now;
	relay->asked_us = relay->active_us - 1; /* nobody has looked since */
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

void
relay_settle(struct relay *relay, int64_t now_us, int64_t ms)
{
	relay->settle_us = deadline_after(now_us, ms).at_us;
}

bool
relay_stays(struct relay *relay, int64_t now_us)
{
	bool bulk = pump_in_bulk(&relay->up) || pump_in_bulk(&relay->down);

	if (relay->options.stays_after_ms < 0 || now_us < relay->settle_us)
		return false;
	if (!bulk && !deadline_passed(stays_at(relay), now_us))
		return false;
	if (pump_settle(&relay->up) == 0 && pump_settle(&relay->down) == 0)
		return true;
	relay_settle(relay, now_us, RETRY_MS);
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

/* When to ask whether peers are there: not again while all is quiet. */
static struct deadline
ask_at(const struct relay *relay)
{
	bool owed = relay->owes[CLIENT] || relay->owes[BACKEND];

	if (relay->options.dead_after_ms == 0 ||
	    (!owed && relay->active_us <= relay->asked_us))
		return (struct deadline){ DEADLINE_NEVER };
	return deadline_after(relay->asked_us, relay->options.dead_after_ms);
}

struct deadline
relay_due(struct relay *relay, int64_t now_us)
{
	struct deadline at;
	enum end unused;

	at = deadline_first(
	    rest_pump(&relay->up, now_us), rest_pump(&relay->down, now_us));
	at = deadline_first(at, limit(relay, &unused));
	at = deadline_first(at, ask_at(relay));
	return deadline_first(at, stays_at(relay));
}

/* The pump that reads from this side, and the one that writes to it. */
static struct pump *
pump_from(struct relay *relay, int side)
{
	return side == CLIENT ? &relay->up : &relay->down;
}

short
relay_wants(const struct relay *relay, int side)
{
	const struct pump *in = side == CLIENT ? &relay->up : &relay->down;
	const struct pump *out = side == CLIENT ? &relay->down : &relay->up;
	short events = 0;

	if (pump_reads(in))
		events |= POLLIN;
	if (pump_blocked(out))
		events |= POLLOUT;
	return events;
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

/* Whether a read that is not full has taken all there is. */
static bool
is_plain(const struct relay *relay, int side)
{
	return relay->plain[side] && !(relay->ready[side] & POLLPRI);
}

/*
 * FIN has come, and no RST: what is left to read is all there will be.  When
 * ours is on its way, too, that is POLLHUP.
 */
static bool
has_ended(const struct relay *relay, int side)
{
	const struct pump *out = side == CLIENT ? &relay->down : &relay->up;
	short unexpected = POLLERR | (out->done ? 0 : POLLHUP);

	return is_plain(relay, side) && relay->ready[side] & POLLRDHUP &&
	    !(relay->ready[side] & unexpected);
}

/*
 * Forgets what a pump has found to be no more so.  What has ended or failed
 * stays readable until that has been read, too.
 */
static void
use_up(struct relay *relay, const struct pump *pump, int source, bool read,
    enum pump_result result)
{
	if (pump_blocked(pump))
		relay->ready[CLIENT + BACKEND - source] &= ~POLLOUT;
	if (!read || !pump->dry)
		return;
	if (result == PUMP_WAITS)
		relay->ready[source] &= ~READABLE;
	else if (is_plain(relay, source))
		relay->ready[source] &= ~POLLIN;
}

static bool
can_run(const struct relay *relay, const struct pump *pump)
{
	int source = pump == &relay->up ? CLIENT : BACKEND;

	if (pump_blocked(pump))
		return relay->ready[CLIENT + BACKEND - source] & WRITABLE;
	return pump_reads(pump) && relay->ready[source] & READABLE;
}

/* Runs a pump if what it waits for is there. */
static enum end
run_pump(struct relay *relay, struct pump *pump, int64_t now_us)
{
	int source = pump == &relay->up ? CLIENT : BACKEND;
	bool read = pump_reads(pump);
	enum pump_result result;

	if (!can_run(relay, pump))
		return END_NONE;
	pump->ending = has_ended(relay, source);
	pump->last = pump == &relay->up ? relay->down.done : relay->up.done;
	result = pump_run(pump);
	use_up(relay, pump, source, read, result);
	switch (result) {
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

/* Whether a socket of which nothing is wanted says something new. */
static bool
speaks(const struct relay *relay, int side)
{
	return !relay->hung[side] && relay_wants(relay, side) == 0 &&
	    relay->ready[side] & (POLLHUP | POLLERR);
}

/*
 * POLLHUP or POLLERR of a socket of which nothing was wanted: a reset, or
 * both sides have finished and the pump that reads it is waiting to write.
 */
static enum end
look_at(struct relay *relay, int side)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (!speaks(relay, side))
		return END_NONE;
	if (getsockopt(pump_from(relay, side)->from, SOL_SOCKET, SO_ERROR,
		&error, &size) < 0)
		error = errno;
	relay->hung[side] = true;
	return error == 0 ? END_NONE : failure(relay, side, error);
}

void
relay_notice(struct relay *relay, int side, short events)
{
	relay->ready[side] |= events;
	if (events & POLLIN)
		pump_from(relay, side)->promised = true;
	if (events & (POLLHUP | POLLERR))
		relay->hung[side] = false;
}

bool
relay_can_step(const struct relay *relay)
{
	return can_run(relay, &relay->up) || can_run(relay, &relay->down) ||
	    speaks(relay, CLIENT) || speaks(relay, BACKEND);
}

/* The end if both directions have come to theirs. */
static enum end
done(const struct relay *relay)
{
	return relay->up.done && relay->down.done ? relay->first : END_NONE;
}

enum end
relay_step(struct relay *relay, int64_t now_us)
{
	enum end end;

	end = look_at(relay, CLIENT);
	if (end == END_NONE)
		end = look_at(relay, BACKEND);
	if (end == END_NONE)
		end = run_pump(relay, &relay->up, now_us);
	if (end == END_NONE)
		end = run_pump(relay, &relay->down, now_us);
	if (relay->first == END_NONE && relay->up.eof)
		relay->first = END_CLIENT_CLOSED;
	if (relay->first == END_NONE && relay->down.eof)
		relay->first = END_BACKEND_CLOSED;
	if (relay->active_us == now_us)
		atomic_store_explicit(&relay->connection->active_us, now_us,
		    memory_order_relaxed);
	return end == END_NONE ? done(relay) : end;
}

/*
 * The end if a peer is gone that bytes wait for.  After hours of silence the
 * last acknowledgement is old from the first moment: so it takes two looks.
 */
static enum end
ask(struct relay *relay, int64_t now_us)
{
	const int64_t ms = relay->options.dead_after_ms;

	relay->asked_us = now_us;
	for (int side = 0; side < SIDES; side++) {
		enum acks acks = acks_of(pump_from(relay, side)->from, ms);

		if (acks == ACKS_OVERDUE && relay->owes[side])
			return failure(relay, side, ETIMEDOUT);
		relay->owes[side] = acks != ACKS_ALL;
	}
	return END_NONE;
}

enum end
relay_over(struct relay *relay, int64_t now_us)
{
	enum end end = done(relay);

	if (end != END_NONE)
		return end;
	if (deadline_passed(limit(relay, &end), now_us))
		return end;
	if (deadline_passed(ask_at(relay), now_us))
		return ask(relay, now_us);
	return END_NONE;
}
