/* bench.c - see bench.h */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 4096

int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

void
fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void
greeting_ssh(struct greeting *ret, const char *word)
{
	int n = snprintf(
	    (char *)ret->bytes, sizeof(ret->bytes), "SSH-2.0-%s\r\n", word);

	ret->len = (size_t)n;
}

void
greeting_ssh_count(struct greeting *ret, const char *word, uint64_t count)
{
	char text[64];

	snprintf(
	    text, sizeof(text), "%s %llu", word, (unsigned long long)count);
	greeting_ssh(ret, text);
}

static void
put(struct greeting *to, const void *bytes, size_t len)
{
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
}

static void
put16(struct greeting *to, size_t n)
{
	uint8_t b[2] = { (uint8_t)(n >> 8), (uint8_t)n };

	put(to, b, sizeof(b));
}

/*
 * RFC 5246, section 7.4.1.2, with server_name (RFC 6066), ALPN (RFC 7301)
 * and padding (RFC 7685) up to the length asked for.
 */
void
greeting_tls(struct greeting *ret, const char *name, size_t len)
{
	static const uint8_t ciphers[] = { 0, 6, 0xc0, 0x2f, 0xc0, 0x30, 0x13,
		0x01, 1, 0 };
	static const uint8_t alpn[] = { 0, 16, 0, 5, 0, 3, 2, 'h', '2' };
	static const uint8_t zero[GREETING_MAX];
	const size_t n = strlen(name);
	const size_t hello = len - 9; /* record and handshake header */
	const size_t extensions = hello - 2 - 32 - 1 - sizeof(ciphers) - 2;
	const size_t padding = extensions - 9 - n - sizeof(alpn) - 4;

	ret->len = 0;
	put(ret, "\x16\x03\x01", 3);
	put16(ret, hello + 4);
	put(ret, "\x01\x00", 2);
	put16(ret, hello);
	put(ret, "\x03\x03", 2);
	put(ret, zero, 32 + 1);
	put(ret, ciphers, sizeof(ciphers));
	put16(ret, extensions);
	put16(ret, 0);
	put16(ret, n + 5);
	put16(ret, n + 3);
	put(ret, "", 1);
	put16(ret, n);
	put(ret, name, n);
	put(ret, alpn, sizeof(alpn));
	put16(ret, 21);
	put16(ret, padding);
	put(ret, zero, padding);
}

void
greeting_answer(struct greeting *ret, const struct options *options)
{
	if (options->tls)
		greeting_tls(ret, SERVER_NAME, HELLO_LEN);
	else
		greeting_ssh(ret, "answer");
}

int
connect_begin(uint16_t port, bool blocking)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int type = SOCK_STREAM | SOCK_CLOEXEC;
	int on = 1, error;
	int server = socket(AF_INET, blocking ? type : type | SOCK_NONBLOCK, 0);

	if (server < 0)
		return -errno;
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(server, (const struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != EINPROGRESS) {
		error = -errno;
		close(server);
		return error;
	}
	return server;
}

int
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
connect_greet(uint16_t port, const struct greeting *greeting)
{
	const struct timeval patience = { .tv_sec = 5 };
	int server = connect_begin(port, true);
	ssize_t n;

	if (server < 0)
		return server;
	setsockopt(
	    server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = send(server, greeting->bytes, greeting->len, MSG_NOSIGNAL);
	if (n != (ssize_t)greeting->len) {
		close(server);
		return -EPIPE;
	}
	return server;
}

int
read_answer(int server)
{
	char buf[ANSWER_LEN];
	ssize_t n = recv(server, buf, sizeof(buf), MSG_WAITALL);

	if (n < 0)
		return -errno;
	if (n != sizeof(buf) || memcmp(buf, ANSWER, sizeof(buf)) != 0)
		return -EPROTO;
	return 0;
}

void
unblock(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		fail("O_NONBLOCK");
}

void
raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("setrlimit");
}

void
samples_add(struct samples *samples, int64_t ns)
{
	if (samples->n == samples->room) {
		samples->room = samples->room ? samples->room * 2 : 4096;
		samples->ns =
		    realloc(samples->ns, samples->room * sizeof(*samples->ns));
		if (!samples->ns)
			fail("realloc");
	}
	samples->ns[samples->n++] = ns;
}

static int
compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int64_t
samples_at(struct samples *samples, unsigned permille)
{
	if (samples->n == 0)
		return 0;
	qsort(samples->ns, samples->n, sizeof(*samples->ns), compare);
	return samples->ns[(samples->n - 1) * permille / 1000];
}
