/*
 * bulk.c - so many bytes, one way, over so many connections.
 *
 * Down: the backend sends until it has sent its share and closes; up: we
 * send ours and the backend says ANSWER when it has all of it.  A connection
 * that moved one byte less or more has failed.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64

struct stream {
	int server;
	uint64_t moved;
};

struct bulk {
	const struct options *options;
	struct result *result;
	struct stream *streams;
	uint64_t share; /* bytes of one stream */
	unsigned open;
	int epoll;
};

static uint8_t chunk[CHUNK];

static void
finish(struct bulk *bulk, struct stream *stream, bool well)
{
	if (well)
		bulk->result->done++;
	else
		bulk->result->failed++;
	close(stream->server);
	stream->server = -1;
	bulk->open--;
}

/* These return 1 when all is done as it should, 0 to go on, or -errno. */
static int
receive(struct bulk *bulk, struct stream *stream)
{
	ssize_t n = recv(stream->server, chunk, sizeof(chunk), 0);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return stream->moved == bulk->share ? 1 : -EPIPE;
	stream->moved += (uint64_t)n;
	bulk->result->bytes += (uint64_t)n;
	return stream->moved > bulk->share ? -EPROTO : 0;
}

static int
transmit(struct bulk *bulk, struct stream *stream)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = stream };
	uint64_t left = bulk->share - stream->moved;
	size_t want = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);
	ssize_t n = send(stream->server, chunk, want, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	stream->moved += (uint64_t)n;
	bulk->result->bytes += (uint64_t)n;
	if (stream->moved == bulk->share)
		epoll_ctl(bulk->epoll, EPOLL_CTL_MOD, stream->server, &event);
	return 0;
}

static int
handle(struct bulk *bulk, struct stream *stream)
{
	if (!bulk->options->up)
		return receive(bulk, stream);
	if (stream->moved < bulk->share)
		return transmit(bulk, stream);
	return read_answer(stream->server) < 0 ? -EPROTO : 1;
}

static void
begin(struct bulk *bulk, struct stream *stream)
{
	struct epoll_event event = { .data.ptr = stream };
	struct greeting greeting;

	greeting_ssh_count(
	    &greeting, bulk->options->up ? "sink" : "source", bulk->share);
	stream->moved = 0;
	stream->server = connect_greet(bulk->options->port, &greeting);
	if (stream->server < 0) {
		bulk->result->failed++;
		return;
	}
	unblock(stream->server);
	event.events = bulk->options->up ? EPOLLOUT : EPOLLIN;
	if (epoll_ctl(bulk->epoll, EPOLL_CTL_ADD, stream->server, &event) < 0)
		fail("epoll_ctl");
	bulk->open++;
}

static void
serve(struct bulk *bulk, struct stream *stream)
{
	int rc = handle(bulk, stream);

	if (rc != 0)
		finish(bulk, stream, rc > 0);
}

static void
abandon(struct bulk *bulk)
{
	unsigned i;

	for (i = 0; i < bulk->options->conns; i++)
		if (bulk->streams[i].server >= 0)
			finish(bulk, &bulk->streams[i], false);
}

void
run_bulk(const struct options *options, struct result *result)
{
	struct bulk bulk = { .options = options, .result = result };
	struct epoll_event events[EVENTS];
	int64_t start = now_ns();
	unsigned i;
	int n, e;

	bulk.share = options->bytes / options->conns;
	bulk.epoll = epoll_create1(EPOLL_CLOEXEC);
	bulk.streams = calloc(options->conns, sizeof(*bulk.streams));
	if (bulk.epoll < 0 || !bulk.streams)
		fail("epoll");
	for (i = 0; i < options->conns; i++)
		begin(&bulk, &bulk.streams[i]);
	while (bulk.open > 0 && now_ns() < start + options->limit) {
		n = epoll_wait(bulk.epoll, events, EVENTS, 100);
		for (e = 0; e < n; e++)
			serve(&bulk, events[e].data.ptr);
	}
	result->elapsed = now_ns() - start;
	abandon(&bulk);
	free(bulk.streams);
	close(bulk.epoll);
}
