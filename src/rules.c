/*
 * rules.c - rules files become rules.  What lines, sections and values mean is
 * told in other files: see rules_parser.h.
 */
#include "rules.h"

#include <errno.h>
#include <string.h>

#include "rules_parser.h"

const char rules_default_text[] = "[tls]\n"
				  "protocol = tls\n"
				  "backend = 127.0.0.1:8443\n"
				  "\n"
				  "[http]\n"
				  "protocol = http http2\n"
				  "backend = 127.0.0.1:8080\n"
				  "\n"
				  "[ssh]\n"
				  "protocol = ssh silent\n"
				  "backend = 127.0.0.1:22\n";

struct place
parser_place(const struct parser *parser, const char *text)
{
	struct place place = parser->here;

	place.col = (unsigned)(text - place.line) + 1;
	return place;
}

int
parser_complain(
    struct parser *parser, const char *text, const char *const parts[])
{
	struct place place = parser_place(parser, text);

	mistakes_add(parser->mistakes, &place, false, parts);
	if (parser->now != NULL)
		parser->now->doubtful = true;
	return -EINVAL;
}

void
parser_warn(struct parser *parser, const char *text, const char *const parts[])
{
	struct place place = parser_place(parser, text);

	mistakes_add(parser->mistakes, &place, true, parts);
}

void
parser_look_at(struct parser *parser, const struct place *at, enum look look,
    const char *name)
{
	rules_look *ask = parser->mistakes->look;
	const char *wrong = ask == NULL ? NULL : ask(look, name);

	if (wrong != NULL && name[0] == '\0')
		WARN_AT(parser, at, wrong);
	else if (wrong != NULL)
		WARN_AT(
		    parser, at, QUOTE(parser, name, strlen(name)), " ", wrong);
}

void
parser_look(
    struct parser *parser, const char *at, enum look look, const char *name)
{
	const struct place place = parser_place(parser, at);

	parser_look_at(parser, &place, look, name);
}

/* The defaults come from the table, by the same readers. */
static int
set_defaults(struct parser *parser)
{
	struct settings *settings = &parser->rules->settings;
	const char *fault;
	struct words value;
	void *field;
	int r = 0;

	for (size_t i = 0; i < keys_count && r == 0; i++) {
		const struct key *key = &keys[i];

		if (!key_in_settings(key) || key->fallback == NULL)
			continue;
		field = (char *)(key->role == KEY_LIMIT ?
				(void *)&settings->limits :
				settings) +
		    key->at;
		value_scan(
		    key->fallback, strlen(key->fallback), &value, &fault);
		r = value_reader(key->type)(parser, key, value, field);
	}
	return r;
}

/* All the sources, unless there is too much of them. */
static int
read_sources(
    struct parser *parser, const struct rules_source *sources, size_t n)
{
	size_t total = 0;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		parser->here = (struct place){ &sources[i], (unsigned)i,
			sources[i].text, 1, 1 };
		total += sources[i].len;
		if (total > RULES_SIZE_MAX)
			return COMPLAIN(parser, parser->here.line, "more than ",
			    NUMBER(parser, RULES_SIZE_MAX), " bytes of rules");
		r = read_source(parser, &sources[i]);
	}
	return r;
}

static int
parse(struct parser *parser, const struct rules_source *sources, size_t n)
{
	int r;

	if (parser->arena == NULL || parser->scratch == NULL)
		return -ENOMEM;
	parser->rules = arena_alloc(parser->arena, sizeof(*parser->rules));
	if (parser->rules == NULL)
		return -ENOMEM;
	parser->rules->arena = parser->arena;
	r = set_defaults(parser);
	if (r == 0)
		r = read_sources(parser, sources, n);
	if (r == 0)
		r = services_finish(parser);
	if (r == 0 && parser->mistakes->n_errors > 0)
		r = -EINVAL;
	return r == -E2BIG ? -EINVAL : r;
}

static int
parse_and_free(struct parser *parser, const struct rules_source *sources,
    size_t n, struct rules **ret)
{
	int r;

	parser->arena = arena_new();
	parser->scratch = arena_new();
	r = parse(parser, sources, n);
	arena_free(parser->scratch);
	mistakes_sort(parser->mistakes);
	if (r < 0)
		arena_free(parser->arena);
	else
		*ret = parser->rules;
	return r;
}

int
rules_parse(const struct rules_source *sources, size_t n,
    rules_resolve *resolve, struct mistakes *mistakes, struct rules **ret)
{
	struct parser parser = { .mistakes = mistakes, .resolve = resolve };

	return parse_and_free(&parser, sources, n, ret);
}

int
rules_parse_again(const struct rules_source *source, struct mistakes *mistakes,
    struct rules **ret)
{
	struct parser parser = { .mistakes = mistakes, .again = true };

	return parse_and_free(&parser, source, 1, ret);
}

void
rules_free(struct rules *rules)
{
	if (rules != NULL)
		arena_free(rules->arena);
}
