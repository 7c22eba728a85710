#include "dial.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "fd.h"

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

int64_t
dial_dead_after_ms(int64_t keepalive_ms)
{
	if (keepalive_ms == RULES_OFF)
		return 0;
	if (keepalive_ms < 1000)
		keepalive_ms = 1000; /* as above */
	return keepalive_ms + keepalive_ms / 2;
}

static int
bind_source(const struct dial *dial)
{
	struct addr from;
	int r = 0;

	if (dial->from == NULL)
		return 0;
	from = *dial->from;
	if (dial->transparent)
		r = from.any.sa_family == AF_INET6 ?
		    set_int(dial->backend, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) :
		    set_int(dial->backend, IPPROTO_IP, IP_TRANSPARENT, 1);
	if (r < 0)
		return r;
	/* The port is chosen at connect, when the whole 4-tuple is known. */
	r = set_int(dial->backend, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (r < 0)
		return r;
	if (from.any.sa_family == AF_INET6)
		from.v6.sin6_port = 0;
	else
		from.v4.sin_port = 0;
	return bind(dial->backend, &from.any, from.len) < 0 ? -errno : 0;
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

/* Waits for the socket, and for a client that goes away. */
static int
wait_connected(const struct dial *dial, struct await *await)
{
	await->fds[AWAIT_CLIENT] = (struct pollfd){ .fd = dial->client };
	await->fds[AWAIT_BACKEND] =
	    (struct pollfd){ .fd = dial->backend, .events = POLLOUT };
	await->until = dial->until;
	return -EINPROGRESS;
}

static int
wait_for_room(const struct dial *dial, struct await *await)
{
	await->fds[AWAIT_CLIENT].fd = -1;
	await->fds[AWAIT_BACKEND].fd = -1;
	await->until = deadline_first(
	    dial->until, deadline_after(clock_us(), BUSY_RETRY_MS));
	return -EINPROGRESS;
}

static bool
name_of(int (*ask)(int, struct sockaddr *, socklen_t *), int socket,
    struct addr *ret)
{
	ret->len = sizeof(struct sockaddr_un);
	return ask(socket, &ret->any, &ret->len) == 0;
}

static int
try_connect(struct dial *dial, struct await *await)
{
	const struct addr *to = dial->to;
	struct addr peer;

	if (connect(dial->backend, &to->any, to->len) == 0)
		return 0;
	if (errno == EINPROGRESS || errno == EINTR) {
		dial->connecting = true;
		/* On one machine it is done by now: asking is half a wait. */
		if (dial->n_first > 0)
			return 0; /* greet() will see */
		return name_of(getpeername, dial->backend, &peer) ?
		    0 :
		    wait_connected(dial, await);
	}
	if (errno != EAGAIN || to->any.sa_family != AF_UNIX)
		return -errno;
	return wait_for_room(dial, await);
}

static int
begin(struct dial *dial, struct await *await)
{
	int r;

	dial->begun = true;
	dial->backend = socket(dial->to->any.sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (dial->backend < 0)
		return -errno;
	r = dial->to->any.sa_family == AF_UNIX ? 0 : bind_source(dial);
	return r < 0 ? r : try_connect(dial, await);
}

/* What came of the wait. */
static int
go_on(struct dial *dial, struct await *await)
{
	if (!dial->connecting) {
		if (deadline_passed(dial->until, clock_us()))
			return -ETIMEDOUT;
		return try_connect(dial, await);
	}
	if (await->fds[AWAIT_BACKEND].revents & (POLLERR | POLLHUP))
		return outcome(dial->backend);
	if (await->fds[AWAIT_BACKEND].revents != 0)
		return 0;
	if (await->late)
		return -ETIMEDOUT;
	if (await->fds[AWAIT_CLIENT].revents & POLLERR)
		return -ECANCELED;
	/* POLLHUP alone: finished both ways, yet it may be owed. */
	if (await->fds[AWAIT_CLIENT].revents != 0)
		await->fds[AWAIT_CLIENT].fd = -1;
	return -EINPROGRESS;
}

/*
 * Where nobody listens on a port that the kernel also hands out, it may hand
 * it to us, and TCP lets a socket connect to itself: a client would hear its
 * own echo, and the backend could not have its port back.
 */
static bool
is_connected_to_itself(struct dial *dial)
{
	struct addr local, peer;

	if (!name_of(getsockname, dial->backend, &local))
		return false;
	dial->port = addr_port(&local);
	return dial->port == addr_port(dial->to) &&
	    name_of(getpeername, dial->backend, &peer) &&
	    addr_equal(&local, &peer);
}

/* With a reset, so that the port is free at once. */
static int
disconnect(int backend)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	(void)connect(backend, &nobody, sizeof(nobody));
	return -ECONNREFUSED;
}

/*
 * Sends the first bytes, which also tells whether it is connected yet: after
 * a wait they are not there any more.
 */
static int
greet(struct dial *dial, struct await *await)
{
	ssize_t n = send(dial->backend, dial->first, dial->n_first,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	dial->n_first = 0;
	if (n >= 0) {
		dial->sent = (size_t)n;
		return 0;
	}
	if (errno == EAGAIN || errno == EINTR)
		return wait_connected(dial, await);
	/* It was connected: what has become of that is no matter of ours. */
	if (errno == EPIPE || errno == ECONNRESET)
		return 0;
	return -errno;
}

/* It is connected, or is if greet() says so. */
static int
finish(struct dial *dial, struct await *await)
{
	bool tcp = dial->to->any.sa_family != AF_UNIX;
	int r = 0;

	if (tcp && is_connected_to_itself(dial))
		r = disconnect(dial->backend);
	if (r == 0)
		r = fd_set_urgent_inline(dial->backend, 1);
	if (r == 0 && dial->n_first > 0)
		r = greet(dial, await);
	if (r == 0 && tcp && dial->sent == 0)
		r = fd_set_undelayed(dial->backend);
	return r;
}

int
dial_step(struct dial *dial, struct await *await)
{
	int r = dial->begun ? go_on(dial, await) : begin(dial, await);

	if (r == 0)
		r = finish(dial, await);
	if (r == -EINPROGRESS)
		return r;
	if (r == 0)
		return fd_take(&dial->backend);
	dial_abandon(dial);
	return r;
}

void
dial_abandon(struct dial *dial)
{
	if (dial->begun)
		fd_close_auto(&dial->backend);
	dial->backend = -1;
}
