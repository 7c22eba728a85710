#include "idleness.h"

#include "deadline.h"

/* How often it is looked at within the period. */
#define LOOKS 4

static uint64_t
connections_ever(const struct scoreboard *board)
{
	uint64_t sum = atomic_load(&board->head->unserved.total);
	uint32_t rows = atomic_load(&board->head->rows);

	for (uint32_t i = 0; i < rows && i < SCOREBOARD_SERVICES; i++)
		sum += atomic_load(&board->services[i].total);
	return sum;
}

bool
idleness_look(struct idleness *idleness, const struct scoreboard *board,
    int64_t period_us)
{
	uint64_t total = connections_ever(board);

	idleness->due_us = clock_us() + period_us / LOOKS + 1;
	if (total != idleness->total ||
	    atomic_load(&board->head->connections) != 0)
		idleness->looks = 0;
	else
		idleness->looks++;
	idleness->total = total;
	return idleness->looks > LOOKS;
}
