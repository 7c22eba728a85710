/*
 * bench.h - what the load generator and its backend have in common.
 *
 * The one idea: the client's first flight tells the backend what to do, so
 * one backend behind one rule serves every row of the benchmark, and to
 * every program under test the connection is an ordinary SSH or TLS one.
 *
 *   SSH-2.0-answer\r\n      ANSWER, then the backend closes
 *   a TLS ClientHello       the same
 *   SSH-2.0-hold\r\n        ANSWER, then nothing until the client closes
 *   SSH-2.0-echo\r\n        ANSWER, then every byte comes back
 *   SSH-2.0-source N\r\n    N bytes, then the backend closes
 *   SSH-2.0-sink N\r\n      reads N bytes, then ANSWER, then closes
 *
 * Everything here is for loopback alone and ends by itself.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER "SSH-2.0-backend\r\n"
#define ANSWER_LEN (sizeof(ANSWER) - 1)

#define CHUNK (256 * 1024) /* bytes a bulk read or write is given */
#define CONNS_MAX 8192
#define GREETING_MAX 4096

#define SERVER_NAME "www.example.net"
#define HELLO_LEN 512 /* bytes, as a browser's without key shares */

#define NS_PER_SEC 1000000000LL

/* A first flight, ready to be sent. */
struct greeting {
	size_t len;
	uint8_t bytes[GREETING_MAX];
};

/* What a run measured; times in nanoseconds. */
struct samples {
	size_t n, room;
	int64_t *ns;
};

struct result {
	unsigned long done, failed;
	uint64_t bytes;
	int64_t elapsed;
	struct samples samples;
};

/* What is to be run: the command line. */
struct options {
	uint16_t port;
	unsigned conns; /* at a time */
	int64_t run; /* ns after which nothing new is begun */
	int64_t limit; /* ns after which what is open has failed */
	uint64_t bytes; /* bulk: in all; round trip: of one message */
	unsigned rounds; /* round trips in all */
	unsigned rate; /* flood: new connections a second */
	bool up; /* bulk: from the client to the backend */
	bool tls; /* greet with a ClientHello */
};

int64_t now_ns(void);

/* Says what failed and errno's text, and exits 1. */
_Noreturn void fail(const char *what);

/* "SSH-2.0-WORD\r\n", or with the number behind it. */
void greeting_ssh(struct greeting *ret, const char *word);
void greeting_ssh_count(struct greeting *ret, const char *word, uint64_t n);

/* A ClientHello of len bytes for that name, which offers h2. */
void greeting_tls(struct greeting *ret, const char *name, size_t len);

/* The greeting that asks for an answer, as the options want it. */
void greeting_answer(struct greeting *ret, const struct options *options);

/*
 * Begins a connection to 127.0.0.1:port.  The socket does not block unless
 * asked to.  Returns it, or -errno.
 */
int connect_begin(uint16_t port, bool blocking);

/* A listener at 127.0.0.1:port, blocking; or exits 1. */
int listen_on(uint16_t port);

/* Connects and sends the greeting, blocking.  Returns it, or -errno. */
int connect_greet(uint16_t port, const struct greeting *greeting);

/* Reads ANSWER from a blocking socket.  Returns 0 or -errno. */
int read_answer(int server);

/* Switches O_NONBLOCK on. */
void unblock(int fd);

/* Raises the limit on open files as far as it goes. */
void raise_files(void);

void samples_add(struct samples *samples, int64_t ns);

/* Sorts; permille 500 is the median.  0 if there are none. */
int64_t samples_at(struct samples *samples, unsigned permille);

/*
 * The runs.  Each fills in the result and ends within options->limit; what
 * went wrong with a connection is counted in result->failed, not returned.
 */
void run_rate(const struct options *options, struct result *result);
void run_bulk(const struct options *options, struct result *result);
void run_rtt(const struct options *options, struct result *result);
void run_hold(const struct options *options, struct result *result);
void run_flood(const struct options *options, struct result *result);

#endif
