#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alive.h"
#include "deadline.h"
#include "status.h"

#define SECOND 1000000

static struct scoreboard board;
static int64_t now_us;

/*
 * A connection served by process 1, which is always there, and has been for a
 * minute or so.
 */
static struct connection *
add(const char *client, uint16_t port, int64_t age_us, uint16_t row)
{
	struct endpoint endpoint = { .family = 0 };
	struct connection *slot;
	struct addr addr;

	if (client) {
		ck_assert_int_eq(
		    addr_parse_host(client, strlen(client), &addr), 0);
		endpoint_from(&endpoint, &addr);
		endpoint.port = port;
	}
	slot = scoreboard_take(&board, 100, &endpoint);
	slot->pid = 1;
	slot->start_us = slot->since_us = now_us - age_us;
	slot->active_us = now_us - age_us / 2;
	if (row != CONN_NO_SERVICE)
		scoreboard_decided(&board, slot, row);
	return slot;
}

static void
end(struct connection *slot, enum end how)
{
	slot->end = (uint8_t)how;
	slot->bytes_in = 1000;
	slot->bytes_out = 2000;
	scoreboard_give_back(&board, slot);
}

static void
go_to(struct connection *slot, const char *backend)
{
	struct addr to;

	ck_assert_int_eq(addr_parse(backend, strlen(backend), false, &to), 0);
	scoreboard_set_backend(&board, slot, &to);
}

/* What the golden texts below show. */
static void
make_board(void)
{
	struct connection *slot;
	uint16_t ssh, odd;
	int32_t owner;
	pid_t dead;

	ck_assert_int_eq(scoreboard_open(&board, NULL, -1, &owner), 0);
	now_us = clock_us();
	ssh = scoreboard_service(&board, "openssh");
	odd = scoreboard_service(&board, "odd \"\\\n\xc3\xa4");
	end(add("192.0.2.1", 1, SECOND, ssh), END_CLIENT_CLOSED);
	end(add("192.0.2.1", 2, SECOND, ssh), END_IDLE);
	end(add("192.0.2.1", 3, SECOND, CONN_NO_SERVICE), END_GONE);
	slot = add("2001:db8::1", 443, 2500000, odd);
	scoreboard_set_program(&board, slot, "unix:/run/\"x\"");
	slot = add("203.0.113.5", 52114, 61 * (int64_t)SECOND, ssh);
	go_to(slot, "127.0.0.1:22");
	slot->bytes_in = 12345;
	slot->bytes_out = 6789012;
	add(NULL, 0, 10, CONN_NO_SERVICE);
	dead = fork();
	if (dead == 0)
		_exit(0);
	waitpid(dead, NULL, 0);
	add("203.0.113.6", 1, SECOND, ssh)->pid = dead;
}

/* Leaves out lines that end in " 0". */
static void
drop_zeros(char *text)
{
	char *to = text;

	while (*text) {
		size_t n = strcspn(text, "\n") + 1;

		if (n < 3 || memcmp(text + n - 3, " 0\n", 3) != 0) {
			memmove(to, text, n);
			to += n;
		}
		text += n;
	}
	*to = '\0';
}

static void
assert_shown(
    void (*write)(FILE *out, const struct status *status), const char *expected)
{
	struct scoreboard copy;
	struct status status;
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	ck_assert_int_eq(scoreboard_snapshot(&copy, board.fd), 0);
	ck_assert_int_eq(status_read(&status, &copy, now_us), 0);
	write(out, &status);
	fclose(out);
	if (write == status_write_prometheus)
		drop_zeros(text);
	ck_assert_str_eq(text, expected);
	free(text);
	status_free(&status);
	scoreboard_close(&copy);
}

static const char tables[] =
    "PID  AGE  SERVICE             CLIENT             BACKEND             IN      OUT  IDLE\n"
    "  1  61s  openssh             203.0.113.5:52114  127.0.0.1:22     12345  6789012   30s\n"
    "  1   2s  odd \\\"\\\\\\n\\xc3\\xa4  [2001:db8::1]:443  unix:/run/\\\"x\\\"      0        0    1s\n"
    "  1   0s  -                   -                  -                    0        0    0s\n"
    "\n"
    "SERVICE             NOW  TOTAL     IN      OUT  ENDS\n"
    "openssh               1      4  14345  6793012  client-closed 1, idle 1\n"
    "odd \\\"\\\\\\n\\xc3\\xa4    1      1      0        0  -\n"
    "-                     1      1   1000     2000  gone 1\n";

static const char json[] =
    "{\"connections\":[{\"pid\":1,\"age\":61.000000,"
    "\"service\":\"openssh\",\"client\":\"203.0.113.5\","
    "\"client_port\":52114,\"backend\":\"127.0.0.1:22\","
    "\"bytes_in\":12345,\"bytes_out\":6789012,"
    "\"idle\":30.500000},{\"pid\":1,\"age\":2.500000,"
    "\"service\":\"odd \\\"\\\\\\u000a\\u00c3\\u00a4\","
    "\"client\":\"2001:db8::1\",\"client_port\":443,"
    "\"backend\":\"unix:/run/\\\"x\\\"\",\"bytes_in\":0,"
    "\"bytes_out\":0,\"idle\":1.250000},{\"pid\":1,"
    "\"age\":0.000010,\"service\":null,\"client\":null,"
    "\"client_port\":0,\"backend\":null,\"bytes_in\":0,"
    "\"bytes_out\":0,\"idle\":0.000005}],\"services\":{"
    "\"openssh\":{\"connections\":1,\"total\":4,"
    "\"bytes_in\":14345,\"bytes_out\":6793012,\"ends\":{"
    "\"client-closed\":1,\"backend-closed\":0,\"client-reset\":0,"
    "\"backend-reset\":0,\"idle\":1,\"half-close-timeout\":0,"
    "\"killed\":0,\"no-rule\":0,\"rejected\":0,\"refused\":0,"
    "\"connect-timeout\":0,\"gone\":0,\"limit\":0,\"error\":0}},"
    "\"odd \\\"\\\\\\u000a\\u00c3\\u00a4\":{\"connections\":1,"
    "\"total\":1,\"bytes_in\":0,\"bytes_out\":0,\"ends\":{"
    "\"client-closed\":0,\"backend-closed\":0,\"client-reset\":0,"
    "\"backend-reset\":0,\"idle\":0,\"half-close-timeout\":0,"
    "\"killed\":0,\"no-rule\":0,\"rejected\":0,\"refused\":0,"
    "\"connect-timeout\":0,\"gone\":0,\"limit\":0,"
    "\"error\":0}}}}\n";

static const char metrics[] =
    "# HELP usher_pending Connections without a decision yet.\n"
    "# TYPE usher_pending gauge\n"
    "usher_pending 1\n"
    "# HELP usher_connections Connections now.\n"
    "# TYPE usher_connections gauge\n"
    "usher_connections{service=\"openssh\"} 1\n"
    "usher_connections{service=\"odd \\\"\\\\\\\\x0a\\\\xc3\\\\xa4\"} 1\n"
    "usher_connections{service=\"\"} 1\n"
    "# HELP usher_connections_total Connections given to the service.\n"
    "# TYPE usher_connections_total counter\n"
    "usher_connections_total{service=\"openssh\"} 4\n"
    "usher_connections_total{service=\"odd \\\"\\\\\\\\x0a\\\\xc3\\\\xa4\"} 1\n"
    "usher_connections_total{service=\"\"} 1\n"
    "# HELP usher_bytes_in_total Bytes from clients.\n"
    "# TYPE usher_bytes_in_total counter\n"
    "usher_bytes_in_total{service=\"openssh\"} 14345\n"
    "usher_bytes_in_total{service=\"\"} 1000\n"
    "# HELP usher_bytes_out_total Bytes to clients.\n"
    "# TYPE usher_bytes_out_total counter\n"
    "usher_bytes_out_total{service=\"openssh\"} 6793012\n"
    "usher_bytes_out_total{service=\"\"} 2000\n"
    "# HELP usher_ends_total Connections ended, by reason.\n"
    "# TYPE usher_ends_total counter\n"
    "usher_ends_total{service=\"openssh\",end=\"client-closed\"} 1\n"
    "usher_ends_total{service=\"openssh\",end=\"idle\"} 1\n"
    "usher_ends_total{service=\"\",end=\"gone\"} 1\n";

START_TEST(people_see_two_tables)
{
	assert_shown(status_write_table, tables);
}
END_TEST

START_TEST(programs_see_json)
{
	assert_shown(status_write_json, json);
}
END_TEST

START_TEST(prometheus_sees_metrics)
{
	assert_shown(status_write_prometheus, metrics);
}
END_TEST

START_TEST(a_process_is_known_by_its_start_too)
{
	int64_t start_us = clock_us();
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	ck_assert(process_alive(child, start_us));
	/* A minute before it started that number was somebody else. */
	ck_assert(!process_alive(child, start_us - 60 * (int64_t)SECOND));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ck_assert(!process_alive(child, start_us));
	ck_assert(!process_alive(0, start_us));
	ck_assert(!process_alive(-1, start_us));
	ck_assert(process_alive(1, start_us));
}
END_TEST

Suite *status_suite(void);

Suite *
status_suite(void)
{
	Suite *suite = suite_create("status");
	TCase *formats = tcase_create("formats");
	TCase *alive = tcase_create("alive");

	tcase_add_checked_fixture(formats, make_board, NULL);
	tcase_add_test(formats, people_see_two_tables);
	tcase_add_test(formats, programs_see_json);
	tcase_add_test(formats, prometheus_sees_metrics);
	suite_add_tcase(suite, formats);
	tcase_add_test(alive, a_process_is_known_by_its_start_too);
	suite_add_tcase(suite, alive);
	return suite;
}
