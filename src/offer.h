/*
 * offer.h - a worker's relay, and what was offered to it.
 *
 * The one idea: whatever becomes of the relay, a connection is carried on by
 * exactly one process: by the relay once it has taken the slot, else by the
 * worker as before.  See batch.h.
 */
#ifndef USHER_OFFER_H
#define USHER_OFFER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "batch.h"
#include "carrier.h"
#include "complaints.h"
#include "session.h"

/* In the record of a connection that can be offered. */
struct offer {
	struct offer *older, *newer;
	struct pair *pair;
	int64_t start_us; /* of the connection, to know the slot by */
};

struct offers {
	const struct generation *generation;
	struct carrier *carrier;
	uint32_t id; /* what the carrier calls the relay's socket */
	/* It is the worker's again; nobody but the worker knew. */
	void (*came_back)(struct pair *pair);
	/* The relay has it: to be released, descriptors and all. */
	void (*was_taken)(struct pair *pair);

	pid_t pid; /* 0: none runs */
	int control; /* -1: none */
	unsigned unanswered; /* messages */
	bool stalled; /* some of those were taken back unread */
	struct complaints complaints;
	int64_t started_us, not_before_us, answer_due_us;
	struct offer *oldest, *newest; /* offered, and not answered yet */
	struct batch batch; /* to be sent at the end of the turn */
};

/* Sets out without a relay: one is started when it is needed. */
void offers_init(struct offers *offers);

/* Whether more can be offered now. */
bool offers_welcome(const struct offers *offers);

/*
 * Offers pair, whose slot is this process's and whose relay stays.  From now
 * on it is to be left alone until came_back() or was_taken().
 */
void offers_add(struct offers *offers, struct offer *offer, struct pair *pair,
    const struct handover *handover);

/* Sends what was added since.  To be called at the end of each turn. */
void offers_send(struct offers *offers);

/* The carrier says that the relay's socket is ready. */
void offers_hear(struct offers *offers);

/*
 * Process pid has ended; whether that was the relay.  To be called before the
 * slots of that process are given back.
 */
bool offers_reap(struct offers *offers, pid_t pid);

/* When offers_send() has something to do even if nothing happens. */
struct deadline offers_due(const struct offers *offers);

#endif
