#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules.h"
#include "rules_rig.h"

/* What a line in a service becomes in normal form. */
static const struct {
	const char *line, *normal;
} good[] = {
	{ "protocol = ssh", "protocol = ssh" },
	{ "protocol=ssh", "protocol = ssh" },
	{ "\t protocol \t=\t ssh \t", "protocol = ssh" },
	{ "protocol = ssh # and so on", "protocol = ssh" },
	{ "protocol = ssh\r", "protocol = ssh" },
	{ "protocol = \"ssh\"", "protocol = ssh" },
	{ "protocol = any\nprotocol = silent", "protocol = any silent" },
	{ "protocol = !ssh !any", "protocol = !ssh !any" },
	{ "server-name = WWW.Example.NET.", "server-name = www.example.net" },
	{ "server-name = *.Example.net *", "server-name = *.example.net *" },
	{ "server-name = _x.a-b", "server-name = _x.a-b" },
	{ "http-host = [::1] 192.0.2.1", "http-host = [::1] 192.0.2.1" },
	{ "alpn = \"h2 \\\"#\\\\\" a#b", "alpn = \"h2 \\\"#\\\\\" a#b" },
	{ "alpn = \"#\" \"!\" !\"!\"", "alpn = \"#\" \"!\" !\"!\"" },
	{ "alpn = \"\\x01\\x41\\n\"", "alpn = \"\\x01A\\n\"" },
	{ "tls-version = 1.0 !1.3", "tls-version = 1.0 !1.3" },
	{ "http-path = /a \"/b c\"", "http-path = /a \"/b c\"" },
	{ "payload = \"SSH-2.0\"", "payload = \"SSH-2.0\"" },
	{ "payload = 5353482d322E30", "payload = \"SSH-2.0\"" },
	{ "payload = 24:\"host:\"", "payload = 24:\"host:\"" },
	{ "payload = 0:1603??????01", "payload = 1603??????01" },
	{ "payload = !7:\"\\x00\\xff\"", "payload = !7:00ff" },
	{ "payload = \"GET / \\r\\n\"", "payload = \"GET / \\r\\n\"" },
	{ "payload = 65535:00", "payload = 65535:00" },
	{ "from = 192.0.2.0/24", "from = 192.0.2.0/24" },
	{ "from = 192.0.2.7/32 ::/0", "from = 192.0.2.7 ::/0" },
	{ "from = !2001:DB8::/32", "from = !2001:db8::/32" },
	{ "local = 192.0.2.1 :443", "local = 192.0.2.1 :443" },
	{ "local = 192.0.2.1:443", "local = 192.0.2.1:443" },
	{ "local = [2001:db8::1]:443", "local = [2001:db8::1]:443" },
	{ "local = 2001:db8::1", "local = 2001:db8::1" },
	{ "socket = https !ssh", "socket = https !ssh" },
	{ "idle-timeout = 24h", "idle-timeout = 1d" },
	{ "idle-timeout = \"1h 30min\"", "idle-timeout = 90min" },
	{ "idle-timeout = off", "idle-timeout = off" },
	{ "connect-timeout = 3", "connect-timeout = 3s" },
	{ "max-connections = 7", "max-connections = 7" },
	{ "log = errors", "log = errors" },
	{ "backend = 127.0.0.1:22", "backend = 127.0.0.1:22" },
	{ "backend = [::1]:22 127.0.0.1:1", "backend = [::1]:22 127.0.0.1:1" },
	{ "backend = db:ssh", "backend = 192.0.2.1:22 192.0.2.2:22" },
	{ "backend = unix:/run/x", "backend = unix:/run/x" },
	{ "backend = \"unix:/a b\"", "backend = \"unix:/a b\"" },
	{ "backend = unix:@x", "backend = unix:@x" },
	{ "exec = /bin/sh -c \"a b\"", "exec = /bin/sh -c \"a b\"" },
	{ "exec = /bin/x \"\" a\" \"b", "exec = /bin/x \"\" \"a b\"" },
	{ "exec = /bin/x\nuser = nobody", "user = nobody" },
	{ "pass = unix:/run/x", "pass = unix:/run/x" },
	{ "reject = close", "reject = close" },
	{ "reject = reset", "reject = reset" },
	{ "backend = db:1\nbalance = source", "balance = source" },
	{ "backend = db:1\nproxy-protocol = v2", "proxy-protocol = v2" },
	{ "backend = db:1\ntransparent = on", "transparent = yes" },
	{ "backend = db:1\nbind = 192.0.2.9", "bind = 192.0.2.9" },
};

static bool
has_target(const char *text)
{
	return strstr(text, "backend =") || strstr(text, "exec =") ||
	    strstr(text, "pass =") || strstr(text, "reject =");
}

START_TEST(reads_what_is_right)
{
	struct mistakes mistakes;
	struct rules *rules;
	char text[256], line[256];
	char *dump;

	snprintf(text, sizeof(text), "[s]\n%s\n%s", good[_i].line,
	    has_target(good[_i].line) ? "" : "reject = close\n");
	if (rules_try(text, &mistakes, &rules) < 0)
		ck_abort_msg("%s: %s", good[_i].line, mistakes.list[0].message);
	dump = rules_text(rules);
	snprintf(line, sizeof(line), "\n%s\n", good[_i].normal);
	if (strstr(dump, line) == NULL)
		ck_abort_msg("%s: not in\n%s", good[_i].normal, dump);
	free(dump);
	rules_free(rules);
	mistakes_free(&mistakes);
}
END_TEST

/* The normal form is read without a resolver and written as it was. */
START_TEST(writes_a_normal_form)
{
	struct mistakes mistakes;
	struct rules *rules;
	char text[256];
	char *first, *second;

	snprintf(text, sizeof(text), "[s]\n%s\n%s", good[_i].line,
	    has_target(good[_i].line) ? "" : "reject = close\n");
	ck_assert_int_eq(rules_try(text, &mistakes, &rules), 0);
	mistakes_free(&mistakes);
	first = rules_text(rules);
	rules_free(rules);
	ck_assert_int_eq(
	    rules_try_with(first, strlen(first), NULL, &mistakes, &rules), 0);
	mistakes_free(&mistakes);
	second = rules_text(rules);
	rules_free(rules);
	ck_assert_str_eq(first, second);
	free(first);
	free(second);
}
END_TEST

/* One mistake each; [s] and a target stand below the settings. */
static const struct {
	const char *text;
	unsigned line, col;
	const char *message;
} bad[] = {
	{ "idle-timeout = 3 hours\n[s]\nreject = close", 1, 16,
	    "unknown unit \"hours\", expected ms, s, min, h or d" },
	{ "inspect-timeout = off\n[s]\nreject = close", 1, 19,
	    "\"inspect-timeout\" cannot be off, expected 1ms to 1h" },
	{ "bakend = x\n[s]\nreject = close", 1, 1,
	    "unknown key \"bakend\", did you mean \"backend\"? it must "
	    "stand below a [section]" },
	{ "[s]\nbakend = x\nreject = close", 2, 1,
	    "unknown key \"bakend\", did you mean \"backend\"?" },
	{ "[s]\n listen = x\nreject = close", 2, 2,
	    "\"listen\" is a setting: it must stand above the first "
	    "[section]" },
	{ "[s]\nbackend = nowhere:22", 2, 11,
	    "cannot resolve \"nowhere:22\": no such host" },
	{ "[s]\nbackend = mob:22", 2, 11,
	    "more than 64 backends in one service" },
	{ "[s]\nbackend = 1.2.3.4:1 nowhere:22", 2, 21,
	    "cannot resolve \"nowhere:22\": no such host" },
	{ "[s]\nreject = close\nreject = reset", 3, 1,
	    "\"reject\" was given before, at r:2: give it once" },
	{ "[s]\nreject = close\nexec = /x", 3, 1,
	    "\"exec\" beside \"reject\" at r:2: a service has exactly one "
	    "target" },
	{ "  [s]", 1, 3,
	    "this service goes nowhere, expected one of backend, exec, pass "
	    "or reject in it" },
	{ "[s]\nreject = close\n[t]\nreject = close", 1, 1,
	    "a service without a condition takes every connection: it must "
	    "be the last" },
	{ "[s]\nfrom=::1\nreject=close\n[s]\nfrom=::2\nreject=close", 4, 1,
	    "[s] is used twice, first at r:1" },
	{ "# nothing\n", 1, 1,
	    "no service in these rules, expected at least one [section] "
	    "with a target" },
	{ "[s]\nreject = close\nlog = \"all", 3, 7,
	    "this quote is never closed" },
	{ "[s]\nreject = close\nlog = 'all'", 3, 7,
	    "words are quoted by \", not by '" },
	{ "[s]\nreject =", 2, 9, "\"reject\" has no value (close or reset)" },
	{ "max-connections =\n[s]\nreject = close", 1, 18,
	    "\"max-connections\" has no value (one more waits; of one service: "
	    "is reset)" },
	{ "[s]\nreject = # close", 2, 10,
	    "\"reject\" has no value (close or reset)" },
	{ "log = all\nlog = all\n[s]\nreject = close", 2, 1,
	    "\"log\" was given before, at r:1: give it once" },
	{ "max-connections = 65537\n[s]\nreject = close", 1, 19,
	    "\"65537\" is out of range, expected 1 to 65536" },
	{ "max-pending = 99999999999999999999\n[s]\nreject = close", 1, 15,
	    "\"99999999999999999999\" is out of range, expected 1 to "
	    "65536" },
};

START_TEST(says_what_is_wrong)
{
	struct mistakes mistakes;
	struct rules *rules = NULL;

	ck_assert_int_eq(rules_try(bad[_i].text, &mistakes, &rules), -EINVAL);
	ck_assert_ptr_null(rules);
	ck_assert_uint_eq(mistakes.n, 1);
	ck_assert_uint_eq(mistakes.n_errors, 1);
	ck_assert_str_eq(mistakes.list[0].message, bad[_i].message);
	ck_assert_uint_eq(mistakes.list[0].line, bad[_i].line);
	ck_assert_uint_eq(mistakes.list[0].col, bad[_i].col);
	ck_assert_str_eq(mistakes.list[0].file, "r");
	mistakes_free(&mistakes);
}
END_TEST

START_TEST(fills_in_defaults)
{
	struct mistakes mistakes;
	struct rules *rules;
	const struct settings *settings;
	const struct limits *limits;

	ck_assert_int_eq(
	    rules_try("inspect-timeout = 2s\nidle-timeout = 1h\n"
		      "[s]\nconnect-timeout = 1s\nreject = close\n",
		&mistakes, &rules),
	    0);
	settings = &rules->settings;
	ck_assert_int_eq(settings->inspect_ms, 2000);
	ck_assert_int_eq(settings->silence_ms, 2000);
	ck_assert_int_eq(settings->exit_idle_ms, RULES_OFF);
	ck_assert_int_eq(settings->limits.connect_ms, 5000);
	ck_assert_uint_eq(settings->limits.max_connections, 1000);
	ck_assert_uint_eq(settings->max_pending, 256);
	ck_assert_uint_eq(settings->max_per_source, 100);
	limits = &rules->services[0].limits;
	ck_assert_int_eq(limits->connect_ms, 1000);
	ck_assert_int_eq(limits->idle_ms, 3600000);
	ck_assert_int_eq(limits->half_close_ms, 300000);
	ck_assert_int_eq(limits->keepalive_ms, 60000);
	ck_assert_uint_eq(limits->max_connections, 0);
	rules_free(rules);
	mistakes_free(&mistakes);
}
END_TEST

/* Settings of a later file hold for the services of an earlier one. */
START_TEST(reads_files_as_one)
{
	static const char one[] = "[s]\nfrom = ::1\nreject = close";
	static const char two[] = "idle-timeout = 7s\n[t]\nreject = close";
	struct rules_source sources[] = {
		{ "one", one, sizeof(one) - 1 },
		{ "two", two, sizeof(two) - 1 },
		{ "two again", two, sizeof(two) - 1 },
	};
	struct mistakes mistakes = { .n = 0 };
	struct rules *rules;

	ck_assert_int_eq(rules_parse(sources, 2, NULL, &mistakes, &rules), 0);
	ck_assert_uint_eq(rules->n_services, 2);
	ck_assert_int_eq(rules->services[0].limits.idle_ms, 7000);
	rules_free(rules);
	ck_assert_int_eq(
	    rules_parse(sources, 3, NULL, &mistakes, &rules), -EINVAL);
	ck_assert_uint_eq(mistakes.n_errors, 3);
	ck_assert_str_eq(mistakes.list[0].file, "two");
	ck_assert_uint_eq(mistakes.list[0].line, 2);
	ck_assert_str_eq(mistakes.list[1].file, "two again");
	ck_assert_str_eq(mistakes.list[1].message,
	    "\"idle-timeout\" was given before, at two:1: give it once");
	mistakes_free(&mistakes);
}
END_TEST

START_TEST(reads_its_own_default_rules)
{
	struct mistakes mistakes;
	struct rules *rules;

	ck_assert_int_eq(
	    rules_try_with(rules_default_text, strlen(rules_default_text), NULL,
		&mistakes, &rules),
	    0);
	ck_assert_uint_eq(mistakes.n, 0);
	ck_assert_uint_eq(rules->n_services, 3);
	rules_free(rules);
	mistakes_free(&mistakes);
}
END_TEST

START_TEST(numbers_only_without_a_resolver)
{
	static const char text[] = "[s]\nbackend = db:22\n";
	struct mistakes mistakes;
	struct rules *rules;

	ck_assert_int_eq(
	    rules_try_with(text, strlen(text), NULL, &mistakes, &rules),
	    -EINVAL);
	ck_assert_uint_eq(mistakes.list[0].col, 11);
	mistakes_free(&mistakes);
}
END_TEST

static const char *
nothing_is_there(enum look look, const char *name)
{
	static const char *const wrong[] = {
		[LOOK_PROGRAM] = "is not there",
		[LOOK_SOCKET] = "is not there",
		[LOOK_DIRECTORY] = "is not there",
		[LOOK_RIGHTS] = "has no rights",
		[LOOK_TRANSPARENT] = "no right to it",
		[LOOK_WAY_BACK] = "has no way back",
	};

	(void)name;
	return look == LOOK_USER ? NULL : wrong[look];
}

/* In the order of the file. */
static const struct {
	unsigned line, col;
	const char *message;
} missing[] = {
	{ 1, 10, "\"/x\" is not there" },
	{ 5, 8, "\"/y\" is not there" },
	{ 5, 8, "\"/y\" has no rights" },
	{ 7, 11, "\"/z\" is not there" },
	{ 9, 1,
	    "a unix socket has no addresses: its server does not see the "
	    "client's" },
	{ 9, 1, "\"127.0.0.1\" has no way back" },
	{ 9, 1, "\"::1\" has no way back" },
	{ 9, 15, "no right to it" },
};
#define N_MISSING (sizeof(missing) / sizeof(missing[0]))

/* Each host is looked for once, whatever its ports. */
START_TEST(warns_of_what_is_missing)
{
	static const char text[] =
	    "chroot = /x\nuser = u\n"
	    "[s]\nfrom = ::1\nexec = /y -z\n"
	    "[t]\nbackend = unix:/z unix:@a 127.0.0.1:5 127.0.0.1:6 [::1]:5\n"
	    "from = ::2\ntransparent = yes\n";
	struct rules_source source = { "r", text, sizeof(text) - 1 };
	struct mistakes mistakes = { .look = nothing_is_there };
	struct rules *rules;

	ck_assert_int_eq(rules_parse(&source, 1, NULL, &mistakes, &rules), 0);
	ck_assert_uint_eq(mistakes.n, N_MISSING);
	ck_assert_uint_eq(mistakes.n_errors, 0);
	for (size_t i = 0; i < N_MISSING; i++) {
		ck_assert(mistakes.list[i].warning);
		ck_assert_str_eq(mistakes.list[i].message, missing[i].message);
		ck_assert_uint_eq(mistakes.list[i].line, missing[i].line);
		ck_assert_uint_eq(mistakes.list[i].col, missing[i].col);
	}
	rules_free(rules);
	mistakes_free(&mistakes);
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *rules_suite(void);

Suite *
rules_suite(void)
{
	Suite *suite = suite_create("rules");
	TCase *tests = tcase_create("rules");

	tcase_add_loop_test(tests, reads_what_is_right, 0, N(good));
	tcase_add_loop_test(tests, writes_a_normal_form, 0, N(good));
	tcase_add_loop_test(tests, says_what_is_wrong, 0, N(bad));
	tcase_add_test(tests, fills_in_defaults);
	tcase_add_test(tests, reads_files_as_one);
	tcase_add_test(tests, reads_its_own_default_rules);
	tcase_add_test(tests, numbers_only_without_a_resolver);
	tcase_add_test(tests, warns_of_what_is_missing);
	suite_add_tcase(suite, tests);
	return suite;
}
