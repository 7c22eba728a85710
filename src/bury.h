/*
 * bury.h - what is left of a process that died: its connections.
 *
 * The one idea: a connection ends with its process, whoever that was.  The
 * process that reaps it writes the line and mends the counts.
 */
#ifndef USHER_BURY_H
#define USHER_BURY_H

#include <sys/types.h>

#include "session.h"

/*
 * Process pid, of which wait() said status, is gone: ends what it served and
 * what it had offered to others who have not taken it, one line each.  The
 * rules are those of generation.  Returns how many connections that were.
 */
unsigned bury_process(
    const struct generation *generation, pid_t pid, int status);

/* The same for one of its connections, if it is that; whether it was. */
bool bury_connection(const struct generation *generation,
    struct connection *slot, pid_t pid, int status);

/* Ends the connection of a slot that is this process's. */
void bury_slot(const struct generation *generation, struct connection *slot,
    enum end end, int error);

/* The service that has this row in the scoreboard, or NULL. */
const struct service *bury_service(
    const struct generation *generation, uint16_t row);

#endif
