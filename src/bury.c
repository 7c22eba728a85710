/*
 * bury.c - what is left of a process that died: its connections.
 */
#include "bury.h"

#include <sys/wait.h>

#include "log.h"

const struct service *
bury_service(const struct generation *g, uint16_t row)
{
	/* Which several may have, when the scoreboard has no rows left. */
	if (row == CONN_NO_SERVICE)
		return NULL;
	for (size_t i = 0; i < g->rules->n_services; i++)
		if (g->rows[i] == row)
			return &g->rules->services[i];
	return NULL;
}

void
bury_slot(const struct generation *g, struct connection *slot, enum end end,
    int error)
{
	const struct settings *settings = &g->rules->settings;
	const struct service *service = bury_service(g, slot->service);

	log_lost(g->board, slot, end, error,
	    service == NULL ? settings->limits.log : service->limits.log,
	    settings->hide_clients);
}

bool
bury_connection(
    const struct generation *g, struct connection *slot, pid_t pid, int status)
{
	enum end end;

	/* Nearly always it is: and who claims asks the kernel for its pid. */
	if (scoreboard_owner(slot) != pid)
		return false;
	/* An offer may be taken at this very moment: then it lives on. */
	if (!scoreboard_claim(slot, pid))
		return false;
	end = slot->end;
	if (WIFSIGNALED(status))
		end = END_KILLED;
	else if (end == END_NONE)
		end = END_ERROR;
	bury_slot(g, slot, end, slot->error);
	return true;
}

unsigned
bury_process(const struct generation *g, pid_t pid, int status)
{
	uint32_t high = atomic_load(&g->board->head->high);
	unsigned n = 0;

	for (uint32_t i = 0; i < high && i < SCOREBOARD_SLOTS; i++)
		n += bury_connection(
		    g, scoreboard_slot(g->board, i), pid, status);
	if (n > 0)
		log_violation(status);
	return n;
}
