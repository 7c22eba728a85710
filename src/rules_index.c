/* rules_index.c - services by what they ask for; see rules_index.h. */
#include "rules_index.h"

#include <errno.h>
#include <string.h>

/* FNV-1a, 32 bits. */
#define HASH_START UINT32_C(0x811c9dc5)
#define HASH_TIMES UINT32_C(0x01000193)

const enum condition_kind index_kinds[] = { COND_SERVER_NAME, COND_HTTP_HOST,
	COND_FROM, COND_LOCAL, COND_SOCKET, COND_ALPN };
const size_t index_kinds_count = sizeof(index_kinds) / sizeof(index_kinds[0]);

static uint32_t
add_bytes(uint32_t h, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ at[i]) * HASH_TIMES;
	return h;
}

/* Names: the whole, then what is left of it from every dot on. */
static bool
widen_name(const struct name_pattern *name, unsigned step, uint32_t *h)
{
	size_t at = 0;

	if (name->any)
		return false;
	while (step > 0 && at < name->len) {
		at++;
		if (at < name->len && name->text[at] == '.')
			step--;
	}
	if (at >= name->len)
		return false;
	*h = add_bytes(*h, name->text + at, name->len - at);
	return true;
}

/* Networks: one bit less of the prefix with every step. */
static bool
widen_network(const struct network *network, unsigned step, uint32_t *h)
{
	uint8_t bytes[sizeof(network->bytes)] = { 0 };
	unsigned bits, whole;

	if (step > network->bits)
		return false;
	bits = network->bits - step;
	whole = bits / 8;
	memcpy(bytes, network->bytes, whole);
	if (bits % 8 != 0)
		bytes[whole] =
		    network->bytes[whole] & (uint8_t)(0xff00u >> bits % 8);
	*h = add_bytes(*h, bytes, sizeof(bytes));
	*h = add_bytes(*h, &bits, sizeof(bits));
	*h = add_bytes(*h, &network->v4, sizeof(network->v4));
	return true;
}

/* Places: address and port, either of them alone. */
static bool
widen_local(const struct value *value, unsigned step, uint32_t *h)
{
	bool host = value->local.has_host && step != 2;
	uint16_t port = step == 1 ? 0 : value->local.port;
	uint8_t bytes[16] = { 0 };

	if (step > 2)
		return false;
	if (host)
		(void)addr_to_bytes(&value->local.host, bytes);
	*h = add_bytes(*h, bytes, sizeof(bytes));
	*h = add_bytes(*h, &host, sizeof(host));
	*h = add_bytes(*h, &port, sizeof(port));
	return true;
}

/* What the value, wider by so many steps, is filed under; false: it ends. */
static bool
find_hash(enum condition_kind kind, const struct value *value, unsigned step,
    uint32_t *ret)
{
	uint32_t h = add_bytes(HASH_START, &kind, sizeof(kind));
	bool found = step == 0;

	if (kind == COND_SERVER_NAME || kind == COND_HTTP_HOST)
		found = widen_name(&value->name, step, &h);
	else if (kind == COND_FROM)
		found = widen_network(&value->from, step, &h);
	else if (kind == COND_LOCAL)
		found = widen_local(value, step, &h);
	else
		h = add_bytes(h, value->text.text, value->text.len);
	*ret = h ^ h >> 16;
	return found;
}

/*
 * How many values share a place with the most common of these.  UINT32_MAX:
 * a draft cannot be filed under them, for none is asked for, or any name is.
 */
static uint32_t
crowd_of(const struct rules_index *index, const struct draft *draft,
    enum condition_kind kind)
{
	const struct condition *c = draft->by_kind[kind];
	uint32_t most = 0, h;

	if (!draft->wants[kind])
		return UINT32_MAX;
	for (size_t i = 0; i < c->n; i++) {
		if (c->values[i].negated)
			continue;
		if (!find_hash(kind, &c->values[i], 0, &h))
			return UINT32_MAX;
		if (index->crowd[h & index->mask] > most)
			most = index->crowd[h & index->mask];
	}
	return most;
}

/* The condition that tells it best from others; NULL: none does. */
static const struct condition *
choose(const struct rules_index *index, const struct draft *draft)
{
	const struct condition *best = NULL;
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < index_kinds_count; i++) {
		uint32_t crowd = crowd_of(index, draft, index_kinds[i]);

		if (crowd < least) {
			least = crowd;
			best = draft->by_kind[index_kinds[i]];
		}
	}
	return best;
}

static void
count_crowd(struct rules_index *index, const struct draft *draft)
{
	for (size_t i = 0; i < index_kinds_count; i++) {
		enum condition_kind kind = index_kinds[i];
		const struct condition *c = draft->by_kind[kind];
		uint32_t h;

		for (size_t j = 0; c != NULL && j < c->n; j++) {
			if (kind == COND_FROM)
				index->lengths[c->values[j].from.bits] = true;
			if (find_hash(kind, &c->values[j], 0, &h))
				index->crowd[h & index->mask]++;
		}
	}
}

static void
file(struct rules_index *index, const struct condition *c, uint32_t draft)
{
	for (size_t i = 0; i < c->n; i++) {
		uint32_t *bucket, h;

		if (c->values[i].negated)
			continue;
		(void)find_hash(c->kind, &c->values[i], 0, &h);
		bucket = &index->buckets[h & index->mask];
		index->entries[index->n_entries] =
		    (struct index_entry){ h, draft, *bucket };
		*bucket = index->n_entries++;
	}
}

static size_t
count_values(const struct parser *parser)
{
	size_t n = 0;

	for (size_t i = 0; i < parser->n_drafts; i++)
		for (size_t j = 0; j < index_kinds_count; j++) {
			const struct condition *c =
			    parser->drafts[i]->by_kind[index_kinds[j]];

			n += c == NULL ? 0 : c->n;
		}
	return n;
}

static int
make_room(const struct parser *parser, struct rules_index *index)
{
	size_t values = count_values(parser), buckets = 16;

	while (buckets < values)
		buckets *= 2;
	index->mask = (uint32_t)buckets - 1;
	index->buckets =
	    arena_alloc(parser->scratch, buckets * sizeof(*index->buckets));
	index->crowd =
	    arena_alloc(parser->scratch, buckets * sizeof(*index->crowd));
	index->entries = arena_alloc(
	    parser->scratch, (values + 1) * sizeof(*index->entries));
	index->others = arena_alloc(
	    parser->scratch, (parser->n_drafts + 1) * sizeof(*index->others));
	if (index->buckets == NULL || index->crowd == NULL ||
	    index->entries == NULL || index->others == NULL)
		return -ENOMEM;
	memset(index->buckets, 0xff, buckets * sizeof(*index->buckets));
	return 0;
}

int
index_build(const struct parser *parser, struct rules_index *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = make_room(parser, ret);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < parser->n_drafts; i++)
		count_crowd(ret, parser->drafts[i]);
	for (uint32_t i = 0; i < parser->n_drafts; i++) {
		const struct draft *draft = parser->drafts[i];
		const struct condition *c;

		if (draft->doubtful)
			continue;
		c = choose(ret, draft);
		if (c != NULL)
			file(ret, c, i);
		else
			ret->others[ret->n_others++] = i;
	}
	return 0;
}

/* Past the lengths of prefixes that no network has. */
static void
skip_lengths(struct index_walk *walk)
{
	unsigned bits = walk->value->from.bits;

	while (walk->step < bits && !walk->index->lengths[bits - walk->step])
		walk->step++;
}

/* Goes on to the next wider value; false: there is none. */
static bool
widen(struct index_walk *walk)
{
	const struct rules_index *index = walk->index;

	if (walk->kind == COND_FROM)
		skip_lengths(walk);
	if (!find_hash(walk->kind, walk->value, walk->step++, &walk->hash))
		return false;
	walk->entry = index->buckets[walk->hash & index->mask];
	return true;
}

void
index_walk(const struct rules_index *index, enum condition_kind kind,
    const struct value *value, struct index_walk *ret)
{
	*ret = (struct index_walk){
		.index = index,
		.value = value,
		.kind = kind,
		.entry = INDEX_NONE,
	};
}

uint32_t
index_next(struct index_walk *walk)
{
	do {
		while (walk->entry != INDEX_NONE) {
			const struct index_entry *entry =
			    &walk->index->entries[walk->entry];

			walk->entry = entry->next;
			if (entry->hash == walk->hash)
				return entry->draft;
		}
	} while (widen(walk));
	return INDEX_NONE;
}
