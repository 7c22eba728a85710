#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "handover.h"
#include "log.h"
#include "log_inner.h"
#include "log_rig.h"

static void
say_event(const void *arg)
{
	log_adopt("usherd", *(const enum log_kind *)arg);
	log_errno(LOG_ERR, "cannot fork", EACCES);
	log_event(LOG_INFO, "one line\nof two");
}

static void
say_end(const void *arg)
{
	static const struct line none;

	(void)arg;
	log_adopt("usherd", LOG_TO_RFC5424);
	log_send(LOG_INFO, "", "end=gone", &none);
}

/* MSGID is what RFC 5424, 6.2.7 has to tell kinds of lines apart. */
START_TEST(a_connection_has_its_msgid)
{
	char heard[8192];

	in_child(say_end, NULL);
	strcpy(heard, hear());
	blot(heard, " usher ");
	ck_assert_str_eq(heard, "<30>1 - - usher N connection - end=gone");
}
END_TEST

#define REASON "Permission denied" /* EACCES, in either libc */

static const struct {
	enum log_kind kind;
	const char *error, *event;
} events[] = {
	{ LOG_TO_STDERR, "usherd: cannot fork: " REASON "\n",
	    "usherd: one line\n" },
	{ LOG_TO_STDERR_MARKED, "<3>usherd: cannot fork: " REASON "\n",
	    "<6>usherd: one line\n" },
	{ LOG_TO_JOURNAL,
	    "SYSLOG_IDENTIFIER=usher\nSYSLOG_FACILITY=3\nPRIORITY=3\n"
	    "MESSAGE=cannot fork: " REASON "\n",
	    "SYSLOG_IDENTIFIER=usher\nSYSLOG_FACILITY=3\nPRIORITY=6\n"
	    "MESSAGE=one line\n" },
	{ LOG_TO_SYSLOG, "<27>usher[N]: cannot fork: " REASON,
	    "<30>usher[N]: one line" },
	{ LOG_TO_RFC5424, "<27>1 - - usher N - - cannot fork: " REASON,
	    "<30>1 - - usher N - - one line" },
};

START_TEST(each_target_has_its_form)
{
	char heard[8192];

	in_child(say_event, &events[_i].kind);
	strcpy(heard, hear());
	blot(heard, "usher[");
	blot(heard, " usher ");
	ck_assert_str_eq(heard, events[_i].error);
	strcpy(heard, hear());
	blot(heard, "usher[");
	blot(heard, " usher ");
	ck_assert_str_eq(heard, events[_i].event);
}
END_TEST

/* Says so much that it would block, or die, if that were possible. */
static void
say_to_nobody(const void *arg)
{
	enum log_kind kind = *(const enum log_kind *)arg;
	int full[2];

	alarm(10);
	log_adopt("usherd", kind);
	if (pipe(full) == 0)
		dup2(full[1], STDERR_FILENO);
	for (int i = 0; i < 3000; i++)
		log_event(LOG_INFO, "is anybody there, or is nobody there?");
	close(ears[0]); /* and now nobody can be there any more */
	close(full[0]);
	signal(SIGPIPE, SIG_IGN);
	log_event(LOG_INFO, "hello?");
	close(LOG_FD);
	close(STDERR_FILENO);
	log_event(LOG_INFO, "hello?");
}

/* Says so on the pipe when not one line more would fit, then one more. */
static _Noreturn void
be_last_in_line(int full)
{
	dup2(ears[1], LOG_FD);
	log_adopt("usherd", LOG_TO_SYSLOG);
	while (send(LOG_FD, "", 1, MSG_DONTWAIT) >= 0)
		continue;
	if (write(full, "", 1) != 1)
		_exit(1);
	log_be_patient(60000);
	log_event(LOG_INFO, "the last");
	_exit(0);
}

/* Until it sleeps, or has ended. */
static void
await_sleep(pid_t pid)
{
	char path[64], text[512];
	char state = 'R';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	while (state == 'R' || state == 'D') {
		FILE *file = fopen(path, "r");
		char *end;

		ck_assert_ptr_nonnull(file);
		ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
		fclose(file);
		end = strrchr(text, ')');
		ck_assert_ptr_nonnull(end);
		state = end[2];
	}
}

START_TEST(who_is_patient_gets_a_line_through)
{
	const char *heard;
	pid_t child;
	int full[2];
	char byte;

	ck_assert_int_eq(pipe(full), 0);
	child = fork();
	if (child == 0)
		be_last_in_line(full[1]);
	ck_assert_int_eq(read(full[0], &byte, 1), 1);
	await_sleep(child);
	do {
		struct pollfd more = { .fd = ears[0], .events = POLLIN };

		ck_assert_int_eq(poll(&more, 1, 20000), 1);
		heard = hear();
	} while (strstr(heard, "the last") == NULL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(nobody_who_logs_ever_waits)
{
	in_child(say_to_nobody, &events[_i].kind);
}
END_TEST

/* Standard error is the socket here, as JOURNAL_STREAM would have it. */
static void
find_stderr(const void *arg)
{
	struct stat st;
	char stream[64];

	(void)arg;
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
	    (unsigned long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("usherd", TARGET_STDERR);
	if (log_kind() != LOG_TO_STDERR_MARKED)
		_exit(1);
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open("usherd", TARGET_STDERR);
	if (log_kind() != LOG_TO_STDERR)
		_exit(2);
}

START_TEST(lines_are_marked_where_the_journal_reads_them)
{
	in_child(find_stderr, NULL);
}
END_TEST

Suite *log_targets_suite(void);

Suite *
log_targets_suite(void)
{
	Suite *suite = suite_create("log_targets");
	TCase *tcase = tcase_create("targets");

	tcase_add_checked_fixture(tcase, open_ears, NULL);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, each_target_has_its_form, 0, COUNT(events));
	tcase_add_test(tcase, a_connection_has_its_msgid);
	tcase_add_loop_test(
	    tcase, nobody_who_logs_ever_waits, 0, COUNT(events));
	tcase_add_test(tcase, who_is_patient_gets_a_line_through);
	tcase_add_test(tcase, lines_are_marked_where_the_journal_reads_them);
	suite_add_tcase(suite, tcase);
	return suite;
}
