/*
 * rtt.c - messages there and back, one under way on each connection.
 *
 * The connections are made, and answered, before the clock starts: what is
 * measured is an established session, such as somebody typing.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64
#define MESSAGE_MAX 65536

struct session {
	int server;
	int64_t sent; /* when the message went */
	size_t got; /* bytes of it that are back */
};

struct rtt {
	const struct options *options;
	struct result *result;
	struct session *sessions;
	unsigned open;
	unsigned left; /* messages not yet sent */
	int epoll;
};

static uint8_t message[MESSAGE_MAX];

static void
finish(struct rtt *rtt, struct session *session, bool well)
{
	if (well)
		rtt->result->done++;
	else
		rtt->result->failed++;
	close(session->server);
	session->server = -1;
	rtt->open--;
}

static int
begin(struct rtt *rtt, struct session *session)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = session };
	struct greeting greeting;

	greeting_ssh(&greeting, "echo");
	session->server = connect_greet(rtt->options->port, &greeting);
	if (session->server < 0)
		return session->server;
	rtt->open++;
	if (read_answer(session->server) < 0) {
		finish(rtt, session, false);
		return 0;
	}
	unblock(session->server);
	if (epoll_ctl(rtt->epoll, EPOLL_CTL_ADD, session->server, &event) < 0)
		fail("epoll_ctl");
	return 0;
}

static void
say(struct rtt *rtt, struct session *session)
{
	const size_t size = (size_t)rtt->options->bytes;

	if (session->server < 0)
		return;
	if (rtt->left == 0) {
		finish(rtt, session, true);
		return;
	}
	rtt->left--;
	session->got = 0;
	session->sent = now_ns();
	/* A message is far smaller than a socket's buffer: it goes whole. */
	if (send(session->server, message, size, MSG_NOSIGNAL) != (ssize_t)size)
		finish(rtt, session, false);
}

static void
hear(struct rtt *rtt, struct session *session)
{
	const size_t size = (size_t)rtt->options->bytes;
	ssize_t n = recv(session->server, message, size - session->got, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finish(rtt, session, false);
		return;
	}
	session->got += (size_t)n;
	rtt->result->bytes += (uint64_t)n;
	if (session->got < size)
		return;
	samples_add(&rtt->result->samples, now_ns() - session->sent);
	say(rtt, session);
}

static void
converse(struct rtt *rtt, int64_t limit)
{
	struct epoll_event events[EVENTS];
	unsigned i;
	int n, e;

	for (i = 0; i < rtt->options->conns; i++)
		say(rtt, &rtt->sessions[i]);
	while (rtt->open > 0 && now_ns() < limit) {
		n = epoll_wait(rtt->epoll, events, EVENTS, 100);
		for (e = 0; e < n; e++)
			hear(rtt, events[e].data.ptr);
	}
}

void
run_rtt(const struct options *options, struct result *result)
{
	struct rtt rtt = {
		.options = options, .result = result, .left = options->rounds
	};
	int64_t limit = now_ns() + options->limit, start;
	unsigned i;

	if (options->bytes == 0 || options->bytes > MESSAGE_MAX) {
		errno = EINVAL;
		fail("size of a message");
	}
	rtt.epoll = epoll_create1(EPOLL_CLOEXEC);
	rtt.sessions = calloc(options->conns, sizeof(*rtt.sessions));
	if (rtt.epoll < 0 || !rtt.sessions)
		fail("epoll");
	for (i = 0; i < options->conns; i++)
		if (begin(&rtt, &rtt.sessions[i]) < 0)
			result->failed++;
	start = now_ns();
	converse(&rtt, limit);
	result->elapsed = now_ns() - start;
	for (i = 0; i < options->conns; i++)
		if (rtt.sessions[i].server >= 0)
			finish(&rtt, &rtt.sessions[i], false);
	free(rtt.sessions);
	close(rtt.epoll);
}
