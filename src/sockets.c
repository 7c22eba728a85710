/* sockets.c - the sockets that usher serve listens at; see sockets.h. */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "line.h"
#include "own.h"
#include "rules_loop.h"

#define BACKLOG 4096

/* A port that is in use may be free a moment later: how long, how often. */
#define PORT_WAIT_MS 1000
#define PORT_LOOK_MS 20

bool
sockets_have_room(size_t n)
{
	if (n < LISTENERS_MAX)
		return true;
	fprintf(
	    stderr, "usher: cannot take more than %d sockets\n", LISTENERS_MAX);
	return false;
}

static int
add_socket(struct sockets *s, int socket, const char *name)
{
	char *copy = strdup(name);
	int aside = fcntl(socket, F_DUPFD_CLOEXEC, ASIDE_FD);

	if (copy == NULL || aside < 0) {
		fprintf(stderr,
		    "usher: cannot keep a socket: %s (descriptors up to %d "
		    "are needed, see ulimit -n)\n",
		    strerror(errno), ASIDE_FD + LISTENERS_MAX);
		free(copy);
		return -1;
	}
	(void)close(socket);
	s->fds[s->n] = aside;
	s->names[s->n++] = copy;
	return 0;
}

/* Those that systemd, or whoever speaks its protocol, has for us. */
static int
take_passed(struct sockets *s)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	if (n < 0) {
		fprintf(stderr, "usher: bad LISTEN_FDS: %s\n", strerror(-n));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		int socket = SD_LISTEN_FDS_START + i;

		if (sd_is_socket(socket, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
			fprintf(stderr,
			    "usher: descriptor %d (%s) is not a "
			    "listening stream socket: give usher.socket "
			    "ListenStream= and Accept=no\n",
			    socket, names[i]);
			return -1;
		}
		if (!sockets_have_room(s->n) ||
		    fd_set_nonblock(socket, 1) < 0 ||
		    add_socket(s, socket, names[i]) < 0)
			return -1;
		free(names[i]);
	}
	free(names);
	s->passed = n > 0;
	return 0;
}

/*
 * 0 or -1 with errno.  The usherd before may be gone and one of its workers
 * about to let go of the port.
 */
static int
bind_soon(int fd, const struct addr *addr)
{
	struct deadline until = deadline_after(clock_us(), PORT_WAIT_MS);

	while (bind(fd, &addr->any, addr->len) < 0) {
		if (errno != EADDRINUSE || addr->any.sa_family == AF_UNIX ||
		    deadline_passed(until, clock_us()))
			return -1;
		(void)poll(NULL, 0, PORT_LOOK_MS);
	}
	return listen(fd, BACKLOG);
}

static int
bind_to(struct sockets *s, const struct addr *addr)
{
	struct addr bound = { .len = sizeof(struct sockaddr_un) };
	char buffer[ADDR_TEXT_MAX];
	struct line text = LINE(buffer);
	int on = 1;
	int socket_fd = socket(
	    addr->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (!sockets_have_room(s->n))
		return -1;
	addr_write(&text, addr);
	if (socket_fd < 0 ||
	    (addr->any.sa_family != AF_UNIX &&
		setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on,
		    sizeof(on)) < 0) ||
	    (addr->any.sa_family == AF_INET6 &&
		setsockopt(socket_fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on)) < 0) ||
	    bind_soon(socket_fd, addr) < 0) {
		fprintf(stderr, "usher: cannot listen on %s: %s\n", buffer,
		    strerror(errno));
		return -1;
	}
	/* With port 0 it is only known now. */
	text = LINE(buffer);
	if (getsockname(socket_fd, &bound.any, &bound.len) == 0)
		addr_write(&text, &bound);
	fprintf(stderr, "listening on %s\n", buffer);
	return add_socket(s, socket_fd, "");
}

static int
bind_all(struct sockets *s, const struct addr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bind_to(s, &addrs[i]) < 0)
			return -1;
	return 0;
}

int
sockets_take(struct sockets *ret, const struct addr *asked, size_t n,
    const struct rules *rules)
{
	const struct settings *settings = &rules->settings;

	if (take_passed(ret) < 0)
		return -1;
	if (ret->passed) {
		if (n > 0)
			fputs("usher: --listen is ignored: sockets were "
			      "passed\n",
			    stderr);
		return 0;
	}
	if (n > 0)
		return bind_all(ret, asked, n);
	ret->by_rules = true;
	return bind_all(ret, settings->listen, settings->n_listen);
}

/*
 * Where the socket listens, at one or two addresses: systemd's [::] takes
 * IPv4 as well.
 */
static size_t
learn_addresses(int fd, struct addr ret[2])
{
	int v6_only = 1;
	socklen_t len = sizeof(v6_only);

	ret[0].len = sizeof(struct sockaddr_un);
	if (getsockname(fd, &ret[0].any, &ret[0].len) < 0)
		return 0;
	if (ret[0].any.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_UNSPECIFIED(&ret[0].v6.sin6_addr) ||
	    getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &len) < 0 ||
	    v6_only)
		return 1;
	ret[1] = (struct addr){ .len = sizeof(ret[1].v4) };
	ret[1].v4.sin_family = AF_INET;
	ret[1].v4.sin_port = ret[0].v6.sin6_port;
	return 2;
}

/* Whether a backend is where one of the addresses is. */
static bool
comes_back(
    const struct addr *addrs, size_t n, const struct addr *backend, bool own)
{
	for (size_t i = 0; i < n; i++)
		if (rules_loop(&addrs[i], backend, own))
			return true;
	return false;
}

/* What reading the rules did not say already. */
static void
check_service(const struct sockets *s, const struct service *service,
    const struct addr *addrs, size_t n)
{
	char buffer[ADDR_TEXT_MAX];
	struct line text = LINE(buffer);

	for (size_t i = 0; i < service->n_backends; i++) {
		const struct addr *backend = &service->backends[i];

		if (s->by_rules && comes_back(addrs, n, backend, false))
			continue;
		if (!comes_back(addrs, n, backend, own_address(backend)))
			continue;
		addr_write(&text, backend);
		fprintf(stderr,
		    "usher: [%s] leads to %s, where usher itself listens: "
		    "each connection would come back as a new client, "
		    "without end\n",
		    service->name, buffer);
		return;
	}
}

void
sockets_warn_of_loops(const struct sockets *sockets, const struct rules *rules)
{
	struct addr addrs[2 * LISTENERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < sockets->n; i++)
		n += learn_addresses(sockets->fds[i], addrs + n);
	for (size_t i = 0; i < rules->n_services; i++)
		check_service(sockets, &rules->services[i], addrs, n);
}
