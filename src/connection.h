/*
 * connection.h - one connection's facts, from accept to its log line.
 *
 * The one idea: this is the record in shared memory (see scoreboard.h).  The
 * process that serves the connection writes it as things happen; whoever
 * looks from outside, "usher status" or the parent of a process that died,
 * reads the same bytes.  So there is nothing to report and nothing to ask.
 *
 * What is read here by a process other than its writer may be torn or, after
 * a break-in, a lie: readers check every index and bound every string.
 */
#ifndef USHER_CONNECTION_H
#define USHER_CONNECTION_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

/* Why a connection ended: USHER_END, one row each in end_name(). */
enum end {
	END_NONE, /* it goes on */
	END_CLIENT_CLOSED,
	END_BACKEND_CLOSED,
	END_CLIENT_RESET,
	END_BACKEND_RESET,
	END_IDLE,
	END_HALF_CLOSE_TIMEOUT,
	END_KILLED,
	END_NO_RULE,
	END_REJECTED,
	END_REFUSED,
	END_CONNECT_TIMEOUT,
	END_GONE,
	END_LIMIT,
	END_ERROR,
	END_COUNT
};

/* "client-closed" and so on; "error" for a number that is none. */
const char *end_name(unsigned end);

/* An IP address and port in 20 bytes; family 0: none or a unix socket. */
struct endpoint {
	uint16_t family; /* AF_INET, AF_INET6 */
	uint16_t port; /* host order */
	uint8_t ip[16]; /* AF_INET: the first four */
};

/* IPv4-mapped addresses become AF_INET. */
void endpoint_from(struct endpoint *ret, const struct addr *addr);
void endpoint_to(struct addr *ret, const struct endpoint *endpoint);

enum connection_state {
	CONN_FREE,
	CONN_PENDING, /* no decision yet; counts against max-pending */
	CONN_OPEN, /* decided: connecting, relaying, or a program's */
	CONN_ENDED, /* slot->end is final; its log line, then it is free */
	CONN_MOVING, /* scoreboard.c is between two of these */
};

#define PROTOCOL_NAME_MAX 16

#define CONN_NO_SERVICE UINT16_MAX

/* A server name as it was sent, hostname bytes only, and NUL. */
#define CONNECTION_NAME_MAX 256

/* A name of ALPN, escaped, and NUL. */
#define CONNECTION_ALPN_MAX 32

/*
 * An idle connection of a shared relay is little more than this, so it has
 * what every one has, without holes; the rest is where scoreboard_name() and
 * its like find it.  What is written as bytes move is in one cache line.
 */
struct connection {
	_Atomic uint32_t state; /* enum connection_state */
	/*
	 * Of the process that serves it, or will have it served; 0: free.
	 * Negative: that process has offered it to another.
	 */
	_Atomic int32_t pid;
	_Atomic uint64_t bytes_in; /* from the client */
	_Atomic uint64_t bytes_out; /* to the client */
	_Atomic int64_t active_us; /* when a byte last moved */
	_Atomic uint32_t evict; /* set before SIGTERM: make room, END_LIMIT */
	_Atomic uint32_t due; /* its log line is still to be written */
	int64_t start_us; /* CLOCK_MONOTONIC, all of them */
	int64_t wait_us; /* from start to the decision; -1: none yet */
	int64_t connect_us; /* time the connect took; -1: none */
	int64_t since_us; /* pid's process was there by then */
	struct endpoint client; /* see scoreboard_source_move() */
	struct endpoint local; /* the address the client reached */
	struct endpoint backend; /* see scoreboard_write_backend() */
	uint16_t service; /* index in the scoreboard's services */
	uint16_t backend_port; /* our local port towards the backend */
	int16_t error; /* errno behind END_ERROR, END_REFUSED, or 0 */
	uint8_t end; /* enum end */
	uint8_t pending; /* it is among head->pending */
	/* Lengths of what it has apart from here; 0: none. */
	uint8_t name_len, alpn_len, path_len;
	char protocol[PROTOCOL_NAME_MAX]; /* a name of protocols[]; empty */
};

#define CONNECTION_SIZE 160
_Static_assert(sizeof(struct connection) == CONNECTION_SIZE, "slot has holes");

#endif
