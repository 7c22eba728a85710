#include <check.h>
#include <stdlib.h>

#include "timers.h"

enum { MANY = 500 };

static struct timers timers;
static struct timer list[MANY];

static void
set_up(void)
{
	ck_assert_int_eq(timers_init(&timers, MANY), 0);
	for (int i = 0; i < MANY; i++)
		list[i] = (struct timer){ .place = 0 };
}

static void
tear_down(void)
{
	timers_free(&timers);
}

static void
set(int i, int64_t at_us)
{
	timers_set(&timers, &list[i], (struct deadline){ at_us });
}

static int
take(int64_t now_us)
{
	struct timer *timer = timers_take(&timers, now_us);

	return timer == NULL ? -1 : (int)(timer - list);
}

START_TEST(take_them_in_their_order)
{
	set(0, 30);
	set(1, 10);
	set(2, 20);
	ck_assert_int_eq(timers_next(&timers).at_us, 10);
	ck_assert_int_eq(take(9), -1);
	ck_assert_int_eq(take(25), 1);
	ck_assert_int_eq(take(25), 2);
	ck_assert_int_eq(take(25), -1);
	ck_assert_int_eq(take(30), 0);
	ck_assert_int_eq(timers_next(&timers).at_us, DEADLINE_NEVER);
}
END_TEST

START_TEST(moves_and_clears)
{
	set(0, 10);
	set(1, 20);
	set(0, 30);
	ck_assert_int_eq(timers_next(&timers).at_us, 20);
	set(1, DEADLINE_NEVER);
	ck_assert_int_eq(timers_next(&timers).at_us, 30);
	set(1, DEADLINE_NEVER);
	ck_assert_uint_eq(timers.n, 1);
}
END_TEST

START_TEST(hastens_only_forward)
{
	set(0, 20);
	timers_hasten(&timers, &list[0], (struct deadline){ 30 });
	ck_assert_int_eq(timers_next(&timers).at_us, 20);
	timers_hasten(&timers, &list[0], (struct deadline){ 10 });
	ck_assert_int_eq(timers_next(&timers).at_us, 10);
	timers_hasten(&timers, &list[1], (struct deadline){ 5 });
	ck_assert_int_eq(timers_next(&timers).at_us, 5);
	timers_hasten(&timers, &list[2], (struct deadline){ DEADLINE_NEVER });
	ck_assert_uint_eq(timers.n, 2);
}
END_TEST

START_TEST(takes_no_more_than_there_is_room_for)
{
	struct timers few;
	struct timer two[2] = { { .place = 0 }, { .place = 0 } };

	ck_assert_int_eq(timers_init(&few, 1), 0);
	timers_set(&few, &two[0], (struct deadline){ 1 });
	timers_set(&few, &two[1], (struct deadline){ 2 });
	ck_assert_uint_eq(few.n, 1);
	timers_free(&few);
}
END_TEST

/* Set, moved, cleared and taken at random: as a plain search would have it. */
START_TEST(agrees_with_a_search)
{
	int64_t at[MANY];
	unsigned state = 1;

	for (int i = 0; i < MANY; i++)
		at[i] = DEADLINE_NEVER;
	for (int step = 0; step < 20000; step++) {
		int i = rand_r(&state) % MANY, first = 0, taken;
		int64_t when = rand_r(&state) % 1000;

		if (when < 100)
			when = DEADLINE_NEVER;
		at[i] = when;
		set(i, when);
		for (int k = 1; k < MANY; k++)
			if (at[k] < at[first])
				first = k;
		ck_assert_int_eq(timers_next(&timers).at_us, at[first]);
		if (step % 3 != 0 || at[first] == DEADLINE_NEVER)
			continue;
		taken = take(at[first]);
		ck_assert_int_ge(taken, 0);
		ck_assert_int_eq(at[taken], at[first]);
		at[taken] = DEADLINE_NEVER;
	}
}
END_TEST

Suite *timers_suite(void);

Suite *
timers_suite(void)
{
	Suite *suite = suite_create("timers");
	TCase *tcase = tcase_create("timers");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, take_them_in_their_order);
	tcase_add_test(tcase, moves_and_clears);
	tcase_add_test(tcase, hastens_only_forward);
	tcase_add_test(tcase, takes_no_more_than_there_is_room_for);
	tcase_add_test(tcase, agrees_with_a_search);
	suite_add_tcase(suite, tcase);
	return suite;
}
