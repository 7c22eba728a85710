/*
 * backend.c - the service behind the program under test; see bench.h.
 *
 *   backend          listens on 127.0.0.1, prints the port, serves until
 *                    its standard input ends
 *   backend --stdin  serves the one connection that is descriptor 0, as a
 *                    program that inetd starts
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define BACKLOG 4096

enum task { GREET, HOLD, ECHO, SOURCE, SINK };

struct conn {
	int fd;
	enum task task;
	uint64_t left; /* SOURCE: to send; SINK: to read */
};

/* Descriptors that epoll tells apart from connections by their address. */
static struct conn listener, owner;

static uint8_t chunk[CHUNK];
static int epoll;

/* These return 0 to go on, or -1: the connection is over. */

static int
answer(struct conn *conn)
{
	ssize_t n = send(conn->fd, ANSWER, ANSWER_LEN, MSG_NOSIGNAL);

	return n == ANSWER_LEN ? 0 : -1;
}

static int
sink(struct conn *conn, size_t n)
{
	conn->left -= n < conn->left ? n : conn->left;
	if (conn->left > 0)
		return 0;
	answer(conn);
	return -1;
}

static int
source(struct conn *conn)
{
	size_t want = conn->left < CHUNK ? (size_t)conn->left : CHUNK;
	ssize_t n = send(conn->fd, chunk, want, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	conn->left -= (uint64_t)n;
	return conn->left > 0 ? 0 : -1;
}

/* One message is under way at a time, so there is always room for it. */
static int
echo(struct conn *conn, const uint8_t *bytes, size_t n)
{
	ssize_t sent = send(conn->fd, bytes, n, MSG_NOSIGNAL);

	return sent == (ssize_t)n ? 0 : -1;
}

/* After the first line: what it asked for, and the n bytes behind it. */
static int
take_task(struct conn *conn, const char *word, const uint8_t *rest, size_t n)
{
	struct epoll_event out = { .events = EPOLLOUT, .data.ptr = conn };

	if (strncmp(word, "hold", 4) == 0) {
		conn->task = HOLD;
		return answer(conn);
	}
	if (strncmp(word, "echo", 4) == 0) {
		conn->task = ECHO;
		if (answer(conn) < 0)
			return -1;
		return n > 0 ? echo(conn, rest, n) : 0;
	}
	if (strncmp(word, "source ", 7) == 0) {
		conn->task = SOURCE;
		conn->left = strtoull(word + 7, NULL, 10);
		return epoll_ctl(epoll, EPOLL_CTL_MOD, conn->fd, &out);
	}
	if (strncmp(word, "sink ", 5) == 0) {
		conn->task = SINK;
		conn->left = strtoull(word + 5, NULL, 10);
		return n > 0 ? sink(conn, n) : 0;
	}
	answer(conn);
	return -1;
}

/* The client writes its first flight at once, so it comes in one piece. */
static int
greet(struct conn *conn, size_t n)
{
	static const char banner[] = "SSH-2.0-";
	const size_t len = sizeof(banner) - 1;
	uint8_t *end;

	if (chunk[0] == 0x16) {
		answer(conn);
		return -1;
	}
	end = memchr(chunk, '\n', n);
	if (n < len || memcmp(chunk, banner, len) != 0 || !end)
		return -1;
	*end = '\0';
	return take_task(
	    conn, (char *)chunk + len, end + 1, n - (size_t)(end + 1 - chunk));
}

static int
serve(struct conn *conn)
{
	ssize_t n;

	if (conn->task == SOURCE)
		return source(conn);
	n = recv(conn->fd, chunk, sizeof(chunk), 0);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	switch (conn->task) {
	case GREET:
		return greet(conn, (size_t)n);
	case ECHO:
		return echo(conn, chunk, (size_t)n);
	case SINK:
		return sink(conn, (size_t)n);
	case HOLD:
	case SOURCE:
		break;
	}
	return 0;
}

static void
watch(struct conn *conn)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
		fail("epoll_ctl");
}

static void
add(int client)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		fail("calloc");
	conn->fd = client;
	watch(conn);
}

static void
accept_all(void)
{
	int client;

	for (;;) {
		client = accept4(
		    listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client >= 0)
			add(client);
		else if (errno == EAGAIN)
			return;
		else if (errno != ECONNABORTED && errno != EINTR)
			fail("accept");
	}
}

static void
begin_listening(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 ||
	    listen(fd, BACKLOG) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		fail("listen");
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
	listener.fd = fd;
	watch(&listener);
	owner.fd = STDIN_FILENO;
	watch(&owner);
}

/* Returns whether to go on. */
static bool
handle(struct conn *conn, bool only)
{
	if (conn == &owner)
		return false;
	if (conn == &listener) {
		accept_all();
		return true;
	}
	if (serve(conn) == 0)
		return true;
	close(conn->fd);
	free(conn);
	return !only;
}

int
main(int argc, char **argv)
{
	const bool only = argc > 1 && strcmp(argv[1], "--stdin") == 0;
	struct epoll_event events[EVENTS];
	bool going = true;
	int n, e;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		fail("epoll");
	if (only) {
		unblock(STDIN_FILENO);
		add(STDIN_FILENO);
	} else {
		raise_files();
		begin_listening();
	}
	while (going) {
		n = epoll_wait(epoll, events, EVENTS, -1);
		for (e = 0; e < n && going; e++)
			going = handle(events[e].data.ptr, only);
	}
	return 0;
}
