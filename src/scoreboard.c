/*
 * scoreboard.c - taking slots, giving them back, and the counts.
 *
 * What makes this safe against a process being killed between any two
 * instructions: slot->pid is the one truth about whose a slot is, and it only
 * goes 0 -> acceptor -> child -> 0, or 0 -> acceptor -> 0 if it never needed a
 * child, or 0 -> worker -> -worker -> relay -> 0, or from a dead process to one
 * that claims it.  Everything that changes a count first puts the slot into
 * CONN_MOVING and adds one to head->changes.  So a change that was cut short
 * can be seen (the slot is moving and its process is dead), and so can a change
 * that is going on while scoreboard_mend() counts.
 */
#include "scoreboard.h"

#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "scoreboard_inner.h"

/*
 * Counts never go below zero: one that was missed, because somebody was
 * killed, must not become four thousand million.
 */
static void
drop(_Atomic uint32_t *count)
{
	uint32_t old = atomic_load(count);

	while (old > 0 && !atomic_compare_exchange_weak(count, &old, old - 1))
		continue;
}

static void
count_source(const struct scoreboard *board, const struct endpoint *client)
{
	int bucket = scoreboard_bucket(board, client);

	if (bucket >= 0)
		atomic_fetch_add(&board->sources[bucket], 1);
}

static void
drop_source(const struct scoreboard *board, const struct endpoint *client)
{
	int bucket = scoreboard_bucket(board, client);
	uint16_t old;

	if (bucket < 0)
		return;
	/*
	 * The first look is an attempt: reading first would have the kernel
	 * map the pages around for reading, and then this one for writing.
	 */
	old = 1;
	while (old > 0 &&
	    !atomic_compare_exchange_weak(
		&board->sources[bucket], &old, (uint16_t)(old - 1)))
		continue;
}

static void
drop_pending(struct scoreboard_head *head, struct connection *slot)
{
	if (slot->pending)
		drop(&head->pending);
	slot->pending = 0;
}

/* Puts the slot into CONN_MOVING if it is in state from; see above. */
static bool
begin(struct scoreboard_head *head, struct connection *slot, uint32_t from)
{
	if (!atomic_compare_exchange_strong(&slot->state, &from, CONN_MOVING))
		return false;
	atomic_fetch_add(&head->changes, 1);
	return true;
}

struct tally *
scoreboard_tally(const struct scoreboard *board, uint16_t row)
{
	if (row < SCOREBOARD_SERVICES)
		return &board->services[row];
	return &board->head->unserved;
}

/* New rules ask for most rows in the order of the old ones: look there. */
static uint32_t
find_row(struct scoreboard *board, const char *name, uint32_t rows)
{
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t row = (board->row + i) % rows;

		if (strncmp(board->services[row].name, name,
			SCOREBOARD_NAME_MAX - 1) != 0)
			continue;
		board->row = row + 1;
		return row;
	}
	return rows;
}

struct backends *
scoreboard_backends(const struct scoreboard *board, uint16_t row)
{
	if (row > SCOREBOARD_SERVICES)
		row = SCOREBOARD_SERVICES;
	return &board->backends[row];
}

uint16_t
scoreboard_service(struct scoreboard *board, const char *name)
{
	uint32_t rows = atomic_load(&board->head->rows);
	size_t len = strnlen(name, SCOREBOARD_NAME_MAX - 1);
	struct tally *tally;
	uint32_t row;

	if (rows > SCOREBOARD_SERVICES)
		return CONN_NO_SERVICE;
	row = find_row(board, name, rows);
	if (row < rows)
		return (uint16_t)row;
	if (row == SCOREBOARD_SERVICES)
		return CONN_NO_SERVICE;

	tally = &board->services[row];
	if (scoreboard_provide(board, SERVICES_AT + row * sizeof(*tally),
		sizeof(*tally)) < 0 ||
	    scoreboard_provide(
		board, BACKENDS_OF(row), sizeof(*board->backends)) < 0)
		return CONN_NO_SERVICE;
	memset(tally, 0, sizeof(*tally));
	memset(&board->backends[row], 0, sizeof(*board->backends));
	memcpy(tally->name, name, len);
	atomic_store(&board->head->rows, row + 1);
	return (uint16_t)row;
}

struct connection *
scoreboard_slot(const struct scoreboard *board, uint32_t i)
{
	return (void *)(board->slots + (size_t)i * CONNECTION_SIZE);
}

uint32_t
scoreboard_index(const struct scoreboard *board, const struct connection *slot)
{
	size_t offset = (size_t)((const uint8_t *)slot - board->slots);

	return (uint32_t)(offset / CONNECTION_SIZE);
}

void
scoreboard_free(struct scoreboard *board, uint32_t i)
{
	struct connection *slot = scoreboard_slot(board, i);

	atomic_store(&slot->state, CONN_FREE);
	atomic_store(&slot->pid, 0);
	scoreboard_clear_hint(board->head, i);
}

int
scoreboard_grow(const struct scoreboard *board, _Atomic uint32_t *high_at,
    size_t base, size_t size, uint32_t i)
{
	uint32_t high = atomic_load(high_at);
	uint32_t next = (i / CHUNK + 1) * CHUNK;
	int r;

	if (i < high)
		return 0;
	r = scoreboard_provide(board, base + high * size, (next - high) * size);
	if (r < 0)
		return r;
	while (
	    high < next && !atomic_compare_exchange_weak(high_at, &high, next))
		continue;
	return 0;
}

/* Slot i is the caller's by its pid: fills it in. */
static void
start(struct scoreboard *board, struct connection *slot,
    const struct endpoint *client)
{
	struct scoreboard_head *head = board->head;

	begin(head, slot, CONN_FREE);
	atomic_store(&slot->evict, 0);
	slot->service = CONN_NO_SERVICE;
	slot->end = END_NONE;
	slot->start_us = slot->since_us = clock_us();
	slot->wait_us = -1;
	slot->connect_us = -1;
	atomic_store(&slot->active_us, slot->start_us);
	atomic_store(&slot->bytes_in, 0);
	atomic_store(&slot->bytes_out, 0);
	slot->client = *client;
	memset(&slot->local, 0, sizeof(slot->local));
	slot->backend.family = 0;
	slot->backend_port = 0;
	slot->error = 0;
	slot->protocol[0] = '\0';
	slot->name_len = slot->alpn_len = slot->path_len = 0;
	slot->pending = 1;
	atomic_fetch_add(&head->connections, 1);
	atomic_fetch_add(&head->pending, 1);
	count_source(board, client);
	/* Last: of a slot that was never filled in there is nothing to say. */
	atomic_store(&slot->due, 1);
	atomic_store(&slot->state, CONN_PENDING);
}

struct connection *
scoreboard_take(
    struct scoreboard *board, uint32_t limit, const struct endpoint *client)
{
	int32_t self = board->self != 0 ? board->self : getpid();
	int i;

	board->lacking = 0;
	if (limit > SCOREBOARD_SLOTS)
		limit = SCOREBOARD_SLOTS;
	if (atomic_load(&board->head->connections) >= limit)
		return NULL;
	while ((i = scoreboard_claim_hint(board->head, limit)) >= 0) {
		struct connection *slot = scoreboard_slot(board, (uint32_t)i);
		int32_t nobody = 0;

		board->lacking = -scoreboard_grow(board, &board->head->high,
		    SLOTS_AT, CONNECTION_SIZE, (uint32_t)i);
		if (board->lacking != 0) {
			scoreboard_clear_hint(board->head, (uint32_t)i);
			return NULL;
		}
		/* The hint may have been wrong; the pid never is. */
		if (atomic_compare_exchange_strong(&slot->pid, &nobody, self)) {
			start(board, slot, client);
			return slot;
		}
	}
	return NULL;
}

bool
scoreboard_pass(struct connection *slot, int32_t from, int32_t to)
{
	return atomic_compare_exchange_strong(&slot->pid, &from, to);
}

bool
scoreboard_adopt(struct connection *slot, int32_t from, int32_t to)
{
	/* First: nobody may see to with a time at which it was not there. */
	slot->since_us = clock_us();
	return scoreboard_pass(slot, from, to);
}

bool
scoreboard_claim(struct connection *slot, int32_t pid)
{
	int32_t self = getpid();

	return scoreboard_pass(slot, pid, self) ||
	    scoreboard_pass(slot, -pid, self);
}

uint32_t
scoreboard_source_count(
    const struct scoreboard *board, const struct endpoint *client)
{
	int bucket = scoreboard_bucket(board, client);

	return bucket < 0 ? 0 : atomic_load(&board->sources[bucket]);
}

void
scoreboard_source_move(struct scoreboard *board, struct connection *slot,
    const struct endpoint *client)
{
	uint32_t state = atomic_load(&slot->state);

	if (!begin(board->head, slot, state))
		return;
	drop_source(board, &slot->client);
	slot->client = *client;
	count_source(board, client);
	atomic_store(&slot->state, state);
}

void
scoreboard_decided(
    struct scoreboard *board, struct connection *slot, uint16_t row)
{
	struct tally *tally = scoreboard_tally(board, row);

	if (!begin(board->head, slot, CONN_PENDING))
		return;
	drop_pending(board->head, slot);
	slot->service = row;
	if (row != CONN_NO_SERVICE) {
		atomic_fetch_add(&tally->connections, 1);
		atomic_fetch_add(&tally->total, 1);
	}
	atomic_store(&slot->state, CONN_OPEN);
}

/* It counts for nothing any more, but as a process that is still there. */
static void
leave(const struct scoreboard *board, struct connection *slot)
{
	drop_source(board, &slot->client);
	drop_pending(board->head, slot);
	if (slot->service != CONN_NO_SERVICE)
		drop(&scoreboard_tally(board, slot->service)->connections);
}

bool
scoreboard_ended(struct scoreboard *board, struct connection *slot)
{
	uint32_t state = atomic_load(&slot->state);

	if ((state != CONN_PENDING && state != CONN_OPEN) ||
	    !begin(board->head, slot, state))
		return false;
	leave(board, slot);
	atomic_store(&slot->state, CONN_ENDED);
	return true;
}

/* Adds what the connection moved to its service's totals. */
static void
total(const struct scoreboard *board, const struct connection *slot)
{
	struct tally *tally = scoreboard_tally(board, slot->service);
	unsigned end = slot->end < END_COUNT ? slot->end : END_ERROR;

	if (slot->service == CONN_NO_SERVICE)
		atomic_fetch_add(&tally->total, 1);
	atomic_fetch_add(&tally->bytes_in, atomic_load(&slot->bytes_in));
	atomic_fetch_add(&tally->bytes_out, atomic_load(&slot->bytes_out));
	atomic_fetch_add(&tally->ends[end], 1);
}

bool
scoreboard_give_back(struct scoreboard *board, struct connection *slot)
{
	struct scoreboard_head *head = board->head;
	uint32_t state = atomic_load(&slot->state);

	if (state == CONN_MOVING || state == CONN_FREE) {
		/* Of one that was killed in a change: mend has to free it. */
		scoreboard_pass(slot, getpid(), SLOT_OF_NOBODY);
		return false;
	}
	if (!begin(head, slot, state))
		return false;
	if (state != CONN_ENDED)
		leave(board, slot);
	total(board, slot);
	drop(&head->connections);
	scoreboard_free(board, scoreboard_index(board, slot));
	return true;
}
