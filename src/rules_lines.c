/* rules_lines.c - the lines of a file, one after the other. */
#include <errno.h>
#include <string.h>

#include "byte.h"
#include "rules_parser.h"

#define BOM "\xef\xbb\xbf"
#define BOM_SIZE 3

/* The n bytes of a line that is read, from text on. */
struct rest {
	const char *text;
	size_t n;
};

static void
skip_blanks(struct rest *rest)
{
	while (rest->n > 0 && (*rest->text == ' ' || *rest->text == '\t')) {
		rest->text++;
		rest->n--;
	}
}

static void
skip(struct rest *rest, size_t n)
{
	rest->text += n;
	rest->n -= n;
}

/* Bytes up to one of stop, or all. */
static size_t
span_until(const struct rest *rest, const char *stop)
{
	size_t i = 0;

	while (i < rest->n && strchr(stop, rest->text[i]) == NULL)
		i++;
	return i;
}

/* What stands where only a comment may. */
static int
expect_end(struct parser *parser, struct rest rest, const char *bracket)
{
	skip_blanks(&rest);
	if (rest.n == 0 || rest.text[0] == '#')
		return 0;
	parser->now->unread = true;
	return COMPLAIN(parser, bracket,
	    "after the \"]\" of a section there "
	    "can only be a comment");
}

static bool
is_name_byte(char c)
{
	return byte_is_alnum((uint8_t)c) ||
	    (c != '\0' && strchr("-_.+@:", c) != NULL);
}

/* Whether n bytes can name a service; else says why not. */
static bool
check_name(
    struct parser *parser, const char *bracket, const char *name, size_t n)
{
	if (n == 0) {
		COMPLAIN(parser, bracket, "a section without a name");
		return false;
	}
	if (n > RULES_NAME_MAX) {
		COMPLAIN(parser, bracket, "a name of more than ",
		    NUMBER(parser, RULES_NAME_MAX), " bytes");
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (is_name_byte(name[i]))
			continue;
		COMPLAIN(parser, bracket, QUOTE(parser, name, n),
		    " is no "
		    "name, expected letters, digits and - _ . + @ :");
		return false;
	}
	return true;
}

static int
read_section(struct parser *parser, struct rest rest)
{
	const char *bracket = rest.text;
	struct rest name;
	bool good;
	int r;

	skip(&rest, 1);
	name = (struct rest){ rest.text, span_until(&rest, "]#") };
	section_end(parser);
	if (name.n == rest.n || rest.text[name.n] == '#') {
		COMPLAIN(parser, bracket, "this section has no \"]\"");
		return section_begin(parser, bracket, NULL, 0);
	}
	skip(&rest, name.n + 1);
	good = check_name(parser, bracket, name.text, name.n);
	r = section_begin(parser, bracket, name.text, good ? name.n : 0);
	if (r < 0)
		return r;
	return expect_end(parser, rest, bracket);
}

/* Whether the key would be right on the other side of the first section. */
static int
explain_key(struct parser *parser, const char *name, size_t n)
{
	bool in_service = parser->now != NULL, likely, other_likely;
	const char *quoted = QUOTE(parser, name, n);
	const struct key *near, *other;

	if (in_service)
		parser->now->unread = true;
	if (key_find(name, n, !in_service) != NULL && in_service)
		return COMPLAIN(parser, name, quoted,
		    " is a setting: it must "
		    "stand above the first [section]");
	if (key_find(name, n, !in_service) != NULL)
		return COMPLAIN(parser, name, quoted,
		    " belongs to a service: "
		    "it must stand below a [section]");
	near = key_nearest(name, n, in_service, &likely);
	other = key_nearest(name, n, !in_service, &other_likely);
	if (!likely && other_likely)
		return COMPLAIN(parser, name, "unknown key ", quoted,
		    ", did you mean \"", other->name, "\"? it must stand ",
		    in_service ? "above the first [section]" :
				 "below a [section]");
	if (near == NULL)
		return COMPLAIN(parser, name, "unknown key ", quoted);
	return COMPLAIN(parser, name, "unknown key ", quoted,
	    likely ? ", did you mean \"" : ", the nearest is \"", near->name,
	    likely ? "\"?" : "\"");
}

/* "key value", "key: value", "key" and the like. */
static int
explain_line(
    struct parser *parser, const char *name, size_t n, struct rest rest)
{
	bool colon = n > 0 && name[n - 1] == ':';
	const struct key *key = key_find(name, n - colon, parser->now != NULL);

	if (parser->now != NULL)
		parser->now->unread = true;
	if (n == 0)
		return COMPLAIN(
		    parser, name, "there is no key before this \"=\"");
	if (key == NULL)
		return explain_key(parser, name, n - colon);
	return COMPLAIN(parser, rest.text - colon, "expected \"=\" after \"",
	    key->name, "\": ", key->name, " = VALUE");
}

static int
read_assignment(struct parser *parser, struct rest rest)
{
	const char *name = rest.text, *wrong, *fault = NULL;
	size_t n = span_until(&rest, "= \t#");
	const struct key *key;
	struct words value;

	skip(&rest, n);
	skip_blanks(&rest);
	if (n == 0 || rest.n == 0 || *rest.text != '=')
		return explain_line(parser, name, n, rest);
	skip(&rest, 1);
	key = key_find(name, n, parser->now != NULL);
	if (key == NULL)
		return explain_key(parser, name, n);
	skip_blanks(&rest);
	wrong = value_scan(rest.text, rest.n, &value, &fault);
	if (wrong == NULL)
		return section_assign(parser, key, name, value);
	if (parser->now != NULL)
		parser->now->unread = true;
	return COMPLAIN(parser, fault, wrong);
}

/* Reads one line; only -ENOMEM and -E2BIG end the reading. */
static int
read_line(struct parser *parser, const char *text, size_t n)
{
	struct rest rest = { text, n };
	const char *nul = memchr(text, '\0', n);

	if (nul != NULL)
		return COMPLAIN(parser, nul, "a NUL byte, this is no text");
	if (n > RULES_LINE_MAX)
		return COMPLAIN(parser, text + RULES_LINE_MAX,
		    "a line of more than ", NUMBER(parser, RULES_LINE_MAX),
		    " bytes");
	skip_blanks(&rest);
	if (rest.n == 0 || *rest.text == '#')
		return 0;
	if (*rest.text == '[')
		return read_section(parser, rest);
	return read_assignment(parser, rest);
}

int
read_source(struct parser *parser, const struct rules_source *source)
{
	const char *at = source->text, *end = at + source->len, *next;
	size_t n;
	int r;

	if (source->len >= BOM_SIZE && memcmp(at, BOM, BOM_SIZE) == 0)
		at += BOM_SIZE;
	for (parser->here.number = 1; at < end; parser->here.number++) {
		parser->here.line = at;
		next = memchr(at, '\n', (size_t)(end - at));
		n = (size_t)((next == NULL ? end : next) - at);
		if (n > 0 && at[n - 1] == '\r')
			n--;
		r = read_line(parser, at, n);
		if (r == -ENOMEM || r == -E2BIG)
			return r;
		at = next == NULL ? end : next + 1;
	}
	section_end(parser);
	return 0;
}
