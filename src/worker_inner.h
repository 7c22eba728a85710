/*
 * worker_inner.h - what the two worker files share.  For them only.
 */
#ifndef USHER_WORKER_INNER_H
#define USHER_WORKER_INNER_H

#include "carrier.h"
#include "door.h"
#include "offer.h"
#include "worker.h"

/* A client of this worker, from accept to where it is handed on. */
struct guest {
	struct pair pair; /* first: see guest_of() */
	struct session session;
	struct await await;
	struct guest *older, *newer; /* among the undecided */
	struct offer offer;
	uint16_t attempt; /* 1 + the backend whose socket is watched; 0: none */
	bool undecided, begun; /* listed; asked for the first time */
	bool offered;
};

struct worker {
	struct carrier carrier;
	struct door door;
	struct offers offers;
	const struct worker_place *place;
	struct guest *oldest, *newest; /* undecided */
	bool listening; /* the listeners are watched */
	bool retiring; /* nobody else is let in */
	bool ending; /* and those who are here are not to stay */
	uint32_t room; /* so many can be here with the descriptors we have */
};

/* The one of this process. */
extern struct worker worker;

static inline struct guest *
guest_of(struct pair *pair)
{
	return (struct guest *)pair;
}

/* Shows the others which guest has been undecided for longest. */
void guest_publish(const struct worker *worker);

/* A guest that the door let in. */
void guest_begin(struct worker *worker, const struct session *session);

/* Ends a guest that does not relay yet. */
void guest_stop(struct worker *worker, struct guest *guest, enum end end);

/* How long a guest that relays is quiet before it stays; -1: it cannot. */
int64_t guest_stays_after_ms(const struct worker *worker);

/* What the carrier tells about a guest, see carrier.h; and offers, offer.h. */
void guest_ready(struct carrier *carrier, struct pair *pair, bool late);
void guest_stays(struct carrier *carrier, struct pair *pair);
void guest_over(struct carrier *carrier, struct pair *pair);
void guest_came_back(struct pair *pair);
void guest_was_taken(struct pair *pair);

#endif
