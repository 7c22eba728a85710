#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collision.h"
#include "match.h"
#include "rules.h"
#include "vector.h"

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
	d = match_decide(rules, NULL, &facts);
	if (d.kind == DECIDED_SERVICE)
		return d.service->name;
	if (d.kind == UNDECIDED)
		ck_assert_uint_gt(d.need, n);
	return d.kind == UNDECIDED ? "?" : "-";
}

#define B "\nbackend = 127.0.0.1:1\n"
#define FLIGHT_SHARES 8 /* in so many tests */

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

/* Without a byte, unless it may be: then it is not known beforehand. */
START_TEST(is_early_only_where_it_may_be)
{
	struct rules *rules = parse(cases[_i].rules);

	if (!match_may_be_early(rules))
		ck_assert_str_eq(decide(rules, "", 0, false), "?");
	rules_free(rules);
}
END_TEST

static const struct {
	const char *rules;
	bool may;
} early[] = {
	{ two, false },
	{ "[a]\npayload = \"GET\"" B, false },
	{ "[a]\nprotocol = !silent\nserver-name = !x.test" B, false },
	{ "[a]" B, true },
	{ "[a]\nprotocol = ssh" B "[b]" B, true },
	{ "[a]\nprotocol = ssh\nfrom = 10.0.0.0/8" B, true },
	{ "[a]\nlocal = :443\nprotocol = ssh" B, true },
	{ "[a]\nprotocol = ssh" B "[b]\nsocket = x\nprotocol = any" B, true },
};

START_TEST(knows_whether_it_may_be_early)
{
	struct rules *rules = parse(early[_i].rules);

	ck_assert_int_eq(match_may_be_early(rules), early[_i].may);
	rules_free(rules);
}
END_TEST

/* Whether one that is not there yet should stand above it. */
static bool
must_wait(const struct protocol *protocol, uint64_t there)
{
	for (size_t i = 0; i < protocols_count; i++)
		if ((there & protocol_bit(&protocols[i])) == 0 &&
		    (collision_below(&protocols[i]) & protocol_bit(protocol)))
			return true;
	return false;
}

/* Every protocol that a client can speak, in an order that is safe. */
static struct rules *
rules_of_all(void)
{
	static char text[8192];
	size_t n = 0, left = protocols_count;
	uint64_t there = 0;

	while (left > 0) {
		size_t before = left;

		for (size_t i = 0; i < protocols_count; i++) {
			const struct protocol *protocol = &protocols[i];

			if ((there & protocol_bit(protocol)) != 0 ||
			    must_wait(protocol, there))
				continue;
			there |= protocol_bit(protocol);
			left--;
			if (!protocol->server_first)
				n += (size_t)snprintf(text + n,
				    sizeof(text) - n, "[%s]\nprotocol = %s" B,
				    protocol->name, protocol->name);
		}
		ck_assert_uint_lt(left, before);
	}
	snprintf(text + n, sizeof(text) - n,
	    "[silent]\nprotocol = silent" B "[unknown]\nprotocol = any" B);
	return parse(text);
}

/* What the whole of it is for such rules once the client is done. */
static const char *
wanted(const struct vector *vector)
{
	if (strcmp(vector->protocol, "silent") == 0 ||
	    protocol_find(vector->protocol) != NULL)
		return vector->protocol;
	return strncmp(vector->protocol, "proxy-", 6) == 0 ? NULL : "unknown";
}

/*
 * Whatever the client sends, and wherever it stops: with a FIN after any of
 * its bytes there is a service at once, and what was decided stays so.
 */
START_TEST(decides_at_every_byte)
{
	size_t count;
	const struct vector *vectors = vectors_load(&count);
	struct rules *rules = rules_of_all();

	for (const struct vector *v = vectors + _i; v < vectors + count;
	     v += FLIGHT_SHARES) {
		const char *bytes = (const char *)v->bytes, *decided = "?";
		size_t step = 1 + v->n / 256;

		for (size_t n = 0; n <= v->n;
		     n = n < v->n && v->n - n < step ? v->n : n + step) {
			const char *now = decide(rules, bytes, n, false);
			const char *end = decide(rules, bytes, n, true);

			ck_assert_msg(strcmp(end, "?") != 0, "%s", v->name);
			ck_assert_int_eq(n == 0, strcmp(end, "silent") == 0);
			if (strcmp(decided, "?") != 0)
				ck_assert_str_eq(now, decided);
			if (strcmp(now, "?") != 0)
				ck_assert_str_eq(end, now);
			decided = now;
		}
		if (wanted(v) != NULL)
			ck_assert_msg(strcmp(decide(rules, bytes, v->n, true),
					  wanted(v)) == 0,
			    "%s: %s", v->name,
			    decide(rules, bytes, v->n, true));
		/* What is known needs no end to be told. */
		if (protocol_find(v->protocol) != NULL)
			ck_assert_str_eq(decided, v->protocol);
	}
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

/* A small, sane ClientHello that asks for name; none if it is empty. */
static size_t
make_hello(const char *name, uint8_t *at)
{
	static const uint8_t before[] = { 0x16, 3, 1, 0, 0, /* record */
		1, 0, 0, 0, /* handshake */
		3, 3, [43] = 0, /* version, random, no session */
		0, 2, 0x13, 1, 1, 0 /* one cipher, no compression */ };
	size_t len = strlen(name), n = sizeof(before), extensions = n;

	memcpy(at, before, n);
	n += 2;
	if (len > 0) {
		const uint8_t sni[] = { 0, 0, 0, (uint8_t)(len + 5), 0,
			(uint8_t)(len + 3), 0, 0, (uint8_t)len };

		memcpy(at + n, sni, sizeof(sni));
		memcpy(at + n + sizeof(sni), name, len);
		n += sizeof(sni) + len;
	}
	at[extensions] = 0;
	at[extensions + 1] = (uint8_t)(n - extensions - 2);
	at[3] = (uint8_t)((n - 5) >> 8);
	at[4] = (uint8_t)(n - 5);
	at[7] = (uint8_t)((n - 9) >> 8);
	at[8] = (uint8_t)(n - 9);
	return n;
}

static const char many[] =
    "[a]\nserver-name = a.test b.test" B "[b]\nserver-name = b.test c.test" B
    "[w]\nserver-name = *.w.test" B "[x]\nserver-name = x.w.test y.test" B
    "[v]\nserver-name = v.test\nfrom = 10.0.0.0/8" B
    "[v2]\nserver-name = v.test\ntls-version = 1.2" B
    "[n]\nserver-name = n.test !m.test" B "[ssh]\nprotocol = ssh silent" B
    "[late]\nserver-name = late.test" B "[tls]\nprotocol = tls" B
    "[rest]\nprotocol = any" B;

static const char *const asked_for[] = { "a.test", "B.Test", "c.test.",
	"w.test", "x.w.test", "Y.test", "v.test", "n.test", "late.test",
	"other.test", "", "a.test.b.test", "xa.test" };

static void
assert_same(const struct rules *rules, const struct match_index *index,
    const uint8_t *bytes, size_t n, bool final)
{
	struct addr client = address("192.0.2.1:5");
	struct facts facts = { .bytes = bytes,
		.n = n,
		.final = final,
		.client = &client,
		.local = &client,
		.socket = "" };
	struct decision slow, fast;

	facts_update(&facts);
	slow = match_decide(rules, NULL, &facts);
	facts_update(&facts);
	fast = match_decide(rules, index, &facts);
	ck_assert_int_eq(slow.kind, fast.kind);
	ck_assert_ptr_eq(slow.service, fast.service);
	ck_assert_uint_eq(slow.need, fast.need);
}

/* With the index and without it, at every prefix, ended or not. */
START_TEST(finds_the_same_by_the_index)
{
	struct rules *rules = parse(many);
	struct match_index *index = match_index_new(rules);
	uint8_t hello[512];
	size_t n = make_hello(asked_for[_i], hello);

	ck_assert_ptr_nonnull(index);
	for (size_t k = 0; k <= n; k++) {
		assert_same(rules, index, hello, k, false);
		assert_same(rules, index, hello, k, true);
	}
	assert_same(rules, index, (const uint8_t *)"SSH-2.0-", 8, false);
	assert_same(rules, index, (const uint8_t *)"zz", 2, false);
	rules_free(rules);
}
END_TEST

static const struct {
	const char *name, *service;
} found[] = {
	{ "a.test", "a" },
	{ "B.Test.", "a" },
	{ "c.test", "b" },
	{ "x.w.test", "w" },
	{ "w.test", "tls" },
	{ "y.test", "x" },
	{ "v.test", "v2" },
	{ "n.test", "n" },
	{ "late.test", "late" },
	{ "", "tls" },
};

START_TEST(finds_services_by_name)
{
	struct rules *rules = parse(many);
	struct match_index *index = match_index_new(rules);
	uint8_t hello[512];
	struct addr client = address("192.0.2.1:5");
	struct facts facts = { .bytes = hello,
		.client = &client,
		.local = &client,
		.socket = "" };
	struct decision d;

	facts.n = make_hello(found[_i].name, hello);
	d = match_decide(rules, index, &facts);
	ck_assert_int_eq(d.kind, DECIDED_SERVICE);
	ck_assert_str_eq(d.service->name, found[_i].service);
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
	tcase_add_loop_test(tcase, is_early_only_where_it_may_be, 0, n_cases);
	tcase_add_loop_test(tcase, knows_whether_it_may_be_early, 0,
	    sizeof(early) / sizeof(early[0]));
	tcase_add_loop_test(tcase, decides_at_every_byte, 0, FLIGHT_SHARES);
	tcase_add_loop_test(tcase, fits_names_at_label_boundaries, 0, n_names);
	tcase_add_loop_test(tcase, finds_the_same_by_the_index, 0,
	    sizeof(asked_for) / sizeof(asked_for[0]));
	tcase_add_loop_test(
	    tcase, finds_services_by_name, 0, sizeof(found) / sizeof(found[0]));
	suite_add_tcase(suite, tcase);
	return suite;
}
