/*
 * idleness.h - whether nobody has come for as long as exit-idle-time.
 *
 * The one idea: idle is no connection now, and none that came and went since;
 * that is looked at some times in the period, and counted by nobody.
 */
#ifndef USHER_IDLENESS_H
#define USHER_IDLENESS_H

#include <stdbool.h>
#include <stdint.h>

#include "scoreboard.h"

/* Zeroed at first. */
struct idleness {
	int64_t due_us; /* of the next look */
	uint64_t total; /* connections ever, at the last look */
	unsigned looks; /* since anything happened */
};

/* Looks; returns whether it has been so for period_us. */
bool idleness_look(struct idleness *idleness, const struct scoreboard *board,
    int64_t period_us);

#endif
