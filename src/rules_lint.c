/*
 * rules_lint.c - what is wrong between services that are each right: one that
 * an earlier one never lets anything reach.
 *
 * An earlier service covers a later one if every connection that matches the
 * later matches the earlier; the answer is only yes where that is certain.
 */
#include <errno.h>

#include "rules_index.h"
#include "rules_overlap.h"
#include "rules_parser.h"

/* Comparisons of two values: a file could be made that takes for ever. */
#define EFFORT_MAX 5000000

/* What is known of a later service, perhaps with one value of a condition. */
struct later {
	const struct draft *draft;
	size_t index; /* its own, among the drafts */
	const struct value *only; /* of the condition kind; NULL: all values */
	enum condition_kind kind;
	unsigned *effort; /* left */
};

struct lint {
	struct parser *parser;
	struct rules_index index;
};

/* Whether there is effort left for one more value. */
static bool
spend(unsigned *effort)
{
	if (*effort == 0)
		return false;
	--*effort;
	return true;
}

/* Whether the service asks for something of this kind, not just against. */
static bool
wants(const struct draft *draft, enum condition_kind kind)
{
	return draft->wants[kind];
}

static void
note_kinds(struct draft *draft)
{
	const struct service *service = &draft->service;

	for (size_t i = 0; i < service->n_conditions; i++) {
		const struct condition *one = &service->conditions[i];

		draft->by_kind[one->kind] = one;
		for (size_t j = 0; j < one->n; j++)
			if (!one->values[j].negated)
				draft->wants[one->kind] = true;
	}
}

/* One of these values, negated or not as asked, covers the other. */
static bool
one_covers(const struct condition *condition, bool negated,
    const struct value *value, unsigned *effort)
{
	for (size_t i = 0; condition != NULL && i < condition->n; i++) {
		if (!spend(effort))
			return false;
		if (condition->values[i].negated == negated &&
		    value_covers(condition->kind, &condition->values[i], value))
			return true;
	}
	return false;
}

/*
 * All values that the later one wants of this kind are covered, or, if
 * apart_from is not NULL, apart from that.  False if it wants none.
 */
static bool
all_values(const struct later *later, const struct condition *earlier,
    const struct value *apart_from)
{
	const struct condition *own = later->draft->by_kind[earlier->kind];
	bool any = false;

	for (size_t i = 0; own != NULL && i < own->n; i++) {
		const struct value *value = &own->values[i];
		bool good;

		if (!spend(later->effort))
			return false;
		if (value->negated ||
		    (later->only != NULL && later->kind == own->kind &&
			value != later->only))
			continue;
		any = true;
		good = apart_from != NULL ?
		    value_apart(own->kind, value, apart_from) :
		    one_covers(earlier, false, value, later->effort);
		if (!good)
			return false;
	}
	return any;
}

static bool
covers_named(const struct condition *asked, const char *name, unsigned *effort)
{
	struct value value = { .protocol = {
				   PROTOCOL_NAMED, protocol_find(name) } };

	return one_covers(asked, false, &value, effort);
}

/* What the later one's other conditions say about the protocol. */
static bool
covers_implied(const struct condition *asked, const struct later *later)
{
	static const struct value any = { .protocol = { PROTOCOL_ANY, NULL } };
	const struct draft *draft = later->draft;
	unsigned *effort = later->effort;

	if (wants(draft, COND_SERVER_NAME) || wants(draft, COND_ALPN) ||
	    wants(draft, COND_TLS_VERSION))
		return covers_named(asked, "tls", effort);
	if (wants(draft, COND_HTTP_HOST) || wants(draft, COND_HTTP_PATH))
		return covers_named(asked, "http", effort) &&
		    covers_named(asked, "http2", effort);
	return wants(draft, COND_PAYLOAD) &&
	    one_covers(asked, false, &any, effort);
}

/* any and silent together leave nothing out. */
static bool
is_everything(const struct condition *asked, unsigned *effort)
{
	static const struct value any = { .protocol = { PROTOCOL_ANY, NULL } };
	static const struct value silent = { .protocol = {
						 PROTOCOL_SILENT, NULL } };

	return one_covers(asked, false, &any, effort) &&
	    one_covers(asked, false, &silent, effort);
}

/* What the earlier one wants, every match of the later one has. */
static bool
positives_cover(const struct draft *draft, const struct condition *earlier,
    const struct later *later)
{
	if (!wants(draft, earlier->kind) || all_values(later, earlier, NULL))
		return true;
	if (earlier->kind != COND_PROTOCOL)
		return false;
	return covers_implied(earlier, later) ||
	    is_everything(earlier, later->effort);
}

/* What the earlier one excludes, no match of the later one has. */
static bool
negatives_spare(const struct condition *earlier, const struct later *later)
{
	const struct condition *own = later->draft->by_kind[earlier->kind];

	for (size_t i = 0; i < earlier->n; i++) {
		const struct value *value = &earlier->values[i];

		if (!spend(later->effort))
			return false;
		if (value->negated &&
		    !one_covers(own, true, value, later->effort) &&
		    !all_values(later, earlier, value))
			return false;
	}
	return true;
}

static bool
covers(const struct draft *draft, const struct later *later)
{
	const struct service *service = &draft->service;

	for (size_t i = 0; i < service->n_conditions; i++)
		if (!positives_cover(draft, &service->conditions[i], later) ||
		    !negatives_spare(&service->conditions[i], later))
			return false;
	return *later->effort > 0;
}

/* Whether it is above and takes all of this. */
static bool
takes(const struct lint *lint, uint32_t above, const struct later *later)
{
	return *later->effort > 0 && later->index > above &&
	    covers(lint->parser->drafts[above], later);
}

/* A value of this kind that the later one wants, which must be covered. */
static const struct value *
value_of(const struct later *later, enum condition_kind kind)
{
	const struct condition *own = later->draft->by_kind[kind];

	if (!wants(later->draft, kind))
		return NULL;
	if (later->only != NULL && later->kind == kind)
		return later->only;
	for (size_t i = 0; i < own->n; i++)
		if (!own->values[i].negated)
			return &own->values[i];
	return NULL;
}

/* The first above best of those filed under this kind that take all of it. */
static uint32_t
find_filed(const struct lint *lint, const struct later *later,
    enum condition_kind kind, uint32_t best)
{
	const struct value *value = value_of(later, kind);
	struct index_walk walk;
	uint32_t i;

	if (value == NULL)
		return best;
	index_walk(&lint->index, kind, value, &walk);
	while ((i = index_next(&walk)) != INDEX_NONE)
		if (i < best && takes(lint, i, later))
			best = i;
	return best;
}

/* The first service above that takes all of this, or NULL. */
static const struct draft *
find_cover(const struct lint *lint, const struct later *later)
{
	const struct rules_index *index = &lint->index;
	uint32_t best = INDEX_NONE;

	for (uint32_t i = 0; i < index->n_others && best == INDEX_NONE; i++) {
		if (index->others[i] >= later->index)
			break;
		if (takes(lint, index->others[i], later))
			best = index->others[i];
	}
	for (size_t i = 0; i < index_kinds_count; i++)
		best = find_filed(lint, later, index_kinds[i], best);
	return best == INDEX_NONE ? NULL : lint->parser->drafts[best];
}

/*
 * What takes each value of one condition, in ret, and the first of these in
 * *ret_first.  Returns whether all that it wants are taken.
 */
static bool
find_covers(const struct lint *lint, struct later *later,
    const struct condition *condition, const struct draft **ret,
    const struct draft **ret_first)
{
	bool all = wants(later->draft, condition->kind);

	later->kind = condition->kind;
	for (size_t i = 0; i < condition->n; i++) {
		if (condition->values[i].negated)
			continue;
		later->only = &condition->values[i];
		ret[i] = find_cover(lint, later);
		all = all && ret[i] != NULL;
		if (*ret_first == NULL)
			*ret_first = ret[i];
	}
	return all;
}

static void
complain(struct parser *parser, const struct draft *draft,
    const struct draft *above, bool alone)
{
	COMPLAIN_AT(parser, &draft->at, "[", draft->service.name,
	    "] is never reached: [", above->service.name, "] at ",
	    PLACE(parser, &above->at), alone ? " takes" : " and others take",
	    " all that it could");
}

/* How many values a connection may have to have. */
static size_t
choices(const struct condition *condition)
{
	size_t n = 0;

	for (size_t i = 0; i < condition->n; i++)
		n += !condition->values[i].negated;
	return n;
}

static void
warn(struct parser *parser, const struct place *at, const struct draft *above)
{
	WARN_AT(parser, at, "this never gets here: [", above->service.name,
	    "] at ", PLACE(parser, &above->at), " takes it before");
}

/*
 * One value that an earlier service takes is a warning; if it is so with all
 * values of a condition, the service is never reached.  A single value is as
 * good as the whole service, which nothing takes.
 */
static int
lint_values(const struct lint *lint, struct later *later)
{
	const struct draft *draft = later->draft;
	const struct draft **above, *first = NULL;

	for (size_t i = 0; i < draft->service.n_conditions; i++) {
		const struct condition *condition =
		    &draft->service.conditions[i];

		if (choices(condition) < 2)
			continue;
		above = arena_alloc(
		    lint->parser->scratch, condition->n * sizeof(*above));
		if (above == NULL)
			return -ENOMEM;
		if (find_covers(lint, later, condition, above, &first)) {
			complain(lint->parser, draft, first, false);
			return 0;
		}
		for (size_t j = 0; j < condition->n; j++)
			if (above[j] != NULL)
				warn(lint->parser,
				    &draft->value_at[condition->kind][j],
				    above[j]);
	}
	return 0;
}

static int
lint_one(const struct lint *lint, size_t index, unsigned *effort)
{
	const struct draft *draft = lint->parser->drafts[index], *above;
	struct later later = {
		.draft = draft, .index = index, .effort = effort
	};

	if (draft->doubtful)
		return 0;
	above = find_cover(lint, &later);
	if (above == NULL)
		return lint_values(lint, &later);
	complain(lint->parser, draft, above, true);
	return 0;
}

int
lint_services(struct parser *parser)
{
	struct lint lint = { .parser = parser };
	unsigned effort = EFFORT_MAX;
	int r;

	for (size_t i = 0; i < parser->n_drafts; i++)
		note_kinds(parser->drafts[i]);
	r = index_build(parser, &lint.index);
	for (size_t i = 1; i < parser->n_drafts && r == 0; i++)
		r = lint_one(&lint, i, &effort);
	return r;
}
