/*
 * scoreboard_mend.c - puts right what killed processes left undone.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alive.h"
#include "deadline.h"
#include "scoreboard.h"
#include "scoreboard_inner.h"

#define RECOUNT_TRIES 8

/* A change takes a microsecond.  One that takes as long as this, although its
 * process is there, is no change but a lie, and is not waited for. */
#define CHANGE_MAX_US INT64_C(60000000)

static int64_t waiting_since_us; /* for slots in a change; 0: for none */

/* What the counts should be; then by how much they are wrong. */
struct recount {
	uint32_t connections, pending;
	uint32_t services[SCOREBOARD_SERVICES];
	uint16_t sources[SCOREBOARD_SOURCES];
};

static uint32_t
slots_used(const struct scoreboard *board)
{
	uint32_t high = atomic_load(&board->head->high);

	return high < SCOREBOARD_SLOTS ? high : SCOREBOARD_SLOTS;
}

/*
 * A slot of a dead process.  If it died in the middle of a change, nobody
 * knows which half was done: the slot is freed as it is and recounting does
 * the rest.
 */
static void
bury(struct scoreboard *board, struct connection *slot, int32_t pid,
    void (*each)(struct connection *slot, void *arg), void *arg)
{
	if (!scoreboard_claim(slot, pid))
		return;
	if (each)
		each(slot, arg);
	else
		(void)scoreboard_give_back(board, slot);
	if (atomic_load(&slot->pid) == SLOT_OF_NOBODY)
		scoreboard_free(board, scoreboard_index(board, slot));
}

/*
 * Who reaps a process knows how it ended, and is about to say so.  Since a
 * process that was broken into can write any number here, one that cannot be
 * a connection's counts as gone: else the slot would be taken for ever.
 */
static bool
is_gone(const struct connection *slot, int32_t pid)
{
	if (process_is_foreign(pid))
		return true;
	return !process_alive(pid, slot->since_us) &&
	    !process_awaits(pid, getpid());
}

static void
free_the_dead(struct scoreboard *board,
    void (*each)(struct connection *slot, void *arg), void *arg)
{
	uint32_t high = slots_used(board);

	for (uint32_t i = 0; i < high; i++) {
		struct connection *slot = scoreboard_slot(board, i);
		int32_t pid = scoreboard_owner(slot);

		if (pid == 0)
			/* Harmless if somebody is just taking it. */
			scoreboard_clear_hint(board->head, i);
		else if (is_gone(slot, pid))
			bury(board, slot, pid, each, arg);
	}
}

/*
 * Counts one slot.  Returns false if it is in the middle of a change that has
 * to be waited for.
 */
static bool
count(const struct scoreboard *board, const struct connection *slot,
    struct recount *sum, bool wait)
{
	uint32_t state = atomic_load(&slot->state);
	int bucket;

	if (atomic_load(&slot->pid) == 0)
		return true;
	if (wait && (state == CONN_MOVING || state == CONN_FREE))
		return false;
	sum->connections++;
	if (state == CONN_ENDED)
		return true;
	if (slot->pending)
		sum->pending++;
	if (slot->service < SCOREBOARD_SERVICES)
		sum->services[slot->service]++;
	bucket = scoreboard_bucket(board, &slot->client);
	if (bucket >= 0)
		sum->sources[bucket]++;
	return true;
}

/* From what the counts should be, subtracts what they are. */
static void
compare(const struct scoreboard *board, struct recount *sum, uint32_t rows)
{
	sum->connections -= atomic_load(&board->head->connections);
	sum->pending -= atomic_load(&board->head->pending);
	for (uint32_t i = 0; i < rows; i++)
		sum->services[i] -=
		    atomic_load(&board->services[i].connections);
	for (uint32_t i = 0; i < SCOREBOARD_SOURCES; i++)
		sum->sources[i] = (uint16_t)(sum->sources[i] -
		    atomic_load(&board->sources[i]));
}

/* Additions, modulo their width: right even if a change has begun since. */
static void
correct(struct scoreboard *board, const struct recount *wrong, uint32_t rows)
{
	atomic_fetch_add(&board->head->connections, wrong->connections);
	atomic_fetch_add(&board->head->pending, wrong->pending);
	for (uint32_t i = 0; i < rows; i++)
		if (wrong->services[i])
			atomic_fetch_add(&board->services[i].connections,
			    wrong->services[i]);
	for (uint32_t i = 0; i < SCOREBOARD_SOURCES; i++)
		if (wrong->sources[i])
			atomic_fetch_add(&board->sources[i], wrong->sources[i]);
}

/*
 * The slots are read first and the counts second, so a change that was seen
 * finished in its slot is in the counts too; one that began since moved
 * head->changes on; one that is going on was seen in its slot.  In the last
 * two cases nothing is touched and the caller may try again.
 */
static bool
recount(struct scoreboard *board, struct recount *sum, bool wait)
{
	struct scoreboard_head *head = board->head;
	uint32_t changes = atomic_load(&head->changes);
	uint32_t high = slots_used(board);
	uint32_t rows = atomic_load(&head->rows);

	if (rows > SCOREBOARD_SERVICES)
		rows = SCOREBOARD_SERVICES;
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < high; i++)
		if (!count(board, scoreboard_slot(board, i), sum, wait))
			return false;
	compare(board, sum, rows);
	if (atomic_load(&head->changes) != changes)
		return false;
	correct(board, sum, rows);
	return true;
}

/*
 * How many of n things of this size from at on have memory.  All that are in
 * use do, so there is nothing to do but where their number is a lie; reading
 * the others could be a SIGBUS.
 */
static uint32_t
backed(const struct scoreboard *board, size_t at, size_t size, uint32_t n)
{
	uint32_t least = 0, most = n;

	while (least < most) {
		/* All of them first, then halves of what is in doubt. */
		uint32_t try = most == n ? n : least + (most - least + 1) / 2;

		if (scoreboard_provide(board, at, try * size) != -ENOSPC)
			least = try;
		else
			most = try - 1;
	}
	return least;
}

/* Rows are made one after the other, and none without a name. */
static uint32_t
rows_named(const struct scoreboard *board)
{
	uint32_t row = 0;

	while (row < SCOREBOARD_SERVICES &&
	    backed(board, SERVICES_AT + row * sizeof(struct tally),
		sizeof(struct tally), 1) &&
	    board->services[row].name[0])
		row++;
	return row;
}

/* Has *high say how much of a table for slots has memory; returns that. */
static uint32_t
restore_high(const struct scoreboard *board, _Atomic uint32_t *high_at,
    size_t at, size_t size)
{
	uint32_t high = atomic_load(high_at);
	uint32_t most = high < SCOREBOARD_SLOTS ? high : SCOREBOARD_SLOTS;
	uint32_t have = backed(board, at, size, most);

	if (high != have)
		(void)atomic_compare_exchange_strong(high_at, &high, have);
	return have;
}

/* What no honest process writes, and what would be in the way for good. */
static void
restore_head(struct scoreboard *board)
{
	struct scoreboard_head *head = board->head;
	uint32_t rows = atomic_load(&head->rows);
	uint32_t slots =
	    restore_high(board, &head->high, SLOTS_AT, CONNECTION_SIZE);

	restore_high(board, &head->asked, ASKED_AT, sizeof(struct asked));
	restore_high(board, &head->paths, PATHS_AT, ADDR_TEXT_MAX);
	scoreboard_set_shape(head);
	if (rows > SCOREBOARD_SERVICES ||
	    backed(board, SERVICES_AT, sizeof(struct tally), rows) < rows)
		atomic_store(&head->rows, rows_named(board));
	scoreboard_clear_hints_from(head, slots);
}

/* Whether slots in a change are to be waited for, still. */
static bool
is_patient(int64_t now_us)
{
	return waiting_since_us == 0 ||
	    now_us - waiting_since_us < CHANGE_MAX_US;
}

int
scoreboard_mend_at(struct scoreboard *board,
    void (*each)(struct connection *slot, void *arg), void *arg, int64_t now_us)
{
	struct recount *sum;
	bool done = false;

	restore_head(board);
	free_the_dead(board, each, arg);
	/* For a moment, once in a long while: not worth keeping. */
	sum = mmap(NULL, sizeof(*sum), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sum == MAP_FAILED)
		return -errno;
	for (int i = 0; i < RECOUNT_TRIES && !done; i++)
		done = recount(board, sum, is_patient(now_us));
	munmap(sum, sizeof(*sum));
	if (done)
		waiting_since_us = 0;
	else if (waiting_since_us == 0)
		waiting_since_us = now_us;
	return done ? 0 : -EAGAIN;
}

int
scoreboard_mend(struct scoreboard *board,
    void (*each)(struct connection *slot, void *arg), void *arg)
{
	return scoreboard_mend_at(board, each, arg, clock_us());
}
