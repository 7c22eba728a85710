/*
 * rate.c - connections as fast as they go, a fixed number at a time.
 *
 * Each connection sends its greeting, must get exactly ANSWER and then the
 * end of the stream.  Measured from before connect() to the first byte.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256

struct attempt {
	int server;
	int64_t start;
	bool greeted;
	size_t got;
};

struct rate {
	const struct options *options;
	struct result *result;
	struct greeting greeting;
	struct attempt *attempts;
	unsigned open;
	int epoll;
	int64_t stop; /* nothing new from here on */
};

static void begin(struct rate *rate, struct attempt *attempt);

/* One is over, well or not; the next one takes its place. */
static void
finish(struct rate *rate, struct attempt *attempt, bool well)
{
	if (well)
		rate->result->done++;
	else
		rate->result->failed++;
	close(attempt->server);
	attempt->server = -1;
	rate->open--;
}

static int
greet(struct rate *rate, struct attempt *attempt)
{
	const struct greeting *greeting = &rate->greeting;
	ssize_t n =
	    send(attempt->server, greeting->bytes, greeting->len, MSG_NOSIGNAL);

	if (n == (ssize_t)greeting->len)
		attempt->greeted = true;
	else if (n >= 0 || (errno != EAGAIN && errno != ENOTCONN))
		return -EPIPE;
	return 0;
}

/*
 * On loopback the handshake is over when connect() returns, so the greeting
 * can nearly always go at once, and one epoll_ctl() a connection will do.
 */
static void
begin(struct rate *rate, struct attempt *attempt)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = attempt };

	*attempt = (struct attempt){ .start = now_ns() };
	attempt->server = connect_begin(rate->options->port, false);
	if (attempt->server < 0) {
		rate->result->failed++;
		return;
	}
	rate->open++;
	if (greet(rate, attempt) < 0) {
		finish(rate, attempt, false);
		return;
	}
	if (!attempt->greeted)
		event.events |= EPOLLOUT;
	if (epoll_ctl(rate->epoll, EPOLL_CTL_ADD, attempt->server, &event) < 0)
		fail("epoll_ctl");
}

/* Returns 1 when the end has come as it should, 0 to go on, or -errno. */
static int
receive(struct rate *rate, struct attempt *attempt)
{
	char buf[ANSWER_LEN + 1];
	ssize_t n = recv(attempt->server, buf, sizeof(buf), 0);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return attempt->got == ANSWER_LEN ? 1 : -EPIPE;
	if (attempt->got + (size_t)n > ANSWER_LEN ||
	    memcmp(buf, &ANSWER[attempt->got], (size_t)n) != 0)
		return -EPROTO;
	if (attempt->got == 0)
		samples_add(&rate->result->samples, now_ns() - attempt->start);
	attempt->got += (size_t)n;
	return 0;
}

static int
handle(struct rate *rate, struct attempt *attempt, uint32_t events)
{
	struct epoll_event in = { .events = EPOLLIN, .data.ptr = attempt };

	if (!attempt->greeted && (events & EPOLLOUT)) {
		if (greet(rate, attempt) < 0)
			return -EPIPE;
		epoll_ctl(rate->epoll, EPOLL_CTL_MOD, attempt->server, &in);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		return receive(rate, attempt);
	return 0;
}

static void
serve(struct rate *rate, struct epoll_event *event)
{
	struct attempt *attempt = event->data.ptr;
	int rc = handle(rate, attempt, event->events);

	if (rc == 0)
		return;
	finish(rate, attempt, rc > 0);
	if (now_ns() < rate->stop)
		begin(rate, attempt);
}

/* What is still open when the time is up has failed. */
static void
abandon(struct rate *rate)
{
	unsigned i;

	for (i = 0; i < rate->options->conns; i++)
		if (rate->attempts[i].server >= 0)
			finish(rate, &rate->attempts[i], false);
}

void
run_rate(const struct options *options, struct result *result)
{
	struct rate rate = { .options = options, .result = result };
	struct epoll_event events[EVENTS];
	int64_t start = now_ns();
	unsigned i;
	int n, e;

	greeting_answer(&rate.greeting, options);
	rate.stop = start + options->run;
	rate.epoll = epoll_create1(EPOLL_CLOEXEC);
	rate.attempts = calloc(options->conns, sizeof(*rate.attempts));
	if (rate.epoll < 0 || !rate.attempts)
		fail("epoll");
	for (i = 0; i < options->conns; i++)
		begin(&rate, &rate.attempts[i]);
	while (rate.open > 0 && now_ns() < start + options->limit) {
		n = epoll_wait(rate.epoll, events, EVENTS, 100);
		for (e = 0; e < n; e++)
			serve(&rate, &events[e]);
	}
	result->elapsed = now_ns() - start;
	abandon(&rate);
	free(rate.attempts);
	close(rate.epoll);
}
