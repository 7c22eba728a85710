#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mistake.h"

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define BLANKS "                                                  "

static const struct {
	const char *text; /* the line and what follows it */
	unsigned col;
	const char *shown;
} lines[] = {
	{ "key = value", 7, "key = value\n      ^\n" },
	{ "key = value\nnext", 1, "key = value\n^\n" },
	{ "key = value\r\nnext", 1, "key = value\n^\n" },
	{ "key =", 6, "key =\n     ^\n" },
	{ "", 1, "\n^\n" },
	{ "\tkey\t= x", 8, "\tkey\t= x\n\t   \t  ^\n" },
	{ "a\x01\x7f x", 5, "a\\x01\\x7f x\n          ^\n" },
	{ "\xc3\xa9\xe2\x82\xac x", 7, "\xc3\xa9\xe2\x82\xac x\n   ^\n" },
	{ "\xff\xc3 x", 4, "\\xff\\xc3 x\n         ^\n" },
	{ "\xc2\x9b x", 4, "\\xc2\\x9b x\n         ^\n" },
	{ FIFTY "A", 51, FIFTY "A\n" BLANKS "^\n" },
	{ FIFTY "AB", 52,
	    "...123456789" TEN TEN TEN TEN "AB\n   " BLANKS "^\n" },
	{ FIFTY TEN TEN "ABC", 1, FIFTY TEN TEN "AB...\n^\n" },
	{ FIFTY FIFTY "AB", 101, "..." FIFTY "AB\n   " BLANKS "^\n" },
};

static void
note(struct mistakes *mistakes, const char *name, const char *text,
    unsigned number, unsigned col, bool warning)
{
	struct rules_source source = { name, text, strlen(text) };
	struct place place = { &source, 0, text, number, col };
	const char *const parts[] = { "wrong ",
		mistakes_quote(mistakes, "it", 2), NULL };

	mistakes_add(mistakes, &place, warning, parts);
}

START_TEST(points_at_the_column)
{
	struct mistakes mistakes = { .n = 0 };
	char buffer[MISTAKE_TEXT_MAX];
	struct line line = LINE(buffer);
	const char *shown;

	note(&mistakes, "file", lines[_i].text, 7, lines[_i].col, false);
	mistake_write(&line, &mistakes.list[0]);
	shown = strchr(buffer, '\n');
	ck_assert_ptr_nonnull(shown);
	ck_assert_str_eq(shown + 1, lines[_i].shown);
	ck_assert(!line.cut);
	mistakes_free(&mistakes);
}
END_TEST

START_TEST(names_the_place)
{
	struct mistakes mistakes = { .n = 0 };
	char buffer[MISTAKE_TEXT_MAX];
	struct line line = LINE(buffer);
	struct rules_source source = { "/etc/x\x1b", "", 0 };
	struct place nowhere = { .source = &source };
	const char *const parts[] = { "cannot read it", NULL };

	note(&mistakes, "a b.conf", "x", 12, 1, false);
	note(&mistakes, "a b.conf", "x", 13, 1, true);
	mistakes_add(&mistakes, &nowhere, false, parts);
	ck_assert_uint_eq(mistakes.n, 3);
	ck_assert_uint_eq(mistakes.n_errors, 2);
	for (size_t i = 0; i < mistakes.n; i++)
		mistake_write(&line, &mistakes.list[i]);
	ck_assert_str_eq(buffer,
	    "a b.conf:12:1: wrong \"it\"\nx\n^\n"
	    "a b.conf:13:1: warning: wrong \"it\"\nx\n^\n"
	    "/etc/x\\x1b: cannot read it\n");
	mistakes_free(&mistakes);
	ck_assert_uint_eq(mistakes.n, 0);
}
END_TEST

START_TEST(sorts_by_place)
{
	static const unsigned places[][2] = { { 2, 9 }, { 2, 1 }, { 1, 5 },
		{ 10, 1 }, { 1, 1 } };
	static const unsigned sorted[][2] = { { 1, 1 }, { 1, 5 }, { 2, 1 },
		{ 2, 9 }, { 10, 1 } };
	struct mistakes mistakes = { .n = 0 };

	for (size_t i = 0; i < 5; i++)
		note(&mistakes, "f", "text text", places[i][0], places[i][1],
		    false);
	mistakes_sort(&mistakes);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_uint_eq(mistakes.list[i].line, sorted[i][0]);
		ck_assert_uint_eq(mistakes.list[i].col, sorted[i][1]);
	}
	mistakes_free(&mistakes);
}
END_TEST

/* Whatever a line holds, what is shown of it is bounded and printable. */
START_TEST(shows_any_bytes_safely)
{
	struct mistakes mistakes = { .n = 0 };
	char text[400], buffer[MISTAKE_TEXT_MAX];
	unsigned seed = 1;

	for (unsigned col = 1; col < sizeof(text); col++) {
		struct line line = LINE(buffer);

		for (size_t i = 0; i + 1 < sizeof(text); i++) {
			seed = seed * 1103515245 + 12345;
			text[i] = (char)(seed >> 16);
		}
		text[sizeof(text) - 1] = '\0';
		note(&mistakes, "f", text, 1, col, false);
		mistake_write(&line, &mistakes.list[0]);
		ck_assert(!line.cut);
		for (size_t i = 0; i < line.len; i++)
			ck_assert((unsigned char)buffer[i] >= ' ' ||
			    buffer[i] == '\n' || buffer[i] == '\t');
		mistakes_free(&mistakes);
	}
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *mistake_suite(void);

Suite *
mistake_suite(void)
{
	Suite *suite = suite_create("mistake");
	TCase *tests = tcase_create("mistake");

	tcase_add_loop_test(tests, points_at_the_column, 0, N(lines));
	tcase_add_test(tests, names_the_place);
	tcase_add_test(tests, sorts_by_place);
	tcase_add_test(tests, shows_any_bytes_safely);
	suite_add_tcase(suite, tests);
	return suite;
}
