/*
 * carrier.h - many relays in one process, with one epoll.
 *
 * The one idea: each socket is registered once, edge-triggered, for all that
 * can happen to it, and a relay remembers what its sockets are ready for.  So
 * a wake-up costs one system call however many connections there are, what
 * has happened is gathered before anything is done about it, and a relay that
 * always has more to do gets its turn, not the processor.
 *
 * usher-relay carries pairs that were handed to it (many.c).  A worker's
 * records begin with a pair as well (worker.c); until it relays, what comes
 * of it goes to the owner.
 */
#ifndef USHER_CARRIER_H
#define USHER_CARRIER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay.h"
#include "timers.h"

enum pair_state {
	PAIR_FREE,
	PAIR_OWNERS, /* the owner is told of events and of the timer */
	PAIR_CARRIED, /* it relays */
	PAIR_PARTING, /* FIN is sent, what still comes is thrown away */
};

struct pair {
	struct relay relay;
	struct timer timer;
	struct pair *next; /* among those with something to do */
	bool queued; /* among those with something to do */
	uint8_t state; /* enum pair_state */
	uint8_t end; /* enum end, when parting */
	uint8_t log; /* enum rules_log: the owner's */
	bool hide_client; /* the owner's */
};

struct carrier;

/* What the owner of a carrier does.  None may call carrier_turn(). */
struct carrier_owner {
	/* PAIR_OWNERS: relay.ready has events, or (late) the timer passed. */
	void (*ready)(struct carrier *carrier, struct pair *pair, bool late);
	/* PAIR_CARRIED: relay_stays() says so. */
	void (*stays)(struct carrier *carrier, struct pair *pair);
	/* All is closed: to be logged, and released. */
	void (*over)(struct carrier *carrier, struct pair *pair);
	/* A descriptor of carrier_watch_other() is ready. */
	void (*other)(struct carrier *carrier, uint32_t id);
};

struct carrier {
	const struct carrier_owner *owner;
	int epoll;
	struct timers timers;
	struct pair *first, *last; /* with something to do */
	uint8_t
	    *records; /* record_size each; those from high on are untouched */
	size_t record_size;
	uint64_t *used; /* a bit for each */
	uint32_t size, high, n; /* records: all, up to the last used, in use */
	uint32_t low; /* there is no free one before this */
	unsigned turns;
	bool elsewhere; /* who handed them to us may have sockets open */
	int64_t busy_us; /* when something happened last */
};

/*
 * Makes room for size records of record_size bytes, which begin with a
 * struct pair.  0 or -errno.
 */
int carrier_init(struct carrier *carrier, const struct carrier_owner *owner,
    uint32_t size, size_t record_size);

/* A record, all zeros but for PAIR_OWNERS; NULL if all are in use. */
struct pair *carrier_new(struct carrier *carrier);

/* Takes a record back, with its timer.  Its sockets are the caller's. */
void carrier_release(struct carrier *carrier, struct pair *pair);

/* Record i, i < carrier->high; its state may be PAIR_FREE. */
struct pair *carrier_record(const struct carrier *carrier, uint32_t i);

/*
 * Registers a socket of a pair (side: CLIENT, BACKEND), once for its life.
 * Closing it ends that unless somebody else has the same socket open: then
 * carrier_forget() has to be called before.  0 or -errno.
 */
int carrier_watch(
    struct carrier *carrier, int socket, struct pair *pair, int side);
void carrier_forget(struct carrier *carrier, int socket);

/*
 * Registers something else for POLLIN, level-triggered; exclusive: only one
 * of the processes that watch it is woken.
 */
int carrier_watch_other(
    struct carrier *carrier, int fd, uint32_t id, bool exclusive);

/* From here on pair->relay, which is initialised, is carried. */
void carrier_carry(struct carrier *carrier, struct pair *pair);

/* Has what happened to it looked at, in this turn or the next. */
void carrier_queue(struct carrier *carrier, struct pair *pair);

/* Ends a pair that is carried. */
void carrier_part(struct carrier *carrier, struct pair *pair, enum end end);

/* Ends an owner's pair that has a client only, in order. */
void carrier_part_client(struct carrier *carrier, struct pair *pair, int client,
    enum end end, int64_t ms);

/*
 * Sleeps until something happens, the deadline or a signal, and does what is
 * to be done then.  The clock ticks once.
 */
void carrier_turn(struct carrier *carrier, struct deadline until);

#endif
