/*
 * rest.h - how a process sleeps that may have nothing to do for days.
 *
 * The one idea: what can be read again need not be kept.  The pages of a
 * program's own code and of the scoreboard are in memory anyway, in the page
 * cache; but those that a process has looked at, and fifteen around each, are
 * counted as its own until it says that it does not need them.
 */
#ifndef USHER_REST_H
#define USHER_REST_H

#include "scoreboard.h"
#include "waits.h"

/* Nothing happened for so long: it is quiet. */
#define REST_AFTER_MS 1000

/*
 * As wait_any(); when it is quiet, what the process has mapped of its code and
 * of the board, and its stack beyond what is in use, is given back.  All of it
 * is there again, page by page, once it is used.  Only in the static programs,
 * whose code is in one piece; the others just wait.
 */
int rest_wait(struct pollfd *fds, nfds_t n, struct deadline until,
    const struct scoreboard *board);

#endif
