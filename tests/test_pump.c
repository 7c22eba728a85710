#include "pump.h"

#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay_rig.h"

/* What "to" has already is only dropped: what that is makes no difference. */
#define MOST PUMP_BUFFER

static const struct rig_options tcp = { .kind = RIG_TCP };

/* The test's ends, and the pump's between them. */
static int source, sink, from, to;
static _Atomic uint64_t count;
static struct pump pump;

static void
set_up(void)
{
	int pair[2];

	rig_pair(&tcp, pair);
	source = pair[0];
	from = pair[1];
	rig_pair(&tcp, pair);
	to = pair[0];
	sink = pair[1];
	count = 0;
	pump_init(&pump, from, to, &count, NULL);
}

static void
tear_down(void)
{
	pump_free(&pump);
	(void)close(source);
	(void)close(from);
	(void)close(to);
	(void)close(sink);
}

/* Runs it until it waits for more. */
static void
run(void)
{
	enum pump_result result;

	rig_await(from, POLLIN, RIG_PATIENCE_MS);
	do {
		result = pump_run(&pump);
		ck_assert_int_ne(result, PUMP_FROM_FAILED);
		ck_assert_int_ne(result, PUMP_TO_FAILED);
	} while (result == PUMP_MOVED);
}

static void
expect_nothing(int fd)
{
	char byte;

	ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

static int
undelayed(int fd)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(
	    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	return value;
}

static void
delay(int fd)
{
	int off = 0;

	ck_assert_int_eq(
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off)), 0);
}

/* Bytes that were there when it began, and those that are new. */
static const struct {
	size_t ahead, more;
} sizes[] = {
	{ 1, 1 },
	{ 16, 0 },
	{ 517, 1000 },
	{ MOST, 0 },
	{ MOST, 1 },
	{ MOST - 1, MOST },
	{ MOST, MOST },
};

START_TEST(drops_what_was_delivered_ahead)
{
	const size_t ahead = sizes[_i].ahead, more = sizes[_i].more;

	rig_send(source, 0, ahead);
	pump_delivered(&pump, ahead);
	ck_assert_uint_eq(count, ahead);
	rig_send(source, ahead, more);
	run();
	if (more > 0)
		rig_receive(sink, ahead, more);
	expect_nothing(sink);
	ck_assert_uint_eq(count, ahead + more);
	rig_send(source, ahead + more, 100);
	run();
	rig_receive(sink, ahead + more, 100);
	ck_assert_uint_eq(count, ahead + more + 100);
}
END_TEST

/* A reader that gets them one by one gets none of them twice. */
START_TEST(drops_them_piece_by_piece)
{
	const size_t ahead = 100;

	pump_delivered(&pump, ahead);
	for (size_t i = 0; i < ahead + 20; i++) {
		rig_send(source, i, 1);
		run();
	}
	rig_receive(sink, ahead, 20);
	ck_assert_uint_eq(count, ahead + 20);
}
END_TEST

START_TEST(ends_behind_what_was_delivered_ahead)
{
	rig_send(source, 0, 16);
	pump_delivered(&pump, 16);
	ck_assert_int_eq(shutdown(source, SHUT_WR), 0);
	pump.ending = _i != 0; /* its carrier knows, or does not */
	run();
	ck_assert(pump.eof && pump.done);
	rig_expect_fin(sink);
	ck_assert_uint_eq(count, 16);
}
END_TEST

START_TEST(settles_with_what_was_delivered_ahead)
{
	rig_send(source, 0, 1000);
	pump_delivered(&pump, 900);
	rig_await(from, POLLIN, RIG_PATIENCE_MS);
	ck_assert_int_eq(pump_settle(&pump), 0);
	ck_assert_uint_eq(pump.ahead, 0);
	expect_nothing(sink);
	run();
	rig_receive(sink, 900, 100);
	expect_nothing(sink);
}
END_TEST

/* They were promised; if they are not there, something is wrong with it. */
START_TEST(does_not_settle_without_them)
{
	pump_delivered(&pump, 10);
	ck_assert_int_ne(pump_settle(&pump), 0);
	rig_send(source, 0, 10);
	rig_await(from, POLLIN, RIG_PATIENCE_MS);
	ck_assert_int_eq(pump_settle(&pump), 0);
}
END_TEST

START_TEST(hurries_before_it_writes)
{
	delay(to);
	pump.packs = true;
	rig_send(source, 0, 16);
	pump_delivered(&pump, 16);
	run();
	ck_assert_int_eq(undelayed(to), 0);
	rig_send(source, 16, 16);
	run();
	ck_assert_int_eq(undelayed(to), 1);
	rig_receive(sink, 16, 16);
}
END_TEST

START_TEST(hurries_before_it_goes_elsewhere)
{
	delay(to);
	pump.packs = true;
	ck_assert_int_eq(pump_settle(&pump), 0);
	ck_assert_int_eq(undelayed(to), 1);
}
END_TEST

enum { LARGE = 2 * PUMP_PIPE, PIPES_MAX = 400 };

/*
 * Opens pipes of so many bytes for as long as there are any; returns how many
 * it has, at ends.
 */
static int
open_pipes(int (*ends)[2], int size)
{
	int n = 0;

	for (;; n++) {
		ck_assert_int_lt(n, PIPES_MAX);
		ck_assert_int_eq(pipe(ends[n]), 0);
		(void)fcntl(ends[n][1], F_SETPIPE_SZ, size);
		if (fcntl(ends[n][1], F_GETPIPE_SZ) < size)
			break;
	}
	(void)close(ends[n][0]);
	(void)close(ends[n][1]);
	return n;
}

/* Leaves no more than n bytes of pipes, and no less but for some pages. */
static void
leave_pipes(int n)
{
	static int large[PIPES_MAX][2], small[PIPES_MAX][2];
	int got;

	/* Somebody whom the limit is for, and who has no others. */
	ck_assert_int_eq(setuid(60000 + (uid_t)getpid() % 5000), 0);
	got = open_pipes(large, LARGE);
	ck_assert_int_ge(got, 1);
	(void)close(large[got - 1][0]);
	(void)close(large[got - 1][1]);
	got = open_pipes(small, PUMP_PIPE_MIN);
	ck_assert_int_ge(got, n / PUMP_PIPE_MIN);
	for (; n >= PUMP_PIPE_MIN; n -= PUMP_PIPE_MIN) {
		(void)close(small[--got][0]);
		(void)close(small[got][1]);
	}
}

static const struct {
	int left, size; /* of what is left, it takes so much */
} pipes[] = {
	{ PUMP_PIPE + PUMP_PIPE_MIN, PUMP_PIPE },
	{ PUMP_PIPE - PUMP_PIPE_MIN, PUMP_PIPE / 2 },
	{ PUMP_PIPE_MIN, PUMP_PIPE_MIN },
	{ 0, -1 },
};

/* All pipes of a user have a limit in common. */
START_TEST(takes_the_largest_pipe_there_is)
{
	int copies;

	leave_pipes(pipes[_i].left);
	rig_send(source, 0, 4 * PUMP_BUFFER);
	run();
	rig_receive(sink, 0, 4 * PUMP_BUFFER);
	ck_assert(pump_in_bulk(&pump));
	ck_assert_int_eq(fcntl(pump.pipe[1], F_GETPIPE_SZ), pipes[_i].size);
	/* Where there is none it is not asked for at each read. */
	copies = pump.copies;
	rig_send(source, 0, PUMP_BUFFER);
	run();
	rig_receive(sink, 0, PUMP_BUFFER);
	ck_assert_int_eq(pump.copies < copies, pipes[_i].size < 0);
}
END_TEST

Suite *pump_suite(void);

Suite *
pump_suite(void)
{
	Suite *suite = suite_create("pump");
	TCase *tcase = tcase_create("pump");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, drops_what_was_delivered_ahead, 0,
	    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(tcase, drops_them_piece_by_piece);
	tcase_add_loop_test(tcase, ends_behind_what_was_delivered_ahead, 0, 2);
	tcase_add_test(tcase, settles_with_what_was_delivered_ahead);
	tcase_add_test(tcase, does_not_settle_without_them);
	tcase_add_test(tcase, hurries_before_it_writes);
	tcase_add_test(tcase, hurries_before_it_goes_elsewhere);
	/* Of a user of its own: it takes all there are. */
	if (geteuid() == 0)
		tcase_add_loop_test(tcase, takes_the_largest_pipe_there_is, 0,
		    sizeof(pipes) / sizeof(pipes[0]));
	suite_add_tcase(suite, tcase);
	return suite;
}
