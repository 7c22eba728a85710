#include "reach.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <syslog.h>

#include "deadline.h"
#include "fd.h"
#include "launch.h"
#include "line.h"
#include "log.h"
#include "origin.h"
#include "proxy.h"

/* How long a backend that failed is tried last. */
#define FAILED_FOR_US INT64_C(10000000)

_Static_assert(SCOREBOARD_BACKENDS >= RULES_BACKENDS_MAX, "too few to note");

/* FNV-1a's multiplier, to spread the bits of a seed. */
#define SPREAD UINT64_C(0x100000001b3)

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static void
swap(uint8_t *a, uint8_t *b)
{
	uint8_t c = *a;

	*a = *b;
	*b = c;
}

/* Those that failed go behind the others; both parts keep their order. */
static void
failed_last(size_t n, const bool *failed, uint8_t *order)
{
	uint8_t sorted[RULES_BACKENDS_MAX];
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (!failed[order[i]])
			sorted[k++] = order[i];
	for (size_t i = 0; i < n; i++)
		if (failed[order[i]])
			sorted[k++] = order[i];
	memcpy(order, sorted, n);
}

void
reach_order(enum balance balance, size_t n, uint64_t seed, const bool *failed,
    uint8_t *order)
{
	for (size_t i = 0; i < n; i++)
		order[i] = (uint8_t)i;
	/*
	 * For "source" the same seed must give the same order, and a backend
	 * more or less must move few clients: each backend has a rank of its
	 * own for each seed.  A random seed makes that a random order.
	 */
	if (balance != BALANCE_FIRST)
		for (size_t i = 1; i < n; i++)
			for (size_t k = i; k > 0 &&
			     mix(seed + order[k] * SPREAD) <
				 mix(seed + order[k - 1] * SPREAD);
			     k--)
				swap(&order[k], &order[k - 1]);
	failed_last(n, failed, order);
}

static uint64_t
seed_of(const struct reach *reach)
{
	const struct endpoint *client = &reach->slot->client;
	uint64_t seed = 0;

	if (reach->service->balance == BALANCE_SOURCE)
		for (size_t i = 0; i < sizeof(client->ip); i++)
			seed = (seed ^ client->ip[i]) * SPREAD;
	else if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = (uint64_t)clock_us();
	return seed;
}

/*
 * Nothing that is written here lies further ahead; who was broken into could
 * have a backend passed over for good.
 */
static bool
has_failed(const struct backends *known, size_t i, int64_t now_us)
{
	int64_t until_us = atomic_load_explicit(
	    &known->failed_until_us[i], memory_order_relaxed);

	return until_us > now_us && until_us - now_us <= FAILED_FOR_US;
}

static void
plan(struct reach *reach)
{
	const struct service *service = reach->service;
	const struct backends *known =
	    scoreboard_backends(reach->board, reach->slot->service);
	bool failed[RULES_BACKENDS_MAX];
	int64_t now_us = clock_us();

	for (size_t i = 0; i < service->n_backends; i++)
		failed[i] = has_failed(known, i, now_us);
	reach_order(service->balance, service->n_backends, seed_of(reach),
	    failed, reach->order);
}

static void
remember(const struct reach *reach, size_t i, bool failed)
{
	struct backends *known =
	    scoreboard_backends(reach->board, reach->slot->service);

	if (reach->service->n_backends > 1)
		atomic_store_explicit(&known->failed_until_us[i],
		    failed ? clock_us() + FAILED_FOR_US : 0,
		    memory_order_relaxed);
}

/* A fresh socket's buffer takes all of a header, or something is wrong. */
static int
introduce(const struct reach *reach, int backend)
{
	const struct proxy_extras extras = {
		.authority = scoreboard_name(reach->board, reach->slot),
		.alpn = reach->alpn,
	};
	uint8_t header[PROXY_WRITE_MAX];
	size_t n;
	ssize_t r;

	if (reach->service->proxy_protocol == 0)
		return 0;
	n = proxy_write(reach->service->proxy_protocol, reach->from,
	    reach->local, &extras, header);
	r = send(backend, header, n, MSG_NOSIGNAL);
	if (r < 0)
		return -errno;
	return (size_t)r == n ? 0 : -EIO;
}

/*
 * A client of a unix socket has no address that could be used; 127.0.0.1 is
 * somebody else wherever it is not here.
 */
static bool
takes_origin(const struct reach *reach, const struct addr *to)
{
	sa_family_t family = reach->from->any.sa_family;

	return reach->service->transparent &&
	    (family == AF_INET || family == AF_INET6) &&
	    (!origin_is_loopback(reach->from) || origin_is_loopback(to));
}

/* Prepares the attempt at reach->at. */
static void
aim(struct reach *reach)
{
	const struct service *service = reach->service;
	const struct addr *to = &service->backends[reach->order[reach->at]];

	reach->dial = (struct dial){
		.to = to,
		.until = deadline_after(clock_us(), service->limits.connect_ms),
		.client = reach->client,
		.from = service->bind.len != 0 ? &service->bind : NULL,
	};
	if (takes_origin(reach, to)) {
		reach->dial.from = reach->from;
		reach->dial.transparent = true;
	}
	/* After a PROXY header only. */
	if (service->proxy_protocol == 0) {
		reach->dial.first = reach->first;
		reach->dial.n_first = reach->n_first;
	}
	scoreboard_set_backend(reach->board, reach->slot, to);
}

static int
attempt(struct reach *reach, struct await *await)
{
	FD_AUTO int backend = dial_step(&reach->dial, await);
	int r;

	if (backend < 0)
		return backend;
	r = introduce(reach, backend);
	return r < 0 ? r : fd_take(&backend);
}

/* What went wrong is not the backend's fault, nor would another do better. */
static bool
is_ours(int error)
{
	return error == -EPERM || error == -EADDRNOTAVAIL;
}

/*
 * Why it may be that a connection from the client's address did not come
 * about.  It goes with the first of the errors whose lines are written.
 */
static void
explain(const struct reach *reach, const struct addr *to, int error)
{
	const struct service *service = reach->service;
	bool apart = !origin_is_loopback(to);
	bool v4 = to->any.sa_family == AF_INET;
	char buffer[512];
	struct line text = LINE(buffer);

	if (service->limits.log == LOG_NONE ||
	    !log_is_quiet(reach->board, reach->slot))
		return;
	line_text(&text, service->name);
	if (error == -EPERM) {
		line_text(&text, ": transparent = yes needs CAP_NET_RAW: ");
		line_text(&text, origin_right_hint);
	} else if (error == -ETIMEDOUT || error == -EHOSTUNREACH) {
		line_text(&text, ": no answer of ");
		addr_write(&text, to);
		line_text(&text,
		    " came back to the client's address; usher check says "
		    "what is missing of: ");
		origin_write_commands(&text, to,
		    ORIGIN_RULE | ORIGIN_ROUTE | (apart ? ORIGIN_MARKING : 0) |
			(apart && v4 ? ORIGIN_RP_FILTER : 0),
		    ORIGIN_TABLE_NUMBER, "all");
	} else {
		return;
	}
	log_event(LOG_WARNING, buffer);
	if (error != -EPERM)
		launch_inquire(reach->keeper);
}

/* A client's address can only be used towards one of its own family. */
static bool
is_reachable(const struct reach *reach, const struct addr *to)
{
	return !takes_origin(reach, to) || to->any.sa_family == AF_UNIX ||
	    to->any.sa_family == reach->from->any.sa_family;
}

bool
reach_needs_right(const struct rules *rules)
{
	for (size_t i = 0; i < rules->n_services; i++)
		if (rules->services[i].transparent)
			return true;
	return false;
}

static void
note(struct reach *reach)
{
	int64_t now_us = clock_us();

	reach->slot->connect_us = now_us - reach->since_us;
	atomic_store_explicit(
	    &reach->slot->active_us, now_us, memory_order_relaxed);
	reach->slot->backend_port = reach->dial.port;
}

/* Goes to the next backend that can be tried; false: there is none. */
static bool
aim_next(struct reach *reach)
{
	const struct service *service = reach->service;

	for (; reach->at < service->n_backends; reach->at++) {
		if (!is_reachable(
			reach, &service->backends[reach->order[reach->at]]))
			continue;
		aim(reach);
		return true;
	}
	return false;
}

/* What an attempt has failed of, for the log and for the next ones. */
static void
note_failure(struct reach *reach, int error)
{
	const struct addr *to = reach->dial.to;

	if (takes_origin(reach, to) && !reach->explained) {
		explain(reach, to, error);
		reach->explained = true;
	}
	if (!is_ours(error))
		remember(reach, reach->order[reach->at], true);
}

int
reach_step(struct reach *reach, struct await *await)
{
	int backend = -EAFNOSUPPORT;

	if (reach->since_us == 0) {
		reach->since_us = clock_us();
		if (reach->service->n_backends > 1)
			plan(reach);
		if (!aim_next(reach))
			return backend;
	} else {
		reach->n_first = 0;
	}
	for (;;) {
		backend = attempt(reach, await);
		if (backend == -EINPROGRESS || backend == -ECANCELED)
			return backend;
		if (backend >= 0)
			break;
		note_failure(reach, backend);
		reach->at++;
		if (!aim_next(reach))
			return backend;
	}
	remember(reach, reach->order[reach->at], false);
	note(reach);
	return backend;
}

void
reach_abandon(struct reach *reach)
{
	if (reach->since_us != 0)
		dial_abandon(&reach->dial);
}
