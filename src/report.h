/*
 * report.h - what systemd is told of a running usherd: READY, and the counts.
 */
#ifndef USHER_REPORT_H
#define USHER_REPORT_H

#include <stdint.h>

#include "session.h"

/* Connections at the last report, which need not be said again if none. */
struct report {
	uint32_t said;
};

/* STATUS=, unless there is nothing and was nothing. */
void report_counts(struct report *report, const struct generation *generation);

/* READY=1, with the counts. */
void report_ready(struct report *report, const struct generation *generation);

#endif
