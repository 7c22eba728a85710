#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "deadline.h"
#include "handover.h"
#include "log.h"

/* What was said, and the socket on which somebody listens. */
static int ears[2];
static struct scoreboard board;

static void
open_ears(void)
{
	int32_t owner;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ears), 0);
	ck_assert_int_eq(scoreboard_open(&board, NULL, -1, &owner), 0);
}

/*
 * Runs speak(arg) in a process of its own, since it logs to the descriptors
 * LOG_FD and standard error, which here belong to others.
 */
static void
in_child(void (*speak)(const void *arg), const void *arg)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		dup2(ears[1], LOG_FD);
		dup2(ears[1], STDERR_FILENO);
		speak(arg);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The next datagram, or if there is none. */
static const char *
hear(void)
{
	static char heard[8192];
	ssize_t n = recv(ears[0], heard, sizeof(heard) - 1, MSG_DONTWAIT);

	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

/* Puts N in place of the number after key, which is never the same. */
static void
blot(char *text, const char *key)
{
	char *number = strstr(text, key);
	size_t n;

	if (!number)
		return;
	number += strlen(key);
	n = strspn(number, "0123456789");
	number[0] = 'N';
	memmove(number + 1, number + n, strlen(number + n) + 1);
}

struct row {
	const char *client;
	uint16_t port;
	struct connection slot;
	bool hide;
	const char *text;
	const char *server_name;
};

static const struct row rows[] = {
	{ "203.0.113.5", 52114,
	    { .service = 0,
		.end = END_CLIENT_CLOSED,
		.wait_us = 1200,
		.connect_us = 90,
		.bytes_in = 3,
		.bytes_out = 5,
		.backend_port = 40000,
		.protocol = "ssh",
		.backend = "127.0.0.1:22" },
	    false,
	    "service=openssh client=203.0.113.5 client_port=52114 protocol=ssh "
	    "backend=127.0.0.1:22 local_port=40000 bytes_in=3 bytes_out=5 "
	    "wait_usec=1200 connect_usec=90 duration_usec=N "
	    "end=client-closed",
	    NULL },
	{ "2001:db8::1", 1,
	    { .service = 0,
		.end = END_IDLE,
		.wait_us = 0,
		.connect_us = -1,
		.protocol = "tls",
		.alpn = "h2" },
	    false,
	    "service=openssh client=2001:db8::1 client_port=1 protocol=tls "
	    "server_name=www.example.net alpn=h2 bytes_in=0 bytes_out=0 "
	    "wait_usec=0 duration_usec=N end=idle",
	    "www.example.net" },
	{ "203.0.113.5", 52114,
	    { .service = 0,
		.end = END_BACKEND_RESET,
		.wait_us = 1,
		.connect_us = 2 },
	    true,
	    "service=openssh bytes_in=0 bytes_out=0 wait_usec=1 "
	    "connect_usec=2 duration_usec=N end=backend-reset",
	    NULL },
	{ NULL, 0,
	    { .service = CONN_NO_SERVICE,
		.end = END_GONE,
		.wait_us = -1,
		.connect_us = -1 },
	    false, "bytes_in=0 bytes_out=0 duration_usec=N end=gone", NULL },
	{ "203.0.113.5", 7,
	    { .service = 0,
		.end = END_REFUSED,
		.wait_us = 1,
		.connect_us = -1,
		.error = ECONNREFUSED,
		.backend = "unix:/run/a b" },
	    false,
	    "service=openssh client=203.0.113.5 client_port=7 "
	    "backend=\"unix:/run/a b\" bytes_in=0 bytes_out=0 wait_usec=1 "
	    "duration_usec=N error=\"Connection refused\" end=refused",
	    NULL },
	{ NULL, 0,
	    { .service = CONN_NO_SERVICE,
		.end = END_NO_RULE,
		.wait_us = -1,
		.connect_us = -1,
		.alpn = "a\"b\nUSHER_END=x\xff" },
	    false,
	    "server_name=\"a\\tb\" alpn=\"a\\\"b\\nUSHER_END=x\\xff\" "
	    "bytes_in=0 bytes_out=0 duration_usec=N end=no-rule",
	    "a\tb" },
};

static struct connection *
record(const struct row *row)
{
	struct connection *slot = scoreboard_slot(&board, 0);
	struct addr addr;

	*slot = row->slot;
	if (row->server_name)
		scoreboard_set_name(&board, slot, row->server_name,
		    (uint8_t)strlen(row->server_name));
	slot->start_us = clock_us();
	if (row->client) {
		/* No assertion: LOG_FD may be where Check would note it. */
		if (addr_parse_host(row->client, strlen(row->client), &addr) <
		    0)
			abort();
		endpoint_from(&slot->client, &addr);
		slot->client.port = row->port;
	}
	return slot;
}

static void
say_row(const void *arg)
{
	const struct row *row = arg;
	struct connection *slot = record(row);

	log_connection(&board, slot, LOG_ALL, row->hide);
}

static void
say_row_to_journal(const void *arg)
{
	log_adopt("test", LOG_TO_JOURNAL);
	say_row(arg);
}

START_TEST(a_connection_is_one_line)
{
	char heard[4096];

	scoreboard_service(&board, "openssh");
	in_child(say_row, &rows[_i]);
	strcpy(heard, hear());
	blot(heard, "duration_usec=");
	ck_assert_int_eq(heard[strlen(heard) - 1], '\n');
	heard[strlen(heard) - 1] = '\0';
	ck_assert_str_eq(heard, rows[_i].text);
	ck_assert_str_eq(hear(), "");
}
END_TEST

/* Whether every line of a journal entry begins with a field's name. */
static bool
is_well_formed(const char *entry)
{
	for (; *entry; entry += strcspn(entry, "\n") + 1) {
		size_t n = strspn(entry, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

		if (n == 0 || entry[n] != '=' || !strchr(entry, '\n'))
			return false;
	}
	return true;
}

START_TEST(the_journal_gets_fields)
{
	char heard[8192], text[4096];
	char *message;

	scoreboard_service(&board, "openssh");
	in_child(say_row_to_journal, &rows[_i]);
	strcpy(heard, hear());
	ck_assert(is_well_formed(heard));
	ck_assert_ptr_nonnull(strstr(heard, "SYSLOG_IDENTIFIER=usher\n"));
	ck_assert_ptr_nonnull(
	    strstr(heard, "\nMESSAGE_ID=" LOG_CONNECTION_ID "\n"));
	message = strstr(heard, "\nMESSAGE=") + strlen("\nMESSAGE=");
	snprintf(
	    text, sizeof(text), "%.*s", (int)strcspn(message, "\n"), message);
	blot(text, "duration_usec=");
	ck_assert_str_eq(text, rows[_i].text);
}
END_TEST

START_TEST(every_field_has_its_name)
{
	static const char *const fields[] = {
		"PRIORITY=6",
		"USHER_SERVICE=openssh",
		"USHER_CLIENT=203.0.113.5",
		"USHER_CLIENT_PORT=52114",
		"USHER_PROTOCOL=ssh",
		"USHER_BACKEND=127.0.0.1:22",
		"USHER_LOCAL_PORT=40000",
		"USHER_BYTES_IN=3",
		"USHER_BYTES_OUT=5",
		"USHER_WAIT_USEC=1200",
		"USHER_END=client-closed",
	};
	char heard[8192], line[80];

	scoreboard_service(&board, "openssh");
	in_child(say_row_to_journal, &rows[0]);
	strcpy(heard, hear());
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(line, sizeof(line), "\n%s\n", fields[i]);
		ck_assert_msg(strstr(heard, line), "no %s", fields[i]);
	}
}
END_TEST

static const struct {
	enum rules_log log;
	enum end end;
	bool said;
} choices[] = {
	{ LOG_ALL, END_CLIENT_CLOSED, true },
	{ LOG_ALL, END_ERROR, true },
	{ LOG_NONE, END_ERROR, false },
	{ LOG_NONE, END_CLIENT_CLOSED, false },
	{ LOG_ERRORS, END_CLIENT_CLOSED, false },
	{ LOG_ERRORS, END_NO_RULE, false },
	{ LOG_ERRORS, END_REJECTED, false },
	{ LOG_ERRORS, END_GONE, false },
	{ LOG_ERRORS, END_IDLE, false },
	{ LOG_ERRORS, END_REFUSED, true },
	{ LOG_ERRORS, END_CONNECT_TIMEOUT, true },
	{ LOG_ERRORS, END_LIMIT, true },
	{ LOG_ERRORS, END_KILLED, true },
	{ LOG_ERRORS, END_ERROR, true },
};

static void
say_choice(const void *arg)
{
	int i = *(const int *)arg;
	struct connection slot = {
		.service = CONN_NO_SERVICE,
		.end = (uint8_t)choices[i].end,
	};

	log_connection(&board, &slot, choices[i].log, false);
}

START_TEST(errors_are_told_from_ends)
{
	in_child(say_choice, &_i);
	ck_assert_int_eq(hear()[0] != '\0', choices[_i].said);
}
END_TEST

static void
say_error(const void *arg)
{
	struct connection slot = { .service = 0, .end = END_REFUSED };

	(void)arg;
	log_connection(&board, &slot, LOG_ALL, false);
}

START_TEST(repeated_errors_are_counted_not_told)
{
	uint16_t row = scoreboard_service(&board, "openssh");
	struct tally *tally = scoreboard_tally(&board, row);

	for (int i = 0; i < LOG_BURST + 7; i++) {
		in_child(say_error, NULL);
		ck_assert_int_eq(hear()[0] != '\0', i < LOG_BURST);
	}
	ck_assert_uint_eq(tally->suppressed, 7);
	tally->quiet_until_us = clock_us(); /* the period is over */
	in_child(say_error, NULL);
	ck_assert_ptr_nonnull(strstr(hear(), " suppressed=7 end=refused"));
	in_child(say_error, NULL);
	ck_assert_ptr_null(strstr(hear(), "suppressed"));
}
END_TEST

static void
say_event(const void *arg)
{
	log_adopt("usherd", *(const enum log_kind *)arg);
	log_errno(LOG_ERR, "cannot fork", EACCES);
	log_event(LOG_INFO, "one line\nof two");
}

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
};

START_TEST(each_target_has_its_form)
{
	char heard[8192];

	in_child(say_event, &events[_i].kind);
	strcpy(heard, hear());
	blot(heard, "usher[");
	ck_assert_str_eq(heard, events[_i].error);
	strcpy(heard, hear());
	blot(heard, "usher[");
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

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

Suite *log_suite(void);

Suite *
log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("lines");

	tcase_add_checked_fixture(tcase, open_ears, NULL);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, a_connection_is_one_line, 0, COUNT(rows));
	tcase_add_loop_test(tcase, the_journal_gets_fields, 0, COUNT(rows));
	tcase_add_test(tcase, every_field_has_its_name);
	tcase_add_loop_test(
	    tcase, errors_are_told_from_ends, 0, COUNT(choices));
	tcase_add_test(tcase, repeated_errors_are_counted_not_told);
	tcase_add_loop_test(tcase, each_target_has_its_form, 0, COUNT(events));
	tcase_add_loop_test(
	    tcase, nobody_who_logs_ever_waits, 0, COUNT(events));
	tcase_add_test(tcase, who_is_patient_gets_a_line_through);
	tcase_add_test(tcase, lines_are_marked_where_the_journal_reads_them);
	suite_add_tcase(suite, tcase);
	return suite;
}
