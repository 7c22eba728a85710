#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "match.h"
#include "rules.h"

/* A rules text with one service a row. */
static struct rules *
parse(const char *text)
{
	static struct mistakes mistakes;
	struct rules_source source = { "test", text, strlen(text) };
	struct rules *rules = NULL;
	int r;

	memset(&mistakes, 0, sizeof(mistakes));
	r = rules_parse(&source, 1, NULL, &mistakes, &rules);
	if (r < 0)
		ck_abort_msg("%u:%u: %s", mistakes.list[0].line,
		    mistakes.list[0].col, mistakes.list[0].message);
	mistakes_free(&mistakes);
	return rules;
}

static struct addr
address(const char *text)
{
	struct addr addr;

	ck_assert_int_eq(addr_parse(text, strlen(text), true, &addr), 0);
	return addr;
}

/* The name of the service, "-" for none, "?" for undecided. */
static const char *
decide(const struct rules *rules, const char *bytes, size_t n, bool final)
{
	static struct addr client, local;
	static struct facts facts;
	struct decision d;

	client = address("192.0.2.1:50000");
	local = address("198.51.100.1:443");
	facts = (struct facts){ .bytes = (const uint8_t *)bytes,
		.n = n,
		.final = final,
		.client = &client,
		.local = &local,
		.socket = "https" };
	facts_update(&facts);
	d = match_decide(rules, &facts);
	if (d.kind == DECIDED_SERVICE)
		return d.service->name;
	if (d.kind == UNDECIDED)
		ck_assert_uint_gt(d.need, n);
	return d.kind == UNDECIDED ? "?" : "-";
}

#define B "\nbackend = 127.0.0.1:1\n"

static const char two[] =
    "[ssh]\nprotocol = ssh silent" B "[rest]\nprotocol = any" B;

static const struct {
	const char *rules, *bytes;
	const char *now, *at_the_end;
} cases[] = {
	/* A decision falls at the first byte that makes it certain. */
	{ two, "", "?", "ssh" },
	{ two, "S", "?", "rest" },
	{ two, "SSH", "?", "rest" },
	{ two, "SSH-2.0-x\r\n", "ssh", "ssh" },
	{ two, "x", "rest", "rest" },
	{ two, "SSI", "rest", "rest" },
	/* The first that says yes wins, though a later one would as well. */
	{ "[a]\npayload = \"GET\"" B "[b]\nprotocol = any" B, "GET", "a", "a" },
	{ "[a]\npayload = \"GET\"" B "[b]\nprotocol = any" B, "GE", "?", "b" },
	/* A no above a yes does not wait for the rules below. */
	{ "[a]\npayload = \"x\"" B "[b]\npayload = \"G\"" B
	  "[c]\nprotocol = ssh" B,
	    "G", "b", "b" },
	/* Keys are ANDed: one that says no ends the waiting of another. */
	{ "[a]\npayload = \"GET\"\nfrom = 10.0.0.0/8" B "[b]\nprotocol = any" B,
	    "G", "b", "b" },
	{ "[a]\npayload = \"GET\"\nfrom = 192.0.2.0/24" B
	  "[b]\nprotocol = any" B,
	    "G", "?", "b" },
	/* Values are ORed, and !value excludes. */
	{ "[a]\npayload = \"POST\" \"GET\"" B, "GET", "a", "a" },
	{ "[a]\nprotocol = any !ssh" B "[b]\nprotocol = any" B, "S", "?", "a" },
	{ "[a]\nprotocol = any !ssh" B "[b]\nprotocol = any" B, "SSH-2.0-", "b",
	    "b" },
	{ "[a]\nprotocol = any !ssh" B, "x", "a", "a" },
	{ "[a]\nfrom = !192.0.2.0/24" B "[b]\nprotocol = any" B, "x", "b",
	    "b" },
	{ "[a]\nfrom = !10.0.0.0/8" B, "", "a", "a" },
	/* Payload: offsets, wildcards. */
	{ "[a]\npayload = 2:\"cd\"" B, "abc", "?", "-" },
	{ "[a]\npayload = 2:\"cd\"" B, "abcd", "a", "a" },
	{ "[a]\npayload = 2:\"cd\"" B, "abx", "-", "-" },
	{ "[a]\npayload = 41??43" B, "AxC", "a", "a" },
	{ "[a]\npayload = 41??43" B, "AxD", "-", "-" },
	/* What is known without a byte decides without one. */
	{ "[a]\nlocal = :443" B, "", "a", "a" },
	{ "[a]\nlocal = :444" B "[b]\nprotocol = any" B, "x", "b", "b" },
	{ "[a]\nlocal = 198.51.100.1:443" B, "", "a", "a" },
	{ "[a]\nlocal = 198.51.100.2" B, "", "-", "-" },
	{ "[a]\nsocket = https" B, "", "a", "a" },
	{ "[a]\nsocket = http" B, "", "-", "-" },
	/* Silence and unknown bytes stay apart. */
	{ "[a]\nprotocol = silent" B, "x", "-", "-" },
	{ "[a]\nprotocol = any" B, "", "?", "-" },
};

START_TEST(decides)
{
	struct rules *rules = parse(cases[_i].rules);
	size_t n = strlen(cases[_i].bytes);

	ck_assert_str_eq(
	    decide(rules, cases[_i].bytes, n, false), cases[_i].now);
	ck_assert_str_eq(
	    decide(rules, cases[_i].bytes, n, true), cases[_i].at_the_end);
	rules_free(rules);
}
END_TEST

/* However the bytes come in, the first decision is the same. */
START_TEST(never_changes_its_mind)
{
	struct rules *rules = parse(cases[_i].rules);
	const char *bytes = cases[_i].bytes, *decided = "?";

	for (size_t n = 0; n <= strlen(bytes); n++) {
		const char *now = decide(rules, bytes, n, false);

		if (strcmp(decided, "?") != 0)
			ck_assert_str_eq(now, decided);
		decided = now;
	}
	ck_assert_str_eq(decided, cases[_i].now);
	rules_free(rules);
}
END_TEST

static const struct {
	const char *pattern, *name;
	bool fits;
} names[] = {
	{ "www.example.net", "www.example.net", true },
	{ "www.example.net", "WWW.Example.NET", true },
	{ "www.example.net", "www.example.net.", true },
	{ "www.example.net", "www.example.net..", false },
	{ "www.example.net", "www.example.ne", false },
	{ "www.example.net", "xwww.example.net", false },
	{ "*.example.net", "www.example.net", true },
	{ "*.example.net", "a.b.example.net.", true },
	{ "*.example.net", "example.net", false },
	{ "*.example.net", ".example.net", false },
	{ "*.example.net", "evilexample.net", false },
	{ "*.example.net", "www.example.net.evil.org", false },
	{ "*", "anything", true },
	{ "*", ".", false },
	{ "*", "", false },
};

START_TEST(fits_names_at_label_boundaries)
{
	char text[128];
	struct line line = LINE(text);
	struct rules *rules;

	line_text(&line, "[a]\nserver-name = ");
	line_text(&line, names[_i].pattern);
	line_text(&line, B);
	rules = parse(text);
	ck_assert_int_eq(
	    match_name(&rules->services[0].conditions[0].values[0].name,
		names[_i].name, strlen(names[_i].name)),
	    names[_i].fits);
	rules_free(rules);
}
END_TEST

Suite *match_suite(void);

Suite *
match_suite(void)
{
	Suite *suite = suite_create("match");
	TCase *tcase = tcase_create("match");
	int n_cases = sizeof(cases) / sizeof(cases[0]);
	int n_names = sizeof(names) / sizeof(names[0]);

	tcase_add_loop_test(tcase, decides, 0, n_cases);
	tcase_add_loop_test(tcase, never_changes_its_mind, 0, n_cases);
	tcase_add_loop_test(tcase, fits_names_at_label_boundaries, 0, n_names);
	suite_add_tcase(suite, tcase);
	return suite;
}
