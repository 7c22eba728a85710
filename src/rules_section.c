/*
 * rules_section.c - sections: what may stand in one, what must, and how they
 * become services.
 */
#include <errno.h>
#include <string.h>

#include "rules_parser.h"

static size_t
index_of(const struct key *key)
{
	return (size_t)(key - keys);
}

static bool
is_place(const struct place *place)
{
	return place->line != NULL;
}

/* One more draft; the array grows by doubling. */
static struct draft *
add_draft(struct parser *parser)
{
	size_t size = sizeof(*parser->drafts), room = 2 * parser->room + 16;
	struct draft **drafts = parser->drafts;

	if (parser->n_drafts == parser->room) {
		drafts = arena_grow(
		    parser->scratch, drafts, parser->room * size, room * size);
		if (drafts == NULL)
			return NULL;
		parser->drafts = drafts;
		parser->room = room;
	}
	drafts[parser->n_drafts] =
	    arena_alloc(parser->scratch, sizeof(**drafts));
	return drafts[parser->n_drafts];
}

/* The earlier section of this name, or NULL. */
static const struct draft *
find_draft(const struct parser *parser, const char *name, size_t n)
{
	for (size_t i = 0; i < parser->n_drafts; i++) {
		const struct draft *draft = parser->drafts[i];

		/* Names in a row differ at their end, if at all. */
		if (draft->name_len == n &&
		    draft->service.name[n - 1] == name[n - 1] &&
		    memcmp(draft->service.name, name, n) == 0)
			return draft;
	}
	return NULL;
}

int
section_begin(
    struct parser *parser, const char *bracket, const char *name, size_t n)
{
	const struct draft *earlier;
	struct draft *draft;

	if (parser->n_drafts == RULES_SERVICES_MAX) {
		COMPLAIN(parser, bracket, "more than ",
		    NUMBER(parser, RULES_SERVICES_MAX), " services");
		return -E2BIG;
	}
	draft = add_draft(parser);
	if (draft == NULL)
		return -ENOMEM;
	draft->service.name = arena_text(parser->arena, name, n);
	if (draft->service.name == NULL)
		return -ENOMEM;
	draft->name_len = n;
	draft->at = parser_place(parser, bracket);
	draft->doubtful = n == 0;
	draft->unread = n == 0;
	memset(parser->key_at, 0, sizeof(parser->key_at));
	parser->now = draft;
	earlier = n == 0 || parser->again ? NULL : find_draft(parser, name, n);
	parser->n_drafts++;
	if (earlier == NULL)
		return 0;
	return COMPLAIN(parser, bracket, "[", draft->service.name,
	    "] is used twice, first at ", PLACE(parser, &earlier->at));
}

/* The target key that was given in this section, or NULL. */
static const struct key *
target_key(const struct parser *parser)
{
	for (size_t i = 0; i < keys_count; i++)
		if (keys[i].role == KEY_TARGET && is_place(&parser->key_at[i]))
			return &keys[i];
	return NULL;
}

static void
check_modifiers(struct parser *parser, const struct key *target)
{
	for (size_t i = 0; i < keys_count; i++) {
		if (keys[i].role != KEY_MODIFIER ||
		    !is_place(&parser->key_at[i]) ||
		    strcmp(keys[i].of, target->name) == 0)
			continue;
		COMPLAIN_AT(parser, &parser->key_at[i], "\"", keys[i].name,
		    "\" goes with \"", keys[i].of,
		    "\", but this service has \"", target->name, "\"");
		parser->now->doubtful = true;
	}
}

static bool
has_family(const struct service *service, sa_family_t family)
{
	for (size_t i = 0; i < service->n_backends; i++)
		if (service->backends[i].any.sa_family == family)
			return true;
	return false;
}

/* Where a connection to the backends comes from. */
static void
check_origin(struct parser *parser)
{
	const struct service *service = &parser->now->service;
	const struct key *bind = key_find("bind", 4, true);
	const struct place *at = &parser->key_at[index_of(bind)];

	if (service->target != GO_BACKEND || service->bind.len == 0)
		return;
	if (service->transparent)
		COMPLAIN_AT(parser, at,
		    "\"bind\" and \"transparent\" exclude "
		    "each other: both say where connections come from");
	else if (!has_family(service, service->bind.any.sa_family))
		WARN_AT(parser, at, "no backend has an address of this family");
}

/* Whether an earlier backend is at the same host, on another port. */
static bool
is_known_host(const struct service *service, size_t i, const char *host)
{
	char other[ADDR_TEXT_MAX];

	for (size_t k = 0; k < i; k++) {
		struct line text = LINE(other);

		addr_write_host(&text, &service->backends[k]);
		if (strcmp(other, host) == 0)
			return true;
	}
	return false;
}

/* Each host's answers are looked for once. */
static void
look_for_ways_back(struct parser *parser)
{
	const struct service *service = &parser->now->service;
	const struct key *key = key_find("transparent", 11, true);
	const struct place *at = &parser->key_at[index_of(key)];

	if (!service->transparent || service->bind.len != 0)
		return;
	if (has_family(service, AF_UNIX))
		WARN_AT(parser, at,
		    "a unix socket has no addresses: its server does not see "
		    "the client's");
	for (size_t i = 0; i < service->n_backends; i++) {
		char host[ADDR_TEXT_MAX];
		struct line text = LINE(host);

		if (service->backends[i].any.sa_family == AF_UNIX)
			continue;
		addr_write_host(&text, &service->backends[i]);
		if (!is_known_host(service, i, host))
			parser_look_at(parser, at, LOOK_WAY_BACK, host);
	}
}

void
section_end(struct parser *parser)
{
	const struct key *target = target_key(parser);
	struct draft *now = parser->now;

	parser->now = NULL;
	if (now == NULL)
		return;
	if (target == NULL && !now->unread)
		COMPLAIN_AT(parser, &now->at,
		    "this service goes nowhere, "
		    "expected one of backend, exec, pass or reject in it");
	now->doubtful = now->doubtful || target == NULL;
	parser->now = now;
	if (target != NULL)
		check_modifiers(parser, target);
	if (!now->doubtful) {
		check_origin(parser);
		look_for_ways_back(parser);
	}
	parser->now = NULL;
}

/* Whether the key may be given once more; else says where it was. */
static int
check_repeat(struct parser *parser, const struct key *key, const char *at,
    const struct place *earlier)
{
	const struct key *target;
	bool is_target = parser->now != NULL && key->role == KEY_TARGET;

	if (is_place(earlier) && !key->repeats)
		return COMPLAIN(parser, at, "\"", key->name,
		    "\" was given before, at ", PLACE(parser, earlier),
		    ": give it once");
	target = is_target ? target_key(parser) : NULL;
	if (target == NULL)
		return 0;
	return COMPLAIN(parser, at, "\"", key->name, "\" beside \"",
	    target->name, "\" at ",
	    PLACE(parser, &parser->key_at[index_of(target)]),
	    ": a service has exactly one target");
}

/* Where the value belongs; marks it as set. */
static void *
field_of(struct parser *parser, const struct key *key)
{
	struct settings *settings = &parser->rules->settings;
	struct draft *now = parser->now;
	void *base;

	if (now == NULL)
		base = key->role == KEY_LIMIT ? (void *)&settings->limits :
						settings;
	else if (key->role == KEY_LIMIT)
		base = &now->service.limits;
	else
		base = &now->service;
	return (char *)base + key->at;
}

int
section_assign(struct parser *parser, const struct key *key, const char *at,
    struct words value)
{
	size_t i = index_of(key);
	struct place *place =
	    parser->now == NULL ? &parser->setting_at[i] : &parser->key_at[i];
	int r = check_repeat(parser, key, at, place);

	if (r < 0)
		return r;
	*place = parser_place(parser, at);
	if (value.at == value.end)
		return COMPLAIN(parser, value.at, "\"", key->name,
		    "\" has no value (", key->help, ")");
	if (key->role == KEY_CONDITION)
		return read_condition(parser, key, value);
	r = value_reader(key->type)(parser, key, value, field_of(parser, key));
	if (parser->now != NULL && r == 0)
		parser->now->limit_set[i] = true;
	return r;
}

/* silence-timeout is never longer than the time there is. */
static void
settle_silence(struct parser *parser)
{
	struct settings *settings = &parser->rules->settings;
	const char *name = "silence-timeout";
	const struct key *key = key_find(name, strlen(name), false);
	const struct place *at = &parser->setting_at[index_of(key)];

	if (is_place(at) && settings->silence_ms > settings->inspect_ms)
		WARN_AT(parser, at,
		    "\"silence-timeout\" is longer than "
		    "\"inspect-timeout\", which ends the waiting first");
	if (settings->silence_ms == 0 ||
	    settings->silence_ms > settings->inspect_ms)
		settings->silence_ms = settings->inspect_ms;
}

/* What a service does not say for itself is as in the settings. */
static void
inherit(const struct settings *settings, struct draft *draft)
{
	struct limits *limits = &draft->service.limits;
	struct limits own = *limits;

	*limits = settings->limits;
	limits->max_connections = 0;
	for (size_t i = 0; i < keys_count; i++) {
		size_t size = keys[i].type == TYPE_DURATION ? sizeof(int64_t) :
							      sizeof(uint32_t);

		if (keys[i].role == KEY_LIMIT && draft->limit_set[i])
			memcpy((char *)limits + keys[i].at,
			    (char *)&own + keys[i].at, size);
	}
}

/* Conditions move from passing memory to the rules' own. */
static int
keep_conditions(struct parser *parser, struct service *service)
{
	size_t n = service->n_conditions;
	struct condition *kept;

	kept = arena_alloc(parser->arena, n * sizeof(*kept));
	if (kept == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t size =
		    service->conditions[i].n * sizeof(*kept[i].values);

		kept[i] = service->conditions[i];
		kept[i].values = arena_alloc(parser->arena, size);
		if (kept[i].values == NULL)
			return -ENOMEM;
		if (size > 0)
			memcpy(kept[i].values, service->conditions[i].values,
			    size);
	}
	service->conditions = kept;
	return 0;
}

static void
check_conditions(struct parser *parser)
{
	for (size_t i = 0; i + 1 < parser->n_drafts; i++) {
		struct draft *draft = parser->drafts[i];

		if (draft->service.n_conditions > 0 || draft->unread)
			continue;
		COMPLAIN_AT(parser, &draft->at,
		    "a service without a "
		    "condition takes every connection: it must be the last");
		draft->doubtful = true;
	}
}

/* An empty file would close every connection: hardly what was meant. */
static void
check_any_service(struct parser *parser)
{
	if (parser->n_drafts > 0 || parser->mistakes->n_errors > 0)
		return;
	parser->here.number = 1;
	parser->here.col = 1;
	parser->here.line =
	    parser->here.source == NULL ? NULL : parser->here.source->text;
	if (parser->here.source != NULL)
		COMPLAIN_AT(parser, &parser->here,
		    "no service in these rules, "
		    "expected at least one [section] with a target");
	else
		parser->mistakes->n_errors++;
}

int
services_finish(struct parser *parser)
{
	struct rules *rules = parser->rules;
	int r;

	check_any_service(parser);
	settle_silence(parser);
	check_conditions(parser);
	if (!parser->again) {
		r = lint_services(parser);
		if (r == 0)
			r = lint_conflicts(parser);
		if (r < 0)
			return r;
		lint_loops(parser);
	}
	rules->services = arena_alloc(
	    parser->arena, parser->n_drafts * sizeof(*rules->services));
	if (rules->services == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < parser->n_drafts; i++) {
		struct draft *draft = parser->drafts[i];

		inherit(&rules->settings, draft);
		r = keep_conditions(parser, &draft->service);
		if (r < 0)
			return r;
		rules->services[rules->n_services++] = draft->service;
	}
	return 0;
}
