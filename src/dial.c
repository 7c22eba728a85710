#include "dial.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "fd.h"
#include "waits.h"

/* After idle, this many probes spread over half of keepalive again. */
#define KEEPALIVE_PROBES 3

/* A unix socket whose backlog is full cannot be waited for, only retried. */
#define BUSY_RETRY_MS 20

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static int
set_int(int socket, int level, int name, int value)
{
	if (setsockopt(socket, level, name, &value, sizeof(value)) < 0)
		return -errno;
	return 0;
}

int
dial_keepalive(int socket, int64_t keepalive_ms)
{
	int64_t seconds = keepalive_ms / 1000;
	int idle, interval, r;

	if (keepalive_ms == RULES_OFF)
		return set_int(socket, SOL_SOCKET, SO_KEEPALIVE, 0);
	if (seconds > 32767)
		seconds = 32767; /* the kernel's limit */
	idle = seconds < 1 ? 1 : (int)seconds;
	interval = idle / (2 * KEEPALIVE_PROBES);
	if (interval < 1)
		interval = 1;
	r = set_int(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (r == 0)
		r = set_int(socket, IPPROTO_TCP, TCP_KEEPIDLE, idle);
	if (r == 0)
		r = set_int(socket, IPPROTO_TCP, TCP_KEEPINTVL, interval);
	if (r == 0)
		r = set_int(socket, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	return r;
}

static int
bind_source(int backend, const struct dial *how)
{
	struct addr from;
	int r = 0;

	if (how->from == NULL)
		return 0;
	from = *how->from;
	if (how->transparent)
		r = from.any.sa_family == AF_INET6 ?
		    set_int(backend, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) :
		    set_int(backend, IPPROTO_IP, IP_TRANSPARENT, 1);
	if (r < 0)
		return r;
	/* The port is chosen at connect, when the whole 4-tuple is known. */
	r = set_int(backend, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (r < 0)
		return r;
	if (from.any.sa_family == AF_INET6)
		from.v6.sin6_port = 0;
	else
		from.v4.sin_port = 0;
	return bind(backend, &from.any, from.len) < 0 ? -errno : 0;
}

/* How the connect ended: 0 or -errno. */
static int
outcome(int backend)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(backend, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

static int
wait_connected(int backend, const struct dial *how, struct deadline until)
{
	struct pollfd p[2] = {
		{ .fd = backend, .events = POLLOUT },
		{ .fd = how->client, .events = 0 },
	};

	for (;;) {
		int r = wait_poll(p, 2, until, how->stop);

		if (r < 0)
			return r;
		if (r == 0)
			return -ETIMEDOUT;
		if (p[0].revents != 0)
			return outcome(backend);
		/* POLLHUP alone: finished both ways, yet it may be owed. */
		if (p[1].revents & POLLERR)
			return -ECANCELED;
		p[1].fd = -1;
	}
}

static int
attempt(int backend, const struct addr *to, const struct dial *how,
    struct deadline until)
{
	for (;;) {
		int r;

		if (connect(backend, &to->any, to->len) == 0)
			return 0;
		if (errno == EINPROGRESS || errno == EINTR)
			return wait_connected(backend, how, until);
		if (errno != EAGAIN || to->any.sa_family != AF_UNIX)
			return -errno;
		r = wait_poll(NULL, 0,
		    deadline_first(
			until, deadline_after(clock_us(), BUSY_RETRY_MS)),
		    how->stop);
		if (r < 0)
			return r;
		if (deadline_passed(until, clock_us()))
			return -ETIMEDOUT;
	}
}

static bool
name_of(int (*ask)(int, struct sockaddr *, socklen_t *), int socket,
    struct addr *ret)
{
	ret->len = sizeof(struct sockaddr_un);
	return ask(socket, &ret->any, &ret->len) == 0;
}

/*
 * Where nobody listens on a port that the kernel also hands out, it may hand
 * it to us, and TCP lets a socket connect to itself: a client would hear its
 * own echo, and the backend could not have its port back.
 */
static bool
is_connected_to_itself(int backend, const struct addr *to)
{
	struct addr local, peer;

	return name_of(getsockname, backend, &local) &&
	    addr_port(&local) == addr_port(to) &&
	    name_of(getpeername, backend, &peer) && addr_equal(&local, &peer);
}

/* With a reset, so that the port is free at once. */
static int
disconnect(int backend)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	(void)connect(backend, &nobody, sizeof(nobody));
	return -ECONNREFUSED;
}

int
dial(const struct addr *to, const struct dial *how, struct deadline until)
{
	FD_AUTO int backend = socket(
	    to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool tcp = to->any.sa_family != AF_UNIX;
	int r;

	if (backend < 0)
		return -errno;
	r = tcp ? bind_source(backend, how) : 0;
	if (r == 0)
		r = attempt(backend, to, how, until);
	if (r == 0 && tcp && is_connected_to_itself(backend, to))
		r = disconnect(backend);
	if (r == 0 && tcp)
		r = set_int(backend, IPPROTO_TCP, TCP_NODELAY, 1);
	if (r == 0 && tcp)
		r = fd_set_urgent_inline(backend, 1);
	return r < 0 ? r : fd_take(&backend);
}
