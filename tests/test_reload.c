#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reload.h"
#include "signals.h"

#define RULES "[a]\\nprotocol = any\\nbackend = 127.0.0.1:9\\n"

/* What stands for "usher dump", and how the reload ends. */
static const struct row {
	const char *perl;
	int result;
} rows[] = {
	{ "print \"" RULES "\"", 0 },
	{ "print \"[a]\\n\"", -EINVAL },
	{ "print \"" RULES "\"; exit 1", -EINVAL },
	{ "print \"" RULES "\"; kill 9, $$; sleep", -EINVAL },
	/* What takes too long is to be killed: alarm() says if it will be. */
	{ "print \"" RULES "\" if alarm(0) > 10", 0 },
	{ "kill ALRM => $$; sleep", -EINVAL },
};

START_TEST(new_rules_are_what_usher_dump_says_in_time)
{
	static char perl[] = "perl", e[] = "-e";
	const struct row *row = &rows[_i];
	char *argv[] = { perl, e, (char *)(uintptr_t)row->perl, NULL };
	struct reload reload = { .out = -1, .err = -1 };
	struct rules *rules = NULL;
	int status;

	signals_take();
	ck_assert_int_eq(reload_start(&reload, "/usr/bin/perl", argv), 0);
	ck_assert_int_eq(
	    waitpid(atomic_load(&reload.pid), &status, 0), reload.pid);
	ck_assert_int_eq(reload_finish(&reload, status, &rules), row->result);
	ck_assert_int_eq(reload.pid, 0);
	if (row->result == 0)
		rules_free(rules);
}
END_TEST

Suite *reload_suite(void);

Suite *
reload_suite(void)
{
	Suite *suite = suite_create("reload");
	TCase *tcase = tcase_create("reload");

	tcase_add_loop_test(tcase, new_rules_are_what_usher_dump_says_in_time,
	    0, (int)(sizeof(rows) / sizeof(rows[0])));
	suite_add_tcase(suite, tcase);
	return suite;
}
