#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "match.h"
#include "rules.h"
#include "vector.h"

enum finding { NOTHING, PARTLY, UNREACHABLE };

/* Conditions of a service, and of one below it. */
static const struct {
	const char *above, *below;
	enum finding finding;
} pairs[] = {
	{ "protocol = tls", "server-name = x", UNREACHABLE },
	{ "protocol = tls", "alpn = h2", UNREACHABLE },
	{ "protocol = tls", "tls-version = 1.2", UNREACHABLE },
	{ "protocol = http", "tls-version = 1.2", NOTHING },
	{ "protocol = any", "server-name = !x", NOTHING },
	{ "protocol = any", "protocol = ssh", UNREACHABLE },
	{ "protocol = any", "payload = \"x\"", UNREACHABLE },
	{ "protocol = any", "http-host = x", UNREACHABLE },
	{ "protocol = any", "protocol = silent", NOTHING },
	{ "protocol = any", "from = ::1", NOTHING },
	{ "protocol = any silent", "from = ::1", UNREACHABLE },
	{ "protocol = any silent", "protocol = ssh silent", UNREACHABLE },
	{ "protocol = any", "protocol = ssh silent", PARTLY },
	{ "protocol = ssh silent", "protocol = any", NOTHING },
	{ "protocol = http", "http-host = x", NOTHING },
	{ "protocol = http http2", "http-host = x", UNREACHABLE },
	{ "protocol = http http2", "http-path = /x", UNREACHABLE },
	{ "protocol = tls", "protocol = ssh", NOTHING },
	{ "protocol = !ssh", "protocol = tls", NOTHING },
	{ "protocol = any !silent", "protocol = tls", UNREACHABLE },
	{ "protocol = any !ssh", "protocol = tls", NOTHING },
	{ "protocol = any !ssh", "server-name = x", NOTHING },
	{ "protocol = any !ssh", "server-name = x\nprotocol = !ssh",
	    UNREACHABLE },
	{ "server-name = *", "server-name = x y", UNREACHABLE },
	{ "server-name = *", "protocol = tls", NOTHING },
	{ "server-name = *.a", "server-name = x.a y.x.a", UNREACHABLE },
	{ "server-name = *.a", "server-name = *.x.a", UNREACHABLE },
	{ "server-name = *.a", "server-name = a", NOTHING },
	{ "server-name = *.a", "server-name = xa", NOTHING },
	{ "server-name = *.a", "server-name = *", NOTHING },
	{ "server-name = *.a", "server-name = a x.a", PARTLY },
	{ "server-name = *.x.a", "server-name = *.a", NOTHING },
	{ "server-name = x", "server-name = x", UNREACHABLE },
	{ "server-name = X.", "server-name = x", UNREACHABLE },
	{ "server-name = x", "server-name = x\nfrom = ::1", UNREACHABLE },
	{ "server-name = x\nfrom = ::1", "server-name = x", NOTHING },
	{ "server-name = * !x", "server-name = x", NOTHING },
	{ "server-name = * !x", "server-name = y", UNREACHABLE },
	{ "server-name = * !*.x", "server-name = x y.z", UNREACHABLE },
	{ "server-name = * !*.x", "server-name = x.x", NOTHING },
	{ "server-name = * !x", "server-name = * !x", UNREACHABLE },
	{ "server-name = * !x", "server-name = *", NOTHING },
	{ "server-name = !x", "server-name = y", UNREACHABLE },
	{ "http-host = *.a", "http-host = x.a", UNREACHABLE },
	{ "http-host = *.a", "server-name = x.a", NOTHING },
	{ "alpn = h2", "alpn = h2", UNREACHABLE },
	{ "alpn = !h2", "alpn = h3", NOTHING },
	{ "tls-version = 1.2 1.3", "tls-version = 1.3", UNREACHABLE },
	{ "tls-version = 1.2", "tls-version = 1.3", NOTHING },
	{ "http-path = /a", "http-path = /ab", UNREACHABLE },
	{ "http-path = /ab", "http-path = /a", NOTHING },
	{ "payload = \"SSH\"", "payload = \"SSH-2\"", UNREACHABLE },
	{ "payload = \"SSH-2\"", "payload = \"SSH\"", NOTHING },
	{ "payload = 1:\"SH\"", "payload = \"SSH\"", UNREACHABLE },
	{ "payload = ??5348", "payload = 535348", UNREACHABLE },
	{ "payload = 535348", "payload = ??5348", NOTHING },
	{ "payload = ????", "payload = 00", NOTHING },
	{ "payload = !00", "payload = 01", UNREACHABLE },
	{ "payload = !00", "payload = 1:01", NOTHING },
	{ "from = 10.0.0.0/8", "from = 10.1.0.0/16", UNREACHABLE },
	{ "from = 10.0.0.0/8", "from = 10.0.0.0/8", UNREACHABLE },
	{ "from = 10.0.0.0/9", "from = 10.128.0.0/9", NOTHING },
	{ "from = 10.1.0.0/16", "from = 10.0.0.0/8", NOTHING },
	{ "from = ::/0", "from = 10.0.0.0/8", NOTHING },
	{ "from = 0.0.0.0/0", "from = 10.0.0.0/8", UNREACHABLE },
	{ "from = 0.0.0.0/0", "from = 10.0.0.0/8 ::1", PARTLY },
	{ "from = 2001:db8::/33", "from = 2001:db8::1", UNREACHABLE },
	{ "from = 2001:db8::/33", "from = 2001:db8:8000::1", NOTHING },
	{ "from = 10.0.0.0/8 !10.1.0.0/16", "from = 10.1.1.0/24", NOTHING },
	{ "from = 10.0.0.0/8 !10.1.0.0/16", "from = 10.2.1.0/24", UNREACHABLE },
	{ "from = 10.0.0.0/8 !10.1.0.0/16", "from = 10.0.0.0/15", NOTHING },
	{ "from = 10.0.0.0/8\nserver-name = *",
	    "server-name = x\nfrom = 10.1.2.3", UNREACHABLE },
	{ "from = 10.1.2.3\nalpn = h2", "from = 10.1.2.3\nalpn = h2",
	    UNREACHABLE },
	{ "local = :443\nfrom = 2001:db8::/33", "local = :443\nfrom = ::/0",
	    NOTHING },
	{ "local = 192.0.2.1", "local = [::ffff:192.0.2.1]:443", UNREACHABLE },
	{ "local = :443", "local = 192.0.2.1:443", UNREACHABLE },
	{ "local = 192.0.2.1", "local = 192.0.2.1:443", UNREACHABLE },
	{ "local = 192.0.2.1", "local = :443", NOTHING },
	{ "local = :443", "local = 192.0.2.1", NOTHING },
	{ "local = !:443", "local = :80", UNREACHABLE },
	{ "local = !:443", "local = 192.0.2.1", NOTHING },
	{ "socket = https", "socket = https", UNREACHABLE },
	{ "socket = https", "socket = ssh", NOTHING },
	{ "socket = !ssh", "socket = https", UNREACHABLE },
};

static int
parse(const char *text, struct mistakes *mistakes, struct rules **ret)
{
	struct rules_source source = { "r", text, strlen(text) };

	memset(mistakes, 0, sizeof(*mistakes));
	return rules_parse(&source, 1, NULL, mistakes, ret);
}

START_TEST(finds_what_is_never_reached)
{
	struct mistakes mistakes;
	struct rules *rules = NULL;
	char text[512];
	int r;

	snprintf(text, sizeof(text),
	    "[above]\nreject = close\n%s\n"
	    "[below]\nreject = close\n%s\n",
	    pairs[_i].above, pairs[_i].below);
	r = parse(text, &mistakes, &rules);
	ck_assert_int_eq(r, pairs[_i].finding == UNREACHABLE ? -EINVAL : 0);
	ck_assert_uint_eq(mistakes.n, pairs[_i].finding != NOTHING);
	if (mistakes.n > 0) {
		ck_assert_int_eq(
		    mistakes.list[0].warning, pairs[_i].finding == PARTLY);
		ck_assert_ptr_nonnull(
		    strstr(mistakes.list[0].message, "[above] at r:1"));
	}
	rules_free(rules);
	mistakes_free(&mistakes);
}
END_TEST

static struct rules *
parse_one(const char *conditions)
{
	struct mistakes mistakes;
	struct rules *rules = NULL;
	char text[512];

	snprintf(text, sizeof(text), "[s]\nreject = close\n%s\n", conditions);
	ck_assert_int_eq(parse(text, &mistakes, &rules), 0);
	mistakes_free(&mistakes);
	return rules;
}

/* Where a connection may come from and go to, as text. */
static const char *const places[][3] = {
	{ "192.0.2.1:1", "192.0.2.1:443", "https" },
	{ "10.1.1.1:1", "192.0.2.1:80", "ssh" },
	{ "10.2.1.1:1", "[2001:db8::1]:443", "" },
	{ "[2001:db8::1]:1", "[::1]:80", "https" },
	{ "[2001:db8:8000::1]:1", "10.0.0.1:443", "other" },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

/* Every flight that the service below takes, the one above takes as well. */
static void
check_flight(const struct rules *above, const struct rules *below,
    const uint8_t *bytes, size_t n, const char *const place[3])
{
	struct addr client, local;
	struct facts facts = { .bytes = bytes,
		.n = n,
		.final = true,
		.client = &client,
		.local = &local,
		.socket = place[2] };

	addr_parse(place[0], strlen(place[0]), false, &client);
	addr_parse(place[1], strlen(place[1]), false, &local);
	facts_update(&facts);
	if (match_service(&below->services[0], &facts).verdict != ANSWER_YES)
		return;
	ck_assert_int_eq(
	    match_service(&above->services[0], &facts).verdict, ANSWER_YES);
}

START_TEST(is_right_about_real_flights)
{
	struct rules *above, *below;
	const struct vector *vectors;
	size_t count;

	if (pairs[_i].finding != UNREACHABLE)
		return;
	vectors = vectors_load(&count);
	above = parse_one(pairs[_i].above);
	below = parse_one(pairs[_i].below);
	for (size_t i = 0; i < PLACES; i++) {
		check_flight(above, below, (const uint8_t *)"", 0, places[i]);
		for (size_t j = 0; j < count; j++)
			check_flight(above, below, vectors[j].bytes,
			    vectors[j].n, places[i]);
	}
	rules_free(above);
	rules_free(below);
}
END_TEST

/* Several services above may leave nothing together. */
static const struct {
	const char *text;
	size_t errors, warnings;
} several[] = {
	{ "[a]\nserver-name=x\nreject=close\n[b]\nserver-name=y\n"
	  "reject=close\n[c]\nserver-name=x y\nreject=close\n",
	    1, 0 },
	{ "[a]\nserver-name=x\nreject=close\n[b]\nserver-name=y\n"
	  "reject=close\n[c]\nserver-name=x z y\nreject=close\n",
	    0, 2 },
	/* What is wrong itself says nothing about others. */
	{ "[a]\nserver-name=* a..b\nreject=close\n[b]\nserver-name=y\n"
	  "reject=close\n",
	    1, 0 },
	{ "[a]\nserver-name=*\nreject=close\n[b]\nserver-name=y a..b\n"
	  "reject=close\n",
	    1, 0 },
};

START_TEST(looks_at_all_above)
{
	struct mistakes mistakes;
	struct rules *rules = NULL;

	parse(several[_i].text, &mistakes, &rules);
	ck_assert_uint_eq(mistakes.n_errors, several[_i].errors);
	ck_assert_uint_eq(mistakes.n - mistakes.n_errors, several[_i].warnings);
	rules_free(rules);
	mistakes_free(&mistakes);
}
END_TEST

#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))
#define ABOVE 7

/* Whether lint says of two services alone that the first takes all. */
static bool
takes_all(const char *above, const char *below)
{
	struct mistakes mistakes;
	struct rules *rules = NULL;
	char text[512];
	bool ret;

	snprintf(text, sizeof(text),
	    "[above]\nreject=close\n%s\n[below]\nreject=close\n%s\n", above,
	    below);
	ret = parse(text, &mistakes, &rules) < 0 &&
	    strstr(mistakes.list[0].message, " takes all ") != NULL;
	rules_free(rules);
	mistakes_free(&mistakes);
	return ret;
}

/* What lint says of the last service, or "". */
static void
find_last(const struct mistakes *mistakes, char *ret, size_t size)
{
	ret[0] = '\0';
	for (size_t i = 0; i < mistakes->n; i++)
		if (strncmp(mistakes->list[i].message, "[last]", 6) == 0)
			snprintf(ret, size, "%s", mistakes->list[i].message);
}

/* Of several services above, lint names the first that takes all by itself. */
START_TEST(names_the_first_that_takes_all)
{
	for (size_t below = 0; below < PAIRS; below++) {
		struct mistakes mistakes;
		struct rules *rules = NULL;
		char text[4096], want[64] = "", got[1024];
		size_t n = 0;

		for (size_t j = 0; j < ABOVE; j++) {
			const char *above =
			    pairs[((size_t)_i + j * 11) % PAIRS].above;

			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "[s%zu]\nreject=close\n%s\n", j, above);
			if (want[0] == '\0' &&
			    takes_all(above, pairs[below].below))
				snprintf(want, sizeof(want),
				    "[last] is never reached: [s%zu] at r:", j);
		}
		snprintf(text + n, sizeof(text) - n,
		    "[last]\nreject=close\n%s\n", pairs[below].below);
		parse(text, &mistakes, &rules);
		find_last(&mistakes, got, sizeof(got));
		if (want[0] != '\0')
			ck_assert_msg(strncmp(got, want, strlen(want)) == 0,
			    "%s: %s", text, got);
		ck_assert_int_eq(
		    want[0] != '\0', strstr(got, " takes all ") != NULL);
		rules_free(rules);
		mistakes_free(&mistakes);
	}
}
END_TEST

/* Conditions of a service and of one below it, and what is warned of. */
static const struct {
	const char *above, *below, *warning;
} orders[] = {
	{ "protocol = dns", "protocol = postgres",
	    "\"postgres\" should stand above \"dns\", which is asked for in "
	    "[above] at r:1: both begin with zeros and a length" },
	{ "protocol = postgres", "protocol = dns", NULL },
	{ "protocol = ssh dns", "protocol = http postgres",
	    "\"postgres\" should stand above \"dns\", which is asked for in "
	    "[above] at r:1: both begin with zeros and a length" },
	{ "protocol = !dns", "protocol = postgres", NULL },
	{ "protocol = dns\nlocal = :53", "protocol = postgres\nlocal = :5432",
	    NULL },
	{ "protocol = dns\nlocal = :53", "protocol = postgres\nlocal = :53",
	    "\"postgres\" should stand above \"dns\", which is asked for in "
	    "[above] at r:1: both begin with zeros and a length" },
	{ "protocol = ssh", "protocol = tls\nhttp-host = x",
	    "\"http-host\" is only seen in http, but this service asks for "
	    "other protocols: it never matches" },
	{ "protocol = ssh", "protocol = http\nhttp-host = x", NULL },
	{ "protocol = ssh", "protocol = any\nserver-name = x", NULL },
	{ "protocol = http", "protocol = ssh\nserver-name = !x", NULL },
	{ "protocol = ssh", "protocol = silent\nserver-name = x",
	    "\"server-name\" is only seen in tls, but this service asks for "
	    "other protocols: it never matches" },
};

START_TEST(warns_of_what_was_hardly_meant)
{
	struct mistakes mistakes;
	struct rules *rules;
	char text[512];

	snprintf(text, sizeof(text),
	    "[above]\nreject = close\n%s\n"
	    "[below]\nreject = close\n%s\n",
	    orders[_i].above, orders[_i].below);
	ck_assert_int_eq(parse(text, &mistakes, &rules), 0);
	ck_assert_uint_eq(mistakes.n, orders[_i].warning != NULL);
	if (mistakes.n > 0)
		ck_assert_str_eq(mistakes.list[0].message, orders[_i].warning);
	rules_free(rules);
	mistakes_free(&mistakes);
}
END_TEST

/* What was written after all had been compared is not compared again. */
START_TEST(looks_at_what_was_written_once)
{
	static const char text[] = "[a]\nprotocol=any\nreject=close\n"
				   "[b]\nprotocol=ssh\nreject=close\n";
	struct rules_source source = { "r", text, sizeof(text) - 1 };
	struct mistakes mistakes = { 0 };
	struct rules *rules = NULL;

	ck_assert_int_eq(rules_parse_again(&source, &mistakes, &rules), 0);
	ck_assert_uint_eq(rules->n_services, 2);
	rules_free(rules);
	mistakes_free(&mistakes);
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *rules_lint_suite(void);

Suite *
rules_lint_suite(void)
{
	Suite *suite = suite_create("rules_lint");
	TCase *tests = tcase_create("rules_lint");

	tcase_add_loop_test(tests, finds_what_is_never_reached, 0, N(pairs));
	tcase_add_loop_test(tests, is_right_about_real_flights, 0, N(pairs));
	tcase_add_loop_test(tests, looks_at_all_above, 0, N(several));
	tcase_add_loop_test(
	    tests, warns_of_what_was_hardly_meant, 0, N(orders));
	tcase_add_loop_test(tests, names_the_first_that_takes_all, 0, N(pairs));
	tcase_add_test(tests, looks_at_what_was_written_once);
	suite_add_tcase(suite, tests);
	return suite;
}
