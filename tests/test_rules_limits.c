#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules_rig.h"

/* times times piece, between before and after; to be freed. */
static char *
repeat(const char *before, const char *piece, size_t times, const char *after)
{
	size_t n = strlen(piece), at = strlen(before);
	char *text = calloc(1, at + times * n + strlen(after) + 1);

	ck_assert_ptr_nonnull(text);
	memcpy(text, before, at);
	for (size_t i = 0; i < times; i++, at += n)
		memcpy(text + at, piece, n);
	memcpy(text + at, after, strlen(after));
	return text;
}

static const struct {
	const char *before, *piece;
	size_t times; /* as many as are allowed */
	const char *after, *message;
} limits[] = {
	{ "#", "x", RULES_LINE_MAX - 1, "\n[s]\nreject = close",
	    "a line of more than 8192 bytes" },
	{ "[s]\nbackend = ", "1.2.3.4:5 ", RULES_BACKENDS_MAX, "",
	    "more than 64 backends in one service" },
	{ "[s]\nbackend = ", "many:5 ", 4, "",
	    "more than 64 backends in one service" },
	{ "[s]\nbackend = ", "crowd:5 ", 1, "",
	    "more than 64 backends in one service" },
	{ "listen = ", "1.2.3.4:5 ", RULES_LISTEN_MAX, "\n[s]\nreject = close",
	    "more than 64 addresses to listen at" },
	{ "[s]\nexec = ", "/x ", RULES_ARGS_MAX, "", "more than 64 words" },
	{ "[", "n", RULES_NAME_MAX, "]\nreject = close",
	    "a name of more than 63 bytes" },
};

START_TEST(stops_at_its_limits)
{
	struct mistakes mistakes;
	struct rules *rules;
	char *text;

	for (size_t more = 0; more <= 1; more++) {
		text = repeat(limits[_i].before, limits[_i].piece,
		    limits[_i].times + more, limits[_i].after);
		if (rules_try(text, &mistakes, &rules) == 0) {
			ck_assert_uint_eq(more, 0);
			rules_free(rules);
		} else if (more == 1) {
			ck_assert_str_eq(
			    mistakes.list[0].message, limits[_i].message);
		} else {
			ck_abort_msg("%s", mistakes.list[0].message);
		}
		mistakes_free(&mistakes);
		free(text);
	}
}
END_TEST

/* The last byte that is allowed, in one file or in two, and one more. */
START_TEST(reads_a_mebibyte_and_no_more)
{
	static const char end[] = "[s]\nreject = close\n";
	struct mistakes mistakes;
	struct rules *rules;
	char *text = malloc(RULES_SIZE_MAX + 1);

	memset(text, '\n', RULES_SIZE_MAX + 1);
	memcpy(text, end, sizeof(end) - 1);
	ck_assert_int_eq(
	    rules_try_with(text, RULES_SIZE_MAX, NULL, &mistakes, &rules), 0);
	rules_free(rules);
	ck_assert_int_eq(
	    rules_try_with(text, RULES_SIZE_MAX + 1, NULL, &mistakes, &rules),
	    -EINVAL);
	ck_assert_uint_eq(mistakes.n, 1);
	ck_assert_str_eq(
	    mistakes.list[0].message, "more than 1048576 bytes of rules");
	mistakes_free(&mistakes);
	for (size_t more = 0; more <= 1; more++) {
		struct rules_source sources[] = {
			{ "one", text, RULES_SIZE_MAX - 10 },
			{ "two", "\n\n\n\n\n\n\n\n\n\n\n", 10 + more },
		};

		memset(&mistakes, 0, sizeof(mistakes));
		ck_assert_int_eq(
		    rules_parse(sources, 2, NULL, &mistakes, &rules),
		    more == 0 ? 0 : -EINVAL);
		if (more == 0)
			rules_free(rules);
		else
			ck_assert_str_eq(mistakes.list[0].file, "two");
		mistakes_free(&mistakes);
	}
	free(text);
}
END_TEST

/* n services with a name each; to be freed. */
static char *
make_services(size_t n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < n; i++)
		fprintf(out,
		    "[s%zu]\nserver-name = n%zu.example.net\n"
		    "backend = 127.0.0.1:%zu\n",
		    i, i, i + 1);
	fclose(out);
	return text;
}

START_TEST(takes_a_thousand_services)
{
	struct mistakes mistakes;
	struct rules *rules;
	char *text = make_services(RULES_SERVICES_MAX);

	ck_assert_int_eq(rules_try(text, &mistakes, &rules), 0);
	ck_assert_uint_eq(rules->n_services, RULES_SERVICES_MAX);
	ck_assert_str_eq(rules->services[999].name, "s999");
	rules_free(rules);
	mistakes_free(&mistakes);
	free(text);
	text = make_services(RULES_SERVICES_MAX + 1);
	ck_assert_int_eq(rules_try(text, &mistakes, &rules), -EINVAL);
	ck_assert_uint_eq(mistakes.n, 1);
	ck_assert_str_eq(mistakes.list[0].message, "more than 1000 services");
	ck_assert_uint_eq(mistakes.list[0].line, 3001);
	mistakes_free(&mistakes);
	free(text);
}
END_TEST

START_TEST(counts_mistakes_beyond_its_list)
{
	struct mistakes mistakes;
	struct rules *rules;
	char *text = repeat("", "x\n", 5000, "[s]\nreject = close");

	ck_assert_int_eq(rules_try(text, &mistakes, &rules), -EINVAL);
	ck_assert_uint_eq(mistakes.n, MISTAKES_MAX);
	ck_assert_uint_eq(mistakes.n_errors, 5000);
	mistakes_free(&mistakes);
	free(text);
}
END_TEST

/* Long conditions become several lines, each short enough to be read. */
START_TEST(breaks_long_conditions)
{
	struct mistakes mistakes;
	struct rules *rules;
	char *text = repeat(
	    "[s]\n", "from = 192.0.2.1 2001:db8::1\n", 5000, "reject = close");
	char *first, *second;

	ck_assert_int_eq(rules_try(text, &mistakes, &rules), 0);
	ck_assert_uint_eq(rules->services[0].conditions[0].n, 10000);
	free(text);
	first = rules_text(rules);
	rules_free(rules);
	ck_assert_int_eq(
	    rules_try_with(first, strlen(first), NULL, &mistakes, &rules), 0);
	second = rules_text(rules);
	rules_free(rules);
	ck_assert(strcmp(first, second) == 0);
	mistakes_free(&mistakes);
	free(first);
	free(second);
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *rules_limits_suite(void);

Suite *
rules_limits_suite(void)
{
	Suite *suite = suite_create("rules_limits");
	TCase *tests = tcase_create("rules_limits");

	tcase_add_loop_test(tests, stops_at_its_limits, 0, N(limits));
	tcase_add_test(tests, reads_a_mebibyte_and_no_more);
	tcase_add_test(tests, takes_a_thousand_services);
	tcase_add_test(tests, counts_mistakes_beyond_its_list);
	tcase_add_test(tests, breaks_long_conditions);
	suite_add_tcase(suite, tests);
	return suite;
}
