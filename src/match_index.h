/*
 * match_index.h - services by the server names they ask for.
 *
 * The one idea: a service that asks for exact server names and nothing else
 * can only say yes to a hello with one of these names.  So once there is a
 * name, or it is certain that there will be none, only the services found
 * under it have to be asked, and those that do not ask for exact names.
 * First match stays the rule: both are walked in file order.
 */
#ifndef USHER_MATCH_INDEX_H
#define USHER_MATCH_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "rules.h"

struct match_index;

/*
 * An index over rules, which lives as long as they do.  NULL if there is no
 * memory, or too few services to gain anything.
 */
struct match_index *match_index_new(const struct rules *rules);

/* A walk over the services that have to be asked. */
struct match_walk {
	const struct match_index *index;
	const char *name;
	size_t len;
	uint32_t entry; /* next one under the name */
	uint32_t general; /* next one that has to be asked anyway */
};

/* Begins a walk for a name of len bytes, in any case; len 0: no name. */
void match_index_walk(const struct match_index *index, const char *name,
    size_t len, struct match_walk *ret);

/* The number of the next service, or UINT32_MAX at the end. */
uint32_t match_index_next(struct match_walk *walk);

#endif
