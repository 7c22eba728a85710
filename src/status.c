/*
 * status.c - what a scoreboard says.
 */
#include "status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alive.h"

static bool
is_live(const struct connection *slot)
{
	uint32_t state = atomic_load(&slot->state);

	return (state == CONN_PENDING || state == CONN_OPEN) &&
	    process_alive(scoreboard_owner(slot), slot->since_us);
}

static int
by_age(const void *a, const void *b)
{
	const struct connection *const *x = a, *const *y = b;

	return ((*x)->start_us > (*y)->start_us) -
	    ((*x)->start_us < (*y)->start_us);
}

static void
add_connection(struct status *status, const struct connection *slot)
{
	uint32_t row =
	    slot->service < status->rows ? slot->service : status->rows;
	struct status_sum *sum = &status->sums[row];

	status->connections[status->n++] = slot;
	status->pending += atomic_load(&slot->state) == CONN_PENDING;
	sum->connections++;
	sum->bytes_in += atomic_load(&slot->bytes_in);
	sum->bytes_out += atomic_load(&slot->bytes_out);
}

static void
add_tally(struct status_sum *sum, const struct tally *tally)
{
	sum->total = atomic_load(&tally->total);
	sum->bytes_in = atomic_load(&tally->bytes_in);
	sum->bytes_out = atomic_load(&tally->bytes_out);
}

int
status_read(struct status *ret, const struct scoreboard *board, int64_t now_us)
{
	uint32_t high = atomic_load(&board->head->high);
	struct status status = {
		.board = board,
		.now_us = now_us,
		.rows = atomic_load(&board->head->rows),
	};

	status.connections = calloc(high + 1, sizeof(*status.connections));
	status.sums = calloc(status.rows + 1, sizeof(*status.sums));
	if (!status.connections || !status.sums) {
		status_free(&status);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < status.rows; i++)
		add_tally(&status.sums[i], &board->services[i]);
	add_tally(&status.sums[status.rows], &board->head->unserved);
	for (uint32_t i = 0; i < high; i++)
		if (is_live(scoreboard_slot(board, i)))
			add_connection(&status, scoreboard_slot(board, i));
	qsort(
	    status.connections, status.n, sizeof(*status.connections), by_age);
	*ret = status;
	return 0;
}

void
status_free(struct status *status)
{
	free(status->connections);
	free(status->sums);
}
