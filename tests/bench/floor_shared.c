/*
 * floor_shared.c - the least that a relay of many connections can be.
 *
 *   floor-shared PORT BACKEND   from 127.0.0.1:PORT to 127.0.0.1:BACKEND
 *   floor-shared PORT BACKEND caged
 *
 * A process for each processor, each with one epoll.  What a client says is
 * sent to a backend of its own, what that says is sent back, and so are both
 * ends: for short connections, of which each side says something once.
 * Nothing is decided, looked at beforehand, logged, counted or limited, and
 * there is no clock.  Caged, it is in the sandbox of usher's workers, and
 * writes a line to standard error for each connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "sandbox.h"

#define EVENTS 64
#define ACCEPTS 4 /* at a time: the other processes may be idle */
#define DESCRIPTORS 20000
#define LINE_LEN 200 /* bytes, about what usher's line has */
#define BACKEND_SIDE 1u /* of a pair, whose address leaves that bit free */

struct pair {
	int client, backend; /* backend -1: the client has said nothing yet */
};

static uint8_t bytes[32 * 1024];
static int epoll;
static bool caged;

/* As usher is: also nothing of ours is where the sandbox looks closely. */
static void
put_into_cage(uint16_t port)
{
	const struct sandbox_spec spec = {
		.relay_exe = -1,
		.ports = &port,
		.n_ports = 1,
		.shared = true,
		.descriptors = DESCRIPTORS,
	};

	for (int fd = STDERR_FILENO + 1; fd <= SANDBOX_KEEPER_FD; fd++)
		if (fcntl(fd, F_GETFD) < 0 && dup2(STDIN_FILENO, fd) < 0)
			fail("dup2");
	/* What the kernel has of it, as for usher. */
	if (sandbox_acceptor(&spec) < 0)
		fail("sandbox");
	caged = true;
}

static void
write_line(void)
{
	static char line[LINE_LEN];

	memset(line, '.', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	if (write(STDERR_FILENO, line, sizeof(line)) < 0)
		fail("write");
}

static void
watch(int fd, uint32_t events, uintptr_t tag)
{
	struct epoll_event event = { .events = events, .data.u64 = tag };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

static void
watch_side(int fd, struct pair *pair, uintptr_t side)
{
	watch(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, (uintptr_t)pair | side);
}

static void
accept_some(int listener)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int client =
		    accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct pair *pair;

		if (client < 0)
			return;
		pair = malloc(sizeof(*pair));
		if (pair == NULL)
			fail("malloc");
		*pair = (struct pair){ .client = client, .backend = -1 };
		watch_side(client, pair, 0);
	}
}

/* On loopback a connect is done when it returns, and what is small fits. */
static void
from_client(struct pair *pair, uint16_t to)
{
	ssize_t n;

	if (pair->backend >= 0) {
		close(pair->client);
		close(pair->backend);
		free(pair);
		if (caged)
			write_line();
		return;
	}
	n = recv(pair->client, bytes, sizeof(bytes), 0);
	if (n <= 0)
		fail("recv");
	pair->backend = connect_begin(to, false);
	if (pair->backend < 0 ||
	    send(pair->backend, bytes, (size_t)n, MSG_NOSIGNAL) != n)
		fail("backend");
	watch_side(pair->backend, pair, BACKEND_SIDE);
}

static void
from_backend(struct pair *pair, uint32_t events)
{
	const int flags = MSG_NOSIGNAL | (events & EPOLLRDHUP ? MSG_MORE : 0);
	ssize_t n = recv(pair->backend, bytes, sizeof(bytes), 0);

	if (n > 0 && send(pair->client, bytes, (size_t)n, flags) != n)
		fail("client");
	if (events & EPOLLRDHUP)
		shutdown(pair->client, SHUT_WR);
}

static _Noreturn void
carry(int listener, uint16_t to)
{
	struct epoll_event events[EVENTS];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		fail("epoll_create1");
	watch(listener, EPOLLIN | EPOLLEXCLUSIVE, 0);
	for (;;) {
		/* The call that the sandbox knows, whatever the C library. */
		int n = epoll_pwait(epoll, events, EVENTS, -1, NULL);

		for (int i = 0; i < n; i++) {
			uintptr_t tag = (uintptr_t)events[i].data.u64;
			struct pair *pair =
			    (void *)(tag & ~(uintptr_t)BACKEND_SIDE);

			if (tag == 0)
				accept_some(listener);
			else if (tag & BACKEND_SIDE)
				from_backend(pair, events[i].events);
			else
				from_client(pair, to);
		}
	}
}

int
main(int argc, char **argv)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int listener;

	if (argc < 3)
		return 2;
	listener = listen_on((uint16_t)atoi(argv[1]));
	unblock(listener);
	if (argc > 3)
		put_into_cage((uint16_t)atoi(argv[2]));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (long i = 1; i < processors; i++)
		if (fork() == 0)
			break;
	carry(listener, (uint16_t)atoi(argv[2]));
}
