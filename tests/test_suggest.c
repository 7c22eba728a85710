#include <check.h>
#include <string.h>

#include "suggest.h"

static const char *const names[] = {
	"backend",
	"balance",
	"bind",
	"exec",
	"protocol",
	"idle-timeout",
	"server-name",
	"max-connections",
};

static const struct {
	const char *word, *meant;
	size_t distance;
	bool likely;
} words[] = {
	{ "backend", "backend", 0, true },
	{ "bakend", "backend", 1, true },
	{ "backned", "backend", 1, true },
	{ "BackEnd", "backend", 0, true },
	{ "server_name", "server-name", 0, true },
	{ "idle-timout", "idle-timeout", 1, true },
	{ "max-conections", "max-connections", 1, true },
	{ "protocols", "protocol", 1, true },
	{ "", "bind", 4, false },
	{ "x", "exec", 3, false },
	{ "quite-another-thing", "max-connections", 14, false },
};

START_TEST(finds_the_nearest)
{
	struct suggestion best = { NULL, 0 };
	size_t n = strlen(words[_i].word);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		suggest_offer(&best, words[_i].word, n, names[i]);
	ck_assert_str_eq(best.name, words[_i].meant);
	ck_assert_uint_eq(best.distance, words[_i].distance);
	ck_assert_int_eq(suggest_likely(&best, n), words[_i].likely);
}
END_TEST

START_TEST(ignores_what_is_too_long)
{
	struct suggestion best = { NULL, 0 };
	char word[4096];

	memset(word, 'b', sizeof(word));
	suggest_offer(&best, word, sizeof(word), "backend");
	ck_assert_ptr_null(best.name);
	ck_assert(!suggest_likely(&best, sizeof(word)));
}
END_TEST

Suite *suggest_suite(void);

Suite *
suggest_suite(void)
{
	Suite *suite = suite_create("suggest");
	TCase *tests = tcase_create("suggest");

	tcase_add_loop_test(
	    tests, finds_the_nearest, 0, sizeof(words) / sizeof(words[0]));
	tcase_add_test(tests, ignores_what_is_too_long);
	suite_add_tcase(suite, tests);
	return suite;
}
