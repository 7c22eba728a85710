/*
 * hold.c - connections that are there and do nothing.
 *
 * hold: established ones, answered once and then idle.  flood: silent ones,
 * a fixed number new each second, each kept until there are as many as
 * asked for and then given up, oldest first; so the load is the same
 * whatever the program under test does about them.
 *
 * Both say "ready" when they have as many as they should and go on until
 * their standard input ends.
 */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS 2

static void
say_ready(unsigned n)
{
	printf("ready %u\n", n);
	fflush(stdout);
}

/* Waits for the end of standard input, so long at most. */
static bool
is_over(int ms)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&in, 1, ms) != 0;
}

/* Nothing is said to it, and it does not end: then it is still held. */
static bool
is_held(int server)
{
	char c;

	return recv(server, &c, 1, MSG_DONTWAIT | MSG_PEEK) < 0 &&
	    errno == EAGAIN;
}

static int
hold_one(uint16_t port, const struct greeting *greeting)
{
	int server = connect_greet(port, greeting);
	int rc;

	if (server < 0)
		return server;
	rc = read_answer(server);
	if (rc < 0) {
		close(server);
		return rc;
	}
	return server;
}

/* Ends at the first that fails: the others would only fail slowly. */
void
run_hold(const struct options *options, struct result *result)
{
	int64_t start = now_ns(), left;
	int *servers = calloc(options->conns, sizeof(*servers));
	struct greeting greeting;
	unsigned n, i;

	if (!servers)
		fail("calloc");
	greeting_ssh(&greeting, "hold");
	for (n = 0; n < options->conns; n++) {
		if (now_ns() - start > options->limit)
			break;
		servers[n] = hold_one(options->port, &greeting);
		if (servers[n] < 0)
			break;
	}
	result->elapsed = now_ns() - start;
	say_ready(n);
	left = options->limit - result->elapsed;
	is_over(left > 0 ? (int)(left / 1000000) : 0);
	for (i = 0; i < n; i++) {
		if (is_held(servers[i]))
			result->done++;
		close(servers[i]);
	}
	result->failed = options->conns - result->done;
	free(servers);
}

void
run_flood(const struct options *options, struct result *result)
{
	int64_t start = now_ns(), now = start;
	int *servers = malloc(options->conns * sizeof(*servers));
	unsigned long opened = 0, due;
	unsigned i;

	if (!servers)
		fail("malloc");
	for (i = 0; i < options->conns; i++)
		servers[i] = -1;
	while (now - start < options->limit && !is_over(TICK_MS)) {
		now = now_ns();
		due = (unsigned long)((now - start) / 1000 * options->rate /
		    1000000);
		for (; opened < due; opened++) {
			i = (unsigned)(opened % options->conns);
			if (servers[i] >= 0)
				close(servers[i]);
			servers[i] = connect_begin(options->port, false);
			if (servers[i] < 0)
				result->failed++;
			if (opened + 1 == options->conns)
				say_ready(options->conns);
		}
	}
	result->done = opened - result->failed;
	result->elapsed = now - start;
	for (i = 0; i < options->conns; i++)
		if (servers[i] >= 0)
			close(servers[i]);
	free(servers);
}
