/*
 * floor.c - the least that a relay can be, which bounds all others.
 *
 *   floor PORT BACKEND   relays from 127.0.0.1:PORT to 127.0.0.1:BACKEND
 *
 * A process for each connection, and in it splice() through a pipe each way
 * as long as something moves, then poll().  Nothing is decided, logged,
 * counted or limited.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define BACKLOG 4096
#define PIPE (256 * 1024) /* as everybody here has it */
#define FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

enum { UP, DOWN, WAYS };

/* One direction. */
struct way {
	int from, to;
	int pipe[2];
	size_t held; /* bytes in the pipe */
	bool ended;
};

/* Returns whether it moved anything. */
static bool
move(struct way *way)
{
	ssize_t n;

	if (way->ended)
		return false;
	if (way->held > 0)
		n = splice(way->pipe[0], NULL, way->to, NULL, way->held, FLAGS);
	else
		n = splice(way->from, NULL, way->pipe[1], NULL, PIPE, FLAGS);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		exit(1); /* closes both, which is all there is to say */
	if (n == 0) {
		way->ended = true;
		shutdown(way->to, SHUT_WR);
	}
	way->held = way->held > 0 ? way->held - (size_t)n : (size_t)n;
	return true;
}

static void
wait_for(struct way ways[WAYS])
{
	struct pollfd polls[WAYS] = { { .fd = ways[UP].from },
		{ .fd = ways[DOWN].from } };
	int way;

	for (way = 0; way < WAYS; way++)
		if (ways[way].held > 0)
			polls[WAYS - 1 - way].events |= POLLOUT;
		else if (!ways[way].ended)
			polls[way].events |= POLLIN;
	for (way = 0; way < WAYS; way++)
		if (polls[way].events == 0)
			polls[way].fd = -1;
	poll(polls, WAYS, -1);
}

static void
relay(int client, int backend)
{
	struct way ways[WAYS] = { { .from = client, .to = backend },
		{ .from = backend, .to = client } };
	int way;

	unblock(client);
	unblock(backend);
	for (way = 0; way < WAYS; way++)
		if (pipe2(ways[way].pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
		    fcntl(ways[way].pipe[1], F_SETPIPE_SZ, PIPE) < 0)
			fail("pipe");
	while (!ways[UP].ended || !ways[DOWN].ended) {
		bool moved = move(&ways[UP]);

		if (!move(&ways[DOWN]) && !moved)
			wait_for(ways);
	}
}

static int
listen_on(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) <
		0 ||
	    listen(listener, BACKLOG) < 0)
		fail("listen");
	return listener;
}

int
main(int argc, char **argv)
{
	uint16_t to = argc > 2 ? (uint16_t)atoi(argv[2]) : 0;
	int listener = listen_on(argc > 1 ? (uint16_t)atoi(argv[1]) : 0);
	int client, backend;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0 && errno != EINTR && errno != ECONNABORTED)
			fail("accept");
		if (client >= 0 && fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			backend = connect_begin(to, true);
			if (backend < 0)
				fail("connect");
			relay(client, backend);
			return 0;
		}
		if (client >= 0)
			close(client);
	}
}
