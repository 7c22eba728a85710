#include "match_index.h"

#include <stdbool.h>
#include <string.h>

#include "arena.h"
#include "byte.h"

/* With fewer services asking them all is as fast. */
#define SERVICES_MIN 8

#define NONE UINT32_MAX

/* FNV-1a, 64 bits. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_TIMES UINT64_C(0x100000001b3)

/* One name of one service.  Those of a bucket are in file order. */
struct entry {
	const struct name_pattern *pattern;
	uint32_t service;
	uint32_t next;
};

struct match_index {
	size_t n_entries, n_general;
	uint32_t mask;
	uint32_t *buckets; /* first entry, or NONE */
	struct entry *entries;
	uint32_t *general;
};

/* Names are an attacker's, but the buckets hold only the rules' names. */
static uint32_t
hash(const char *name, size_t len)
{
	uint64_t h = HASH_START;

	for (size_t i = 0; i < len; i++)
		h = (h ^ byte_lower((uint8_t)name[i])) * HASH_TIMES;
	return (uint32_t)(h ^ h >> 32);
}

/* The condition if it asks for exact names and nothing else, or NULL. */
static const struct condition *
exact_names(const struct service *service)
{
	const struct condition *c = NULL;

	for (size_t i = 0; i < service->n_conditions; i++)
		if (service->conditions[i].kind == COND_SERVER_NAME)
			c = &service->conditions[i];
	for (size_t i = 0; c != NULL && i < c->n; i++)
		if (c->values[i].negated || c->values[i].name.any ||
		    c->values[i].name.suffix)
			return NULL;
	return c;
}

static void
add_names(
    struct match_index *index, const struct condition *c, uint32_t service)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct name_pattern *p = &c->values[i].name;
		uint32_t *link =
		    &index->buckets[hash(p->text, p->len) & index->mask];

		/* At the end, to keep file order. */
		while (*link != NONE)
			link = &index->entries[*link].next;
		*link = (uint32_t)index->n_entries;
		index->entries[index->n_entries++] =
		    (struct entry){ p, service, NONE };
	}
}

static bool
make_room(struct arena *arena, struct match_index *index, size_t names,
    size_t services)
{
	uint32_t buckets = 16;

	while (buckets < names)
		buckets *= 2;
	index->mask = buckets - 1;
	index->buckets = arena_alloc(arena, buckets * sizeof(*index->buckets));
	index->entries =
	    arena_alloc(arena, (names + 1) * sizeof(*index->entries));
	index->general = arena_alloc(arena, services * sizeof(*index->general));
	if (index->buckets == NULL || index->entries == NULL ||
	    index->general == NULL)
		return false;
	memset(index->buckets, 0xff, buckets * sizeof(*index->buckets));
	return true;
}

struct match_index *
match_index_new(const struct rules *rules)
{
	struct match_index *index;
	size_t names = 0;

	if (rules->n_services < SERVICES_MIN)
		return NULL;
	for (size_t i = 0; i < rules->n_services; i++) {
		const struct condition *c = exact_names(&rules->services[i]);

		names += c == NULL ? 0 : c->n;
	}
	index = arena_alloc(rules->arena, sizeof(*index));
	if (index == NULL ||
	    !make_room(rules->arena, index, names, rules->n_services))
		return NULL;
	for (uint32_t i = 0; i < rules->n_services; i++) {
		const struct condition *c = exact_names(&rules->services[i]);

		if (c != NULL)
			add_names(index, c, i);
		else
			index->general[index->n_general++] = i;
	}
	return index;
}

void
match_index_walk(const struct match_index *index, const char *name, size_t len,
    struct match_walk *ret)
{
	if (len > 0 && name[len - 1] == '.')
		len--;
	*ret = (struct match_walk){ index, name, len, NONE, 0 };
	if (len > 0)
		ret->entry = index->buckets[hash(name, len) & index->mask];
}

static bool
is_name(const struct match_walk *walk, const struct name_pattern *pattern)
{
	if (pattern->len != walk->len)
		return false;
	for (size_t i = 0; i < walk->len; i++)
		if (byte_lower((uint8_t)walk->name[i]) !=
		    (uint8_t)pattern->text[i])
			return false;
	return true;
}

/* The next service under the name, which stays next; or NONE. */
static uint32_t
peek_named(struct match_walk *walk)
{
	const struct entry *entries = walk->index->entries;

	while (
	    walk->entry != NONE && !is_name(walk, entries[walk->entry].pattern))
		walk->entry = entries[walk->entry].next;
	return walk->entry == NONE ? NONE : entries[walk->entry].service;
}

uint32_t
match_index_next(struct match_walk *walk)
{
	const struct match_index *index = walk->index;
	uint32_t named = peek_named(walk), general = NONE;

	if (walk->general < index->n_general)
		general = index->general[walk->general];
	if (named < general) {
		walk->entry = index->entries[walk->entry].next;
		return named;
	}
	if (general != NONE)
		walk->general++;
	return general;
}
