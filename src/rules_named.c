/* rules_named.c - services by the names they ask for; see rules_named.h. */
#include "rules_named.h"

#include <errno.h>
#include <string.h>

/* FNV-1a, 32 bits. */
#define HASH_START UINT32_C(0x811c9dc5)
#define HASH_TIMES UINT32_C(0x01000193)

static uint32_t
hash(const char *text, size_t n)
{
	uint32_t h = HASH_START;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)text[i]) * HASH_TIMES;
	return h ^ h >> 16;
}

/* The condition of names, none of which is "*", that it must fulfil; NULL. */
static const struct condition *
names_of(const struct draft *draft)
{
	static const enum condition_kind kinds[] = { COND_SERVER_NAME,
		COND_HTTP_HOST };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct condition *c = draft->by_kind[kinds[i]];
		bool all = draft->wants[kinds[i]];

		for (size_t j = 0; all && j < c->n; j++)
			all = c->values[j].negated || !c->values[j].name.any;
		if (all)
			return c;
	}
	return NULL;
}

static void
add_names(struct named *named, const struct condition *c, uint32_t draft)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct name_pattern *p = &c->values[i].name;
		uint32_t *bucket =
		    &named->buckets[hash(p->text, p->len) & named->mask];

		if (c->values[i].negated)
			continue;
		named->entries[named->n_entries] =
		    (struct named_entry){ p, c->kind, draft, *bucket };
		*bucket = named->n_entries++;
	}
}

static int
make_room(const struct parser *parser, struct named *named)
{
	size_t names = 0, buckets = 16;

	for (size_t i = 0; i < parser->n_drafts; i++) {
		const struct condition *c = names_of(parser->drafts[i]);

		names += c == NULL ? 0 : c->n;
	}
	while (buckets < names)
		buckets *= 2;
	named->mask = (uint32_t)buckets - 1;
	named->buckets =
	    arena_alloc(parser->scratch, buckets * sizeof(*named->buckets));
	named->entries =
	    arena_alloc(parser->scratch, (names + 1) * sizeof(*named->entries));
	named->others = arena_alloc(
	    parser->scratch, (parser->n_drafts + 1) * sizeof(*named->others));
	if (named->buckets == NULL || named->entries == NULL ||
	    named->others == NULL)
		return -ENOMEM;
	memset(named->buckets, 0xff, buckets * sizeof(*named->buckets));
	return 0;
}

int
named_build(const struct parser *parser, struct named *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = make_room(parser, ret);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < parser->n_drafts; i++) {
		const struct draft *draft = parser->drafts[i];
		const struct condition *c = names_of(draft);

		if (draft->doubtful)
			continue;
		if (c != NULL)
			add_names(ret, c, i);
		else
			ret->others[ret->n_others++] = i;
	}
	return 0;
}

static void
look(struct named_walk *walk)
{
	const struct name_pattern *name = walk->name;
	uint32_t key = hash(name->text + walk->at, name->len - walk->at);

	walk->entry = walk->named->buckets[key & walk->named->mask];
}

void
named_walk(const struct named *named, enum condition_kind kind,
    const struct name_pattern *name, struct named_walk *ret)
{
	*ret = (struct named_walk){ named, name, kind, 0, NAMED_NONE };
	if (name->any)
		ret->at = name->len;
	else
		look(ret);
}

static bool
holds(const struct named_walk *walk, const struct named_entry *entry)
{
	size_t len = walk->name->len - walk->at;

	return entry->kind == walk->kind && entry->pattern->len == len &&
	    memcmp(entry->pattern->text, walk->name->text + walk->at, len) == 0;
}

/* First the whole, then what is left of it from every dot on. */
uint32_t
named_next(struct named_walk *walk)
{
	const struct name_pattern *name = walk->name;

	for (;;) {
		while (walk->entry != NAMED_NONE) {
			const struct named_entry *entry =
			    &walk->named->entries[walk->entry];

			walk->entry = entry->next;
			if (holds(walk, entry))
				return entry->draft;
		}
		do {
			if (walk->at >= name->len)
				return NAMED_NONE;
			walk->at++;
		} while (walk->at < name->len && name->text[walk->at] != '.');
		if (walk->at < name->len)
			look(walk);
	}
}
