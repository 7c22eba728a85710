/*
 * rules_index.h - services by what they ask for, for those who compare them.
 *
 * The one idea: a service that asks for certain names or networks covers none
 * that asks for others, so that among a thousand services few are worth a
 * closer look.  Each is filed under the values of one of its conditions; what
 * holds a value is found under that value or under a wider one.
 *
 * What is found is a candidate: different values may share a place.
 */
#ifndef USHER_RULES_INDEX_H
#define USHER_RULES_INDEX_H

#include <stdint.h>

#include "rules_parser.h"

#define INDEX_NONE UINT32_MAX

struct index_entry {
	uint32_t hash; /* of the value it is filed under */
	uint32_t draft; /* its index */
	uint32_t next; /* in the same bucket, or INDEX_NONE */
};

struct rules_index {
	uint32_t mask;
	uint32_t *buckets; /* first entry, or INDEX_NONE */
	uint32_t *crowd; /* how many values of all drafts belong there */
	struct index_entry *entries;
	uint32_t n_entries;
	uint32_t *others; /* drafts that have to be looked at each time */
	uint32_t n_others;
	bool lengths[129]; /* of prefixes: which networks have */
};

/* What is filed under: nothing is under other kinds. */
extern const enum condition_kind index_kinds[];
extern const size_t index_kinds_count;

/*
 * Over all drafts without mistakes, whose kinds have been noted, in scratch
 * memory.  Returns 0 or -ENOMEM.
 */
int index_build(const struct parser *parser, struct rules_index *ret);

/* A value, and how much wider it is by now. */
struct index_walk {
	const struct rules_index *index;
	const struct value *value;
	enum condition_kind kind; /* one of index_kinds */
	unsigned step;
	uint32_t hash, entry;
};

/* All drafts that ask for a value that holds this one; see index_next(). */
void index_walk(const struct rules_index *index, enum condition_kind kind,
    const struct value *value, struct index_walk *ret);

/* The next of them, in no order and some more than once, or INDEX_NONE. */
uint32_t index_next(struct index_walk *walk);

#endif
