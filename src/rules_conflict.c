/*
 * rules_conflict.c - services that work, but hardly as meant: protocols in an
 * order in which one takes or delays the other's clients, and conditions that
 * exclude each other.  All of it is warnings.
 */
#include <errno.h>

#include "collision.h"
#include "rules_overlap.h"
#include "rules_parser.h"

/* Protocols that are compared in one file. */
#define EFFORT_MAX 1000000

/* The protocol that this value asks for, or NULL. */
static const struct protocol *
asked_for(const struct value *value)
{
	if (value->negated || value->protocol.kind != PROTOCOL_NAMED)
		return NULL;
	return value->protocol.protocol;
}

/* No value that one wants of this kind goes with one of the other's. */
static bool
values_apart(
    const struct condition *a, const struct condition *b, unsigned *effort)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t j = 0; j < b->n; j++) {
			if (*effort == 0)
				return false;
			--*effort;
			if (!a->values[i].negated && !b->values[j].negated &&
			    !value_apart(a->kind, &a->values[i], &b->values[j]))
				return false;
		}
	return true;
}

/* Where the client comes from, or which port it took, keeps them apart. */
static bool
drafts_apart(const struct draft *a, const struct draft *b, unsigned *effort)
{
	static const enum condition_kind kinds[] = { COND_FROM, COND_LOCAL,
		COND_SOCKET };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (a->wants[kinds[i]] && b->wants[kinds[i]] &&
		    values_apart(
			a->by_kind[kinds[i]], b->by_kind[kinds[i]], effort))
			return true;
	return false;
}

/* The protocols that it asks for, or those that should stand below them. */
static uint64_t
protocols_of(const struct draft *draft, bool below)
{
	const struct condition *asked = draft->by_kind[COND_PROTOCOL];
	uint64_t ret = 0;

	for (size_t i = 0; asked != NULL && i < asked->n; i++) {
		const struct protocol *protocol = asked_for(&asked->values[i]);

		if (protocol != NULL)
			ret |= below ? collision_below(protocol) :
				       protocol_bit(protocol);
	}
	return ret;
}

/* Warns if the lower protocol should be asked before one of the upper's. */
static void
check_order(struct parser *parser, const struct draft *upper,
    const struct protocol *low, const struct place *at, unsigned *effort)
{
	const struct condition *asked = upper->by_kind[COND_PROTOCOL];

	for (size_t i = 0; i<asked->n && * effort> 0; i++) {
		const struct protocol *high = asked_for(&asked->values[i]);
		const struct collision *known;

		--*effort;
		if (high == NULL || high == low)
			continue;
		known = collision_between(high, low);
		if (known == NULL || protocol_find(known->first) != low)
			continue;
		WARN_AT(parser, at, "\"", low->name, "\" should stand above \"",
		    high->name, "\", which is asked for in [",
		    upper->service.name, "] at ", PLACE(parser, &upper->at),
		    ": ", known->why);
	}
}

static void
check_orders(struct parser *parser, size_t index, const uint64_t *asked_above,
    unsigned *effort)
{
	const struct draft *lower = parser->drafts[index];
	const struct condition *asked = lower->by_kind[COND_PROTOCOL];

	uint64_t below = protocols_of(lower, true);

	for (size_t i = 0; i<index && * effort> 0; i++) {
		const struct draft *upper = parser->drafts[i];

		if ((asked_above[i] & below) == 0)
			continue;
		--*effort;
		if (drafts_apart(upper, lower, effort))
			continue;
		for (size_t j = 0; j < asked->n; j++)
			if (asked_for(&asked->values[j]) != NULL)
				check_order(parser, upper,
				    asked_for(&asked->values[j]),
				    &lower->value_at[COND_PROTOCOL][j], effort);
	}
}

/* What can only be seen in some protocols. */
static const struct seen {
	enum condition_kind kind;
	const char *in[2];
} seen_in[] = {
	{ COND_SERVER_NAME, { "tls", NULL } },
	{ COND_ALPN, { "tls", NULL } },
	{ COND_TLS_VERSION, { "tls", NULL } },
	{ COND_HTTP_HOST, { "http", "http2" } },
	{ COND_HTTP_PATH, { "http", "http2" } },
};

/* Whether a service with these protocols can see it. */
static bool
can_see(const struct condition *asked, const struct seen *seen)
{
	for (size_t i = 0; i < asked->n; i++) {
		const struct value *value = &asked->values[i];
		const struct protocol *protocol = asked_for(value);

		if (value->negated)
			continue;
		if (value->protocol.kind == PROTOCOL_ANY)
			return true;
		for (size_t j = 0; j < 2 && protocol != NULL; j++)
			if (seen->in[j] != NULL &&
			    protocol == protocol_find(seen->in[j]))
				return true;
	}
	return false;
}

/* A server name asked of ssh clients, and the like. */
static void
check_sense(struct parser *parser, const struct draft *draft)
{
	const struct condition *asked = draft->by_kind[COND_PROTOCOL];

	for (size_t i = 0; i < sizeof(seen_in) / sizeof(seen_in[0]); i++) {
		const struct seen *seen = &seen_in[i];

		if (draft->wants[seen->kind] && !can_see(asked, seen))
			WARN_AT(parser, &draft->value_at[seen->kind][0], "\"",
			    key_of_condition(seen->kind)->name,
			    "\" is only seen in ", seen->in[0],
			    ", but this service asks for other protocols: it "
			    "never matches");
	}
}

int
lint_conflicts(struct parser *parser)
{
	size_t n = parser->n_drafts;
	uint64_t *asked =
	    arena_alloc(parser->scratch, (n + 1) * sizeof(*asked));
	unsigned effort = EFFORT_MAX;

	if (asked == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct draft *draft = parser->drafts[i];

		asked[i] = protocols_of(draft, false);
		if (draft->doubtful || !draft->wants[COND_PROTOCOL])
			continue;
		check_sense(parser, draft);
		check_orders(parser, i, asked, &effort);
	}
	return 0;
}
