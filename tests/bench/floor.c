/*
 * floor.c - the least that a relay can be, which bounds all others.
 *
 *   floor PORT BACKEND   relays from 127.0.0.1:PORT to 127.0.0.1:BACKEND
 *   floor PORT /PROGRAM [ARGUMENT...]
 *                        runs it with the connection as its descriptor 0
 *
 * A process for each connection, and in it each way for itself: recv() and
 * send(), or once a read was full, splice() through a pipe as long as
 * something moves; then poll().  Nothing is decided, logged, counted or
 * limited.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define COPY (32 * 1024)
#define PIPE (512 * 1024) /* as usher has it, others half of it */
#define FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

/* One direction. */
struct way {
	int from, to;
	int pipe[2]; /* only in bulk */
	size_t held; /* bytes in the pipe */
	bool bulk, ended;
};

static uint8_t bytes[COPY];

static void
begin_bulk(struct way *way)
{
	if (pipe2(way->pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    fcntl(way->pipe[1], F_SETPIPE_SZ, PIPE) < 0)
		fail("pipe");
	way->bulk = true;
}

/* Whoever reads these is not slow: what is sent is taken. */
static ssize_t
copy(struct way *way)
{
	ssize_t n = recv(way->from, bytes, sizeof(bytes), 0);

	if (n > 0 && send(way->to, bytes, (size_t)n, MSG_NOSIGNAL) != n)
		exit(1);
	if (n == sizeof(bytes))
		begin_bulk(way);
	return n;
}

static ssize_t
read_some(struct way *way)
{
	ssize_t n;

	if (!way->bulk)
		return copy(way);
	n = splice(way->from, NULL, way->pipe[1], NULL, PIPE, FLAGS);
	if (n > 0)
		way->held = (size_t)n;
	return n;
}

static ssize_t
write_held(struct way *way)
{
	ssize_t n = splice(way->pipe[0], NULL, way->to, NULL, way->held, FLAGS);

	if (n > 0)
		way->held -= (size_t)n;
	return n;
}

/* Returns whether there may be more. */
static bool
move(struct way *way)
{
	ssize_t n;

	if (way->ended)
		return false;
	n = way->held > 0 ? write_held(way) : read_some(way);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		exit(1); /* closes both, which is all there is to say */
	if (n == 0) {
		way->ended = true;
		shutdown(way->to, SHUT_WR);
	}
	return way->bulk && !way->ended;
}

/* The way that reads from here and the one that writes to here. */
static struct pollfd
watch(const struct way *in, const struct way *out)
{
	struct pollfd poll = { .fd = in->from };

	if (!in->ended && in->held == 0)
		poll.events |= POLLIN;
	if (out->held > 0)
		poll.events |= POLLOUT;
	if (poll.events == 0)
		poll.fd = -1;
	return poll;
}

static void
relay(int client, int backend)
{
	struct way up = { .from = client, .to = backend };
	struct way down = { .from = backend, .to = client };

	unblock(client);
	unblock(backend);
	while (!up.ended || !down.ended) {
		struct pollfd polls[] = { watch(&up, &down),
			watch(&down, &up) };

		if (poll(polls, 2, -1) < 0)
			fail("poll");
		if (polls[0].revents & (POLLIN | POLLHUP | POLLERR) ||
		    polls[1].revents & POLLOUT)
			while (move(&up))
				continue;
		if (polls[1].revents & (POLLIN | POLLHUP | POLLERR) ||
		    polls[0].revents & POLLOUT)
			while (move(&down))
				continue;
	}
}

/* What the process of one connection does. */
static _Noreturn void
serve(int client, char **to)
{
	int backend;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (**to == '/') {
		if (dup2(client, STDIN_FILENO) < 0)
			fail("dup2");
		execv(*to, to);
		fail(*to);
	}
	backend = connect_begin((uint16_t)atoi(*to), true);
	if (backend < 0)
		fail("connect");
	relay(client, backend);
	exit(0);
}

int
main(int argc, char **argv)
{
	int listener, client;

	if (argc < 3)
		return 2;
	listener = listen_on((uint16_t)atoi(argv[1]));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0 && errno != EINTR && errno != ECONNABORTED)
			fail("accept");
		if (client >= 0 && fork() == 0)
			serve(client, argv + 2);
		if (client >= 0)
			close(client);
	}
}
