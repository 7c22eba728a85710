/*
 * scoreboard_mend.c - puts right what killed processes left undone.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alive.h"
#include "scoreboard.h"
#include "scoreboard_inner.h"

#define RECOUNT_TRIES 8

/* What the counts should be; then by how much they are wrong. */
struct recount {
	uint32_t connections, pending;
	uint32_t services[SCOREBOARD_SERVICES];
	uint16_t sources[SCOREBOARD_SOURCES];
};

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

/* Who reaps a process knows how it ended, and is about to say so. */
static bool
is_gone(const struct connection *slot, int32_t pid)
{
	return !process_alive(pid, slot->since_us) &&
	    !process_awaits(pid, getpid());
}

static void
free_the_dead(struct scoreboard *board,
    void (*each)(struct connection *slot, void *arg), void *arg)
{
	uint32_t high = atomic_load(&board->head->high);

	if (high > SCOREBOARD_SLOTS)
		high = SCOREBOARD_SLOTS;
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

/* Counts one slot.  Returns false if it is in the middle of a change. */
static bool
count(const struct scoreboard *board, const struct connection *slot,
    struct recount *sum)
{
	uint32_t state = atomic_load(&slot->state);
	int bucket;

	if (atomic_load(&slot->pid) == 0)
		return true;
	if (state == CONN_MOVING || state == CONN_FREE)
		return false;
	sum->connections++;
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
recount(struct scoreboard *board, struct recount *sum)
{
	struct scoreboard_head *head = board->head;
	uint32_t changes = atomic_load(&head->changes);
	uint32_t high = atomic_load(&head->high);
	uint32_t rows = atomic_load(&head->rows);

	if (high > SCOREBOARD_SLOTS || rows > SCOREBOARD_SERVICES)
		return false;
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < high; i++)
		if (!count(board, scoreboard_slot(board, i), sum))
			return false;
	compare(board, sum, rows);
	if (atomic_load(&head->changes) != changes)
		return false;
	correct(board, sum, rows);
	return true;
}

int
scoreboard_mend(struct scoreboard *board,
    void (*each)(struct connection *slot, void *arg), void *arg)
{
	struct recount *sum;
	bool done = false;

	if (atomic_load(&board->head->high) == 0)
		return 0;
	free_the_dead(board, each, arg);
	/* For a moment, once in a long while: not worth keeping. */
	sum = mmap(NULL, sizeof(*sum), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sum == MAP_FAILED)
		return -errno;
	for (int i = 0; i < RECOUNT_TRIES && !done; i++)
		done = recount(board, sum);
	munmap(sum, sizeof(*sum));
	return done ? 0 : -EAGAIN;
}
