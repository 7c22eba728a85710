/*
 * status.h - what a scoreboard says, for people and for programs.
 *
 * The one idea: everything is read from a private snapshot, and only
 * processes that exist are believed in.  Three writers show the same.
 */
#ifndef USHER_STATUS_H
#define USHER_STATUS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "scoreboard.h"

/* Sums of one service: what has ended and what goes on. */
struct status_sum {
	uint32_t connections; /* now */
	uint64_t total, bytes_in, bytes_out;
};

struct status {
	const struct scoreboard *board; /* a snapshot */
	int64_t now_us;
	size_t n;
	const struct connection **connections; /* the oldest first */
	uint32_t pending; /* of them, without a decision yet */
	uint32_t rows; /* services; sums[rows] is of those without one */
	struct status_sum *sums;
};

/*
 * Looks through the snapshot board, which has to outlive ret.  0 or -ENOMEM.
 */
int status_read(
    struct status *ret, const struct scoreboard *board, int64_t now_us);
void status_free(struct status *status);

/* Two tables: connections, and totals by service. */
void status_write_table(FILE *out, const struct status *status);

/* One object, times in seconds; see usher(8). */
void status_write_json(FILE *out, const struct status *status);

/* The Prometheus text format, version 0.0.4. */
void status_write_prometheus(FILE *out, const struct status *status);

#endif
