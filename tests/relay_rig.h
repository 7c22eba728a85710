/*
 * relay_rig.h - a relay in a process of its own, with the test at both ends.
 */
#ifndef USHER_TESTS_RELAY_RIG_H
#define USHER_TESTS_RELAY_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "relay.h"

enum rig_kind { RIG_TCP, RIG_UNIX };

/* Sizes of all socket buffers: 0 is the kernel's choice. */
struct rig_options {
	enum rig_kind kind;
	int send_size, receive_size;
	struct relay_options relay;
};

struct rig {
	int client, backend; /* the test's ends, non-blocking; -1: closed */
	int relay_client, relay_backend; /* the relay's: -1 in the test */
	pid_t pid; /* of the relay */
	struct connection *connection; /* shared with it */
	struct rig_options options;
};

#define RIG_PATIENCE_MS 10000

/* No limit, no exec. */
extern const struct relay_options rig_forever;

/*
 * What the relay's process does; returns its exit status.  SIGTERM is
 * blocked and sets rig_stop.
 */
typedef int rig_main(struct rig *rig);
extern volatile int rig_stop;

/*
 * relay_init, relay_run, relay_finish; the status is the end.  With
 * rig_carried the same by a carrier, as where one process has many.
 */
int rig_relay(struct rig *rig);
extern bool rig_carried;

/* Makes the sockets and forks the relay's process. */
void rig_start(
    struct rig *rig, const struct rig_options *options, rig_main *main);

/* Waits until the relay's process has gone and returns its exit status. */
int rig_wait(struct rig *rig);

/* Closes what the test has of it. */
void rig_free(struct rig *rig);

/*
 * Sends FIN from both ends if they are open, rig_wait(), checks the status
 * and frees it.
 */
void rig_finish(struct rig *rig, enum end end);

/* A connected pair: pair[0] is the one who connected. */
void rig_pair(const struct rig_options *options, int pair[2]);

/* Waits for one of events on fd; fails the test if ms pass without. */
void rig_await(int fd, short events, int ms);

/* Sends all of n pattern bytes; the reader must have room. */
void rig_send(int fd, uint64_t position, size_t n);

/* Receives n bytes and checks that they are the pattern's. */
void rig_receive(int fd, uint64_t position, size_t n);

/* The next thing to come is FIN, or RST. */
void rig_expect_fin(int fd);
void rig_expect_reset(int fd);

/* Sends n bytes from one end and receives them at the other. */
void rig_pass(int from, int to, uint64_t n);

/* Sends until nothing more is taken by anybody on the way; how many. */
uint64_t rig_fill(int fd);

/* Waits until the relay's process has become program. */
void rig_await_program(const struct rig *rig, const char *program);

/* How many descriptors the relay's process has. */
int rig_descriptors(const struct rig *rig);

/* One direction of an exchange. */
struct flow {
	int from, to;
	uint64_t total; /* bytes to send, FIN follows */
	uint64_t sent, got;
	bool said_end, heard_end;
	bool paused; /* the reader does not read */
};

/*
 * Sends total bytes each way at once, in pieces and with pauses of both
 * readers that follow from seed, and checks every byte and both FINs.
 */
void rig_exchange(struct rig *rig, uint64_t up, uint64_t down, uint64_t seed,
    size_t chunk_max);

/* CPU time of a process so far, and its threads', in microseconds. */
int64_t rig_cpu_us(pid_t pid);

/* A number below bound, from *state. */
uint64_t rig_random(uint64_t *state, uint64_t bound);

#endif
