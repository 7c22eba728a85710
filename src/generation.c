#include "generation.h"

#include <syslog.h>

#include "arena.h"
#include "handover.h"
#include "log.h"
#include "match.h"

void
generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	/* What it consists of is the rules' memory. */
	rules_free((struct rules *)g->rules);
}

static void
find_rows(struct generation *g)
{
	const struct rules *rules = g->rules;
	bool all = true;

	for (size_t i = 0; i < rules->n_services; i++) {
		g->rows[i] =
		    scoreboard_service(g->board, rules->services[i].name);
		all = all && g->rows[i] != CONN_NO_SERVICE;
	}
	if (!all)
		log_event(LOG_WARNING,
		    "usher status cannot tell all services apart: the "
		    "runtime directory is full, or there were too many");
}

struct generation *
generation_new(struct scoreboard *board, int relay_exe, struct rules *rules)
{
	struct generation *g = arena_alloc(rules->arena, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->rows = arena_alloc(
	    rules->arena, (rules->n_services + 1) * sizeof(*g->rows));
	if (g->rows == NULL)
		return NULL;
	g->rules = rules;
	g->board = board;
	find_rows(g);
	g->index = match_index_new(rules);
	g->needs_local = match_needs_local(rules);
	g->may_be_early = match_may_be_early(rules);
	g->relay_exe = relay_exe;
	g->keeper = KEEPER_FD;
	return g;
}
