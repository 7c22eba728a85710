/*
 * What stands for usher is the shell, which takes "check" for a script of
 * ours: that tells which arguments it got.
 */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "inquiry.h"
#include "log.h"
#include "log_rig.h"
#include "origin.h"

static char directory[] = "/tmp/usher-inquiry.XXXXXX";

static void
write_check(void)
{
	FILE *file = fopen("check", "we");

	ck_assert_ptr_nonnull(file);
	fprintf(file, "echo \"warning: %sgot $*\" >&2\necho other >&2\n",
	    origin_no_way_back);
	ck_assert_int_eq(fclose(file), 0);
}

static void
set_up(void)
{
	open_ears();
	memcpy(strrchr(directory, '.') + 1, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	write_check();
}

static void
tear_down(void)
{
	(void)unlink("check");
	ck_assert_int_eq(chdir("/"), 0);
	(void)rmdir(directory);
}

static void
finish(struct inquiry *inquiry)
{
	pid_t pid = atomic_load(&inquiry->run.pid);

	if (waitpid(pid, NULL, 0) != pid || inquiry_finish(inquiry, pid + 1) ||
	    !inquiry_finish(inquiry, pid))
		log_event(LOG_ERR, "did not finish");
}

/* Twice: the second is too soon. */
static void
inquire(const void *config)
{
	struct inquiry inquiry = { .run = { .out = -1, .err = -1 } };

	log_adopt("usherd", LOG_TO_STDERR);
	dup2(ears[1], STDERR_FILENO);
	inquiry_start(&inquiry, "/bin/sh", (char *)(uintptr_t)config);
	finish(&inquiry);
	inquiry_start(&inquiry, "/bin/sh", (char *)(uintptr_t)config);
	if (atomic_load(&inquiry.run.pid) != 0)
		log_event(LOG_ERR, "asked again at once");
}

static void
expect_heard(const char *arguments)
{
	char all[512] = "";
	const char *line;

	while (*(line = hear()) != '\0')
		strncat(all, line, sizeof(all) - strlen(all) - 1);
	ck_assert_ptr_nonnull(strstr(all, origin_no_way_back));
	ck_assert_ptr_nonnull(strstr(all, arguments));
	ck_assert_ptr_null(strstr(all, "other"));
	ck_assert_ptr_null(strstr(all, "finish"));
	ck_assert_ptr_null(strstr(all, "again"));
}

START_TEST(asks_about_the_rules_that_are_read_by_default)
{
	in_child(inquire, NULL);
	expect_heard("got \n");
}
END_TEST

START_TEST(asks_about_the_rules_of_the_file_that_was_named)
{
	in_child(inquire, "/etc/x.conf");
	expect_heard("got -c /etc/x.conf\n");
}
END_TEST

Suite *inquiry_suite(void);

Suite *
inquiry_suite(void)
{
	Suite *suite = suite_create("inquiry");
	TCase *tcase = tcase_create("inquiry");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, asks_about_the_rules_that_are_read_by_default);
	tcase_add_test(tcase, asks_about_the_rules_of_the_file_that_was_named);
	suite_add_tcase(suite, tcase);
	return suite;
}
