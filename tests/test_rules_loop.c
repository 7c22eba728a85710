#include <check.h>
#include <stdio.h>
#include <string.h>

#include "own.h"
#include "rules.h"
#include "rules_loop.h"

static const struct {
	const char *listener, *backend;
	bool is_own, loops;
} pairs[] = {
	{ "127.0.0.1:443", "127.0.0.1:443", false, true },
	{ "127.0.0.1:443", "127.0.0.1:22", false, false },
	{ "127.0.0.1:443", "127.0.0.2:443", false, false },
	{ "127.0.0.1:443", "0.0.0.0:443", false, true },
	{ "127.0.0.1:443", "192.0.2.1:443", true, false },
	{ "0.0.0.0:443", "127.0.0.1:443", false, true },
	{ "0.0.0.0:443", "127.9.9.9:443", false, true },
	{ "0.0.0.0:443", "127.0.0.1:8443", false, false },
	{ "0.0.0.0:443", "0.0.0.0:443", false, true },
	{ "0.0.0.0:443", "192.0.2.1:443", false, false },
	{ "0.0.0.0:443", "192.0.2.1:443", true, true },
	{ "0.0.0.0:443", "192.0.2.1:444", true, false },
	{ "0.0.0.0:443", "[::1]:443", false, false },
	{ "0.0.0.0:443", "[::ffff:127.0.0.1]:443", false, true },
	{ "0.0.0.0:443", "unix:/run/x", false, false },
	{ "[::]:443", "[::1]:443", false, true },
	{ "[::]:443", "[::]:443", false, true },
	{ "[::]:443", "127.0.0.1:443", false, false },
	{ "[::1]:443", "[::]:443", false, true },
	{ "[::]:443", "[2001:db8::1]:443", false, false },
	{ "[::]:443", "[2001:db8::1]:443", true, true },
	{ "[2001:db8::1]:443", "[2001:db8::1]:443", false, true },
	{ "unix:/run/x", "unix:/run/x", false, true },
	{ "unix:/run/x", "unix:/run/y", false, false },
};

START_TEST(knows_what_comes_back)
{
	const char *listener = pairs[_i].listener, *backend = pairs[_i].backend;
	struct addr at, to;

	ck_assert_int_eq(addr_parse(listener, strlen(listener), true, &at), 0);
	ck_assert_int_eq(addr_parse(backend, strlen(backend), false, &to), 0);
	ck_assert_int_eq(
	    rules_loop(&at, &to, pairs[_i].is_own), pairs[_i].loops);
}
END_TEST

/* On a machine that has 192.0.2.1. */
static const char *
look(enum look look, const char *name)
{
	return look == LOOK_ADDRESS && strcmp(name, "192.0.2.1") == 0 ?
	    NULL :
	    "is not there";
}

static const struct {
	rules_look *look;
	const char *listen, *backend;
	unsigned col; /* of the warning; 0: none */
} rules[] = {
	{ NULL, "0.0.0.0:443", "127.0.0.1:443", 11 },
	{ NULL, "0.0.0.0:443 [::]:443", "127.0.0.1:22 [::1]:443", 24 },
	{ NULL, "0.0.0.0:443", "127.0.0.1:443 127.0.0.2:443", 11 },
	{ NULL, "0.0.0.0:443", "127.0.0.1:22", 0 },
	{ NULL, "0.0.0.0:443", "192.0.2.1:443", 0 },
	{ look, "0.0.0.0:443", "192.0.2.1:443", 11 },
	{ look, "0.0.0.0:443", "192.0.2.2:443", 0 },
	{ look, "0.0.0.0:443", "192.0.2.1:22", 0 },
};

START_TEST(warns_of_it_at_the_backend)
{
	struct mistakes mistakes = { .look = rules[_i].look };
	struct rules *read;
	struct rules_source source = { .name = "r" };
	char text[256];

	source.len = (size_t)snprintf(text, sizeof(text),
	    "listen = %s\n[s]\nbackend = %s\n", rules[_i].listen,
	    rules[_i].backend);
	source.text = text;
	ck_assert_int_eq(rules_parse(&source, 1, NULL, &mistakes, &read), 0);
	ck_assert_uint_eq(mistakes.n, rules[_i].col > 0);
	if (mistakes.n > 0) {
		ck_assert(mistakes.list[0].warning);
		ck_assert_uint_eq(mistakes.list[0].line, 3);
		ck_assert_uint_eq(mistakes.list[0].col, rules[_i].col);
		ck_assert_ptr_nonnull(strstr(mistakes.list[0].message,
		    "usher itself listens here (listen = "));
	}
	rules_free(read);
	mistakes_free(&mistakes);
}
END_TEST

/* listen may stand in a later file than the backend. */
START_TEST(looks_when_all_files_are_read)
{
	static const char first[] = "[s]\nprotocol = any\n"
				    "backend = 127.0.0.1:443\n";
	static const char second[] = "listen = 0.0.0.0:443\n"
				     "[t]\nreject = close\n";
	const struct rules_source sources[] = {
		{ "first", first, sizeof(first) - 1 },
		{ "second", second, sizeof(second) - 1 },
	};
	struct mistakes mistakes = { 0 };
	struct rules *read;

	ck_assert_int_eq(rules_parse(sources, 2, NULL, &mistakes, &read), 0);
	ck_assert_uint_eq(mistakes.n, 1);
	ck_assert_str_eq(mistakes.list[0].file, "first");
	rules_free(read);
	mistakes_free(&mistakes);
}
END_TEST

static const struct {
	const char *text;
	bool own;
} addresses[] = {
	{ "127.0.0.1", true },
	{ "127.1.2.3", true },
	{ "203.0.113.77", false }, /* for documentation */
	{ "2001:db8::77", false },
	{ "localhost", false },
};

START_TEST(knows_own_addresses)
{
	ck_assert_int_eq(
	    own_address_text(addresses[_i].text), addresses[_i].own);
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *rules_loop_suite(void);

Suite *
rules_loop_suite(void)
{
	Suite *suite = suite_create("rules_loop");
	TCase *tests = tcase_create("rules_loop");

	tcase_add_loop_test(tests, knows_what_comes_back, 0, N(pairs));
	tcase_add_loop_test(tests, warns_of_it_at_the_backend, 0, N(rules));
	tcase_add_test(tests, looks_when_all_files_are_read);
	tcase_add_loop_test(tests, knows_own_addresses, 0, N(addresses));
	suite_add_tcase(suite, tests);
	return suite;
}
