#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "log.h"
#include "log_rig.h"

static struct scoreboard board;

static void
open_board(void)
{
	int32_t owner;

	open_ears();
	ck_assert_int_eq(scoreboard_open(&board, NULL, -1, &owner), 0);
}

struct row {
	const char *client;
	uint16_t port;
	struct connection slot;
	bool hide;
	const char *text;
	const char *server_name, *alpn, *backend;
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
		.protocol = "ssh" },
	    false,
	    "service=openssh client=203.0.113.5 client_port=52114 protocol=ssh "
	    "backend=127.0.0.1:22 local_port=40000 bytes_in=3 bytes_out=5 "
	    "wait_usec=1200 connect_usec=90 duration_usec=N "
	    "end=client-closed",
	    .backend = "127.0.0.1:22" },
	{ "2001:db8::1", 1,
	    { .service = 0,
		.end = END_IDLE,
		.wait_us = 0,
		.connect_us = -1,
		.protocol = "tls" },
	    false,
	    "service=openssh client=2001:db8::1 client_port=1 protocol=tls "
	    "server_name=www.example.net alpn=h2 bytes_in=0 bytes_out=0 "
	    "wait_usec=0 duration_usec=N end=idle",
	    .server_name = "www.example.net", .alpn = "h2" },
	{ "203.0.113.5", 52114,
	    { .service = 0,
		.end = END_BACKEND_RESET,
		.wait_us = 1,
		.connect_us = 2 },
	    true,
	    "service=openssh bytes_in=0 bytes_out=0 wait_usec=1 "
	    "connect_usec=2 duration_usec=N end=backend-reset",
	    .backend = NULL },
	{ NULL, 0,
	    { .service = CONN_NO_SERVICE,
		.end = END_GONE,
		.wait_us = -1,
		.connect_us = -1 },
	    false, "bytes_in=0 bytes_out=0 duration_usec=N end=gone",
	    .backend = NULL },
	{ "203.0.113.5", 7,
	    { .service = 0,
		.end = END_REFUSED,
		.wait_us = 1,
		.connect_us = -1,
		.error = ECONNREFUSED },
	    false,
	    "service=openssh client=203.0.113.5 client_port=7 "
	    "backend=\"unix:/run/a b\" bytes_in=0 bytes_out=0 wait_usec=1 "
	    "duration_usec=N error=\"Connection refused\" end=refused",
	    .backend = "unix:/run/a b" },
	{ NULL, 0,
	    { .service = CONN_NO_SERVICE,
		.end = END_NO_RULE,
		.wait_us = -1,
		.connect_us = -1 },
	    false,
	    "server_name=\"a\\tb\" alpn=\"a\\\"b\\nUSHER_END=x\\xff\" "
	    "bytes_in=0 bytes_out=0 duration_usec=N end=no-rule",
	    .server_name = "a\tb", .alpn = "a\"b\nUSHER_END=x\xff" },
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
	/* As whoever was broken into may have written it. */
	if (row->alpn) {
		scoreboard_set_alpn(&board, slot, "h2", 2);
		strcpy(board.asked[0].alpn, row->alpn);
	}
	/* No assertion: LOG_FD may be where Check would note it. */
	if (row->backend) {
		if (addr_parse(
			row->backend, strlen(row->backend), false, &addr) < 0)
			abort();
		scoreboard_set_backend(&board, slot, &addr);
	}
	slot->start_us = clock_us();
	if (row->client) {
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

/* What a process that was broken into may write as the end of a silence. */
static const struct {
	int64_t from_now_us;
	bool said;
} silences[] = {
	{ LOG_PERIOD_US / 2, false }, /* an honest one */
	{ 60 * LOG_PERIOD_US, true },
	{ INT64_MAX / 2, true },
	{ INT64_MIN / 2, true },
};

START_TEST(no_service_is_silenced_for_good)
{
	struct connection slot = { .service = 0, .end = END_REFUSED };
	struct tally *tally =
	    scoreboard_tally(&board, scoreboard_service(&board, "openssh"));

	atomic_store(
	    &tally->quiet_until_us, clock_us() + silences[_i].from_now_us);
	atomic_store(&tally->lines, UINT32_MAX - LOG_BURST);
	ck_assert_int_eq(log_is_quiet(&board, &slot), silences[_i].said);
	in_child(say_error, NULL);
	ck_assert_int_eq(hear()[0] != '\0', silences[_i].said);
	/* And what it begins is a period like any other. */
	if (silences[_i].said)
		ck_assert_int_le(
		    tally->quiet_until_us, clock_us() + LOG_PERIOD_US);
}
END_TEST

Suite *log_suite(void);

Suite *
log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("lines");

	tcase_add_checked_fixture(tcase, open_board, NULL);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, a_connection_is_one_line, 0, COUNT(rows));
	tcase_add_loop_test(tcase, the_journal_gets_fields, 0, COUNT(rows));
	tcase_add_test(tcase, every_field_has_its_name);
	tcase_add_loop_test(
	    tcase, errors_are_told_from_ends, 0, COUNT(choices));
	tcase_add_test(tcase, repeated_errors_are_counted_not_told);
	tcase_add_loop_test(
	    tcase, no_service_is_silenced_for_good, 0, COUNT(silences));
	suite_add_tcase(suite, tcase);
	return suite;
}
