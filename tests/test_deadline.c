#include <check.h>
#include <limits.h>

#include "deadline.h"

static const struct {
	int64_t at_us, now_us;
	int left;
	bool passed;
} lefts[] = {
	{ DEADLINE_NEVER, 0, -1, false },
	{ DEADLINE_NEVER, DEADLINE_NEVER - 1, -1, false },
	{ 1000, 1000, 0, true },
	{ 1000, 5000, 0, true },
	{ 1001, 1000, 1, false }, /* rounded up: never early */
	{ 2000, 1000, 1, false },
	{ 2001, 1000, 2, false },
	{ DEADLINE_NEVER - 1, 0, INT_MAX, false },
};

START_TEST(says_what_is_left)
{
	struct deadline until = { lefts[_i].at_us };

	ck_assert_int_eq(
	    deadline_left(until, lefts[_i].now_us), lefts[_i].left);
	ck_assert(deadline_passed(until, lefts[_i].now_us) == lefts[_i].passed);
}
END_TEST

static const struct {
	int64_t start_us, ms, at_us;
} afters[] = {
	{ 0, 0, 0 },
	{ 5, 3000, 3000005 },
	{ 5, -1, DEADLINE_NEVER },
	{ 5, INT64_MAX, DEADLINE_NEVER },
	{ INT64_MAX - 1000, 1, INT64_MAX },
	{ INT64_MAX - 999, 1, DEADLINE_NEVER },
};

START_TEST(never_overflows)
{
	struct deadline until =
	    deadline_after(afters[_i].start_us, afters[_i].ms);

	ck_assert(until.at_us == afters[_i].at_us);
}
END_TEST

START_TEST(first_of_two)
{
	struct deadline early = { 1 }, never = { DEADLINE_NEVER };

	ck_assert(deadline_first(early, never).at_us == 1);
	ck_assert(deadline_first(never, early).at_us == 1);
}
END_TEST

START_TEST(clock_goes_on)
{
	int64_t before = clock_us();

	ck_assert(before > 0);
	while (clock_us() == before)
		;
	ck_assert(clock_us() > before);
}
END_TEST

/* What a wait took is added, if it was short, and not for ever. */
START_TEST(ticks_by_what_a_wait_took)
{
	const int64_t hour = INT64_C(3600000000);
	int64_t before = clock_us();
	int guessed = 0;

	clock_waited_for(hour); /* nothing ticks yet */
	ck_assert(clock_us() < before + hour);
	clock_tick();
	before = clock_us();
	clock_waited_for(5000);
	ck_assert(clock_us() == before + 5000);
	/* Read again: with a wait of no length it would be the same. */
	while (clock_us() == before + 5000) {
		clock_waited_for(0);
		ck_assert_int_lt(guessed++, 100);
	}
	ck_assert_int_gt(guessed, 1);
	clock_waited_for(hour);
	ck_assert(clock_us() < before + hour);
	clock_waited_for(-1);
	ck_assert(clock_us() < before + hour);
}
END_TEST

Suite *deadline_suite(void);

Suite *
deadline_suite(void)
{
	Suite *suite = suite_create("deadline");
	TCase *tests = tcase_create("deadline");

	tcase_add_loop_test(
	    tests, says_what_is_left, 0, sizeof(lefts) / sizeof(lefts[0]));
	tcase_add_loop_test(
	    tests, never_overflows, 0, sizeof(afters) / sizeof(afters[0]));
	tcase_add_test(tests, first_of_two);
	tcase_add_test(tests, clock_goes_on);
	tcase_add_test(tests, ticks_by_what_a_wait_took);
	suite_add_tcase(suite, tests);
	return suite;
}
