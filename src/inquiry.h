/*
 * inquiry.h - why connections from the clients' own addresses fail.
 *
 * The one idea: who is in the sandbox cannot ask the kernel about routes, and
 * whoever connects is.  "usher check" can, and knows the commands that help:
 * it is run once when a connection has failed, and what it has to say of the
 * way back is logged.
 */
#ifndef USHER_INQUIRY_H
#define USHER_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reload.h"

struct inquiry {
	struct reload run; /* what usher check says */
	int64_t due_us; /* not again before then */
};

/*
 * Runs "usher check" on the rules in config, NULL being those that are read
 * by default, and path usher's file; not if it has done so a moment ago.
 */
void inquiry_start(struct inquiry *inquiry, const char *path, char *config);

/* Whether pid, which has ended, was that: then what it said is logged. */
bool inquiry_finish(struct inquiry *inquiry, pid_t pid);

#endif
