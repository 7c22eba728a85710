#include <check.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "waits.h"

/* One wait with everything let in; what of it is left to look at is here. */
static int
wait_for(int fd, int64_t ms, int64_t *ret_took_us)
{
	struct pollfd in = { .fd = fd, .events = POLLIN };
	int64_t before = clock_us();
	sigset_t none;
	int r;

	sigemptyset(&none);
	r = wait_briefly(&in, 1, deadline_after(before, ms), &none);
	*ret_took_us = clock_us() - before;
	return r;
}

static int ends[2];

static void
set_up(void)
{
	ck_assert_int_eq(pipe(ends), 0);
	clock_tick();
}

START_TEST(tells_the_time_without_a_clock)
{
	int64_t took_us;

	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(
		    wait_for(ends[0], _i ? 60000 : -1, &took_us), 1);
		/* Nobody waited for the deadline, nor went back in time. */
		ck_assert_int_ge(took_us, 0);
		ck_assert_int_lt(took_us, 30000000);
	}
}
END_TEST

START_TEST(waits_until_the_deadline)
{
	int64_t took_us;

	ck_assert_int_eq(wait_for(ends[0], 20, &took_us), 0);
	ck_assert_int_ge(took_us, 20000);
}
END_TEST

static void
do_nothing(int signal)
{
	(void)signal;
}

START_TEST(ends_with_a_signal)
{
	sigset_t mine;
	int64_t took_us;

	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR1);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mine, NULL), 0);
	(void)signal(SIGUSR1, do_nothing);
	ck_assert_int_eq(raise(SIGUSR1), 0);
	ck_assert_int_eq(wait_for(ends[0], 60000, &took_us), -EINTR);
	ck_assert_int_lt(took_us, 30000000);
}
END_TEST

Suite *waits_suite(void);

Suite *
waits_suite(void)
{
	Suite *s = suite_create("waits");
	TCase *brief = tcase_create("brief");

	tcase_add_checked_fixture(brief, set_up, NULL);
	tcase_add_loop_test(brief, tells_the_time_without_a_clock, 0, 2);
	tcase_add_test(brief, waits_until_the_deadline);
	tcase_add_test(brief, ends_with_a_signal);
	suite_add_tcase(s, brief);
	return s;
}
