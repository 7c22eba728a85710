/*
 * rules_named.h - the services that ask for names, by these names.
 *
 * The one idea: a service that asks for certain names covers none that asks
 * for others, so that among a thousand services few are worth a closer look.
 */
#ifndef USHER_RULES_NAMED_H
#define USHER_RULES_NAMED_H

#include <stdint.h>

#include "rules_parser.h"

#define NAMED_NONE UINT32_MAX

struct named_entry {
	const struct name_pattern *pattern;
	enum condition_kind kind; /* COND_SERVER_NAME or COND_HTTP_HOST */
	uint32_t draft; /* its index */
	uint32_t next; /* in the same bucket, or NAMED_NONE */
};

struct named {
	uint32_t mask;
	uint32_t *buckets; /* first entry, or NAMED_NONE */
	struct named_entry *entries;
	uint32_t n_entries;
	uint32_t *others; /* drafts that have to be looked at each time */
	uint32_t n_others;
};

/*
 * Over all drafts without mistakes, whose kinds have been noted, in scratch
 * memory.  Returns 0 or -ENOMEM.
 */
int named_build(const struct parser *parser, struct named *ret);

/* The part of a name's own pattern that is looked for next. */
struct named_walk {
	const struct named *named;
	const struct name_pattern *name;
	enum condition_kind kind;
	uint32_t at; /* where that part begins */
	uint32_t entry;
};

/* All drafts that ask for a pattern that holds this one; see named_next(). */
void named_walk(const struct named *named, enum condition_kind kind,
    const struct name_pattern *name, struct named_walk *ret);

/* The next of them, in no order and some more than once, or NAMED_NONE. */
uint32_t named_next(struct named_walk *walk);

#endif
