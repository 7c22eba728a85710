/*
 * fuzz_rules.c - any bytes as a rules file: right or wrong, never both; what
 * is wrong can be shown; what is right has a normal form that is its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "mistake.h"
#include "rules.h"

#define SOURCES_MAX 3
#define BETWEEN '\x1e' /* files, in one input */

/* Any name is one or two addresses, but for those that begin with x. */
static int
resolve(const char *host, const char *port, struct addr *ret, size_t max,
    char *why, size_t why_size)
{
	static const char text[] = "192.0.2.1:80";
	int n = strlen(port) % 2 == 0 ? 2 : 1;

	if (host[0] == 'x' || max < 2) {
		struct line line = line_over(why, why_size);

		line_text(&line, "it begins with x");
		return -ENOENT;
	}
	for (int i = 0; i < n; i++)
		if (addr_parse(text, sizeof(text) - 1, false, &ret[i]) < 0)
			abort();
	return n;
}

static const char *
look(enum look look, const char *name)
{
	return look != LOOK_TRANSPARENT && name[0] == '\0' ? "has no name" :
							     "is not there";
}

static void
check_mistake(const struct mistake *mistake)
{
	static char text[MISTAKE_TEXT_MAX];
	struct line line = LINE(text);

	if (mistake->message == NULL || mistake->message[0] == '\0' ||
	    (mistake->line > 0 && mistake->col == 0))
		abort();
	mistake_write(&line, mistake);
	if (line.cut || strlen(text) != line.len)
		abort();
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)text[i] < ' ' && text[i] != '\n' &&
		    text[i] != '\t')
			abort();
}

static void
check_mistakes(const struct mistakes *mistakes, int r)
{
	if (r != 0 && r != -EINVAL)
		abort();
	if ((r == 0) != (mistakes->n_errors == 0))
		abort();
	for (size_t i = 0; i < mistakes->n; i++)
		check_mistake(&mistakes->list[i]);
}

/* Its normal form, to be freed. */
static char *
normalise(const struct rules *rules, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (out == NULL || rules_write(out, rules) < 0 || fclose(out) != 0)
		abort();
	return text;
}

static void
check_normal_form(const struct rules *rules)
{
	struct mistakes mistakes = { .n = 0 };
	struct rules_source source = { .name = "normal" };
	struct rules *again;
	size_t len = 0;
	char *first, *second;

	first = normalise(rules, &source.len);
	source.text = first;
	/* Numbers may take more room than names; see RULES_LINE_MAX. */
	if (rules_parse(&source, 1, NULL, &mistakes, &again) < 0) {
		fprintf(stderr, "%s\n%s\n", first, mistakes.list[0].message);
		abort();
	}
	second = normalise(again, &len);
	if (len != source.len || memcmp(first, second, len) != 0)
		abort();
	rules_free(again);
	mistakes_free(&mistakes);
	free(first);
	free(second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct rules_source sources[SOURCES_MAX] = { { .name = "one" },
		{ .name = "two" }, { .name = "three" } };
	struct mistakes mistakes = { .look = look };
	const char *text = (const char *)bytes, *end;
	struct rules *rules = NULL;
	size_t used = 0;
	int r;

	while (used < SOURCES_MAX && (n > 0 || used == 0)) {
		end = n > 0 ? memchr(text, BETWEEN, n) : NULL;
		sources[used].text = text;
		sources[used].len = end == NULL ? n : (size_t)(end - text);
		n -= sources[used].len + (end != NULL);
		text += sources[used].len + (end != NULL);
		used++;
	}
	r = rules_parse(sources, used, resolve, &mistakes, &rules);
	check_mistakes(&mistakes, r);
	if (r == 0)
		check_normal_form(rules);
	rules_free(rules);
	mistakes_free(&mistakes);
	return 0;
}
