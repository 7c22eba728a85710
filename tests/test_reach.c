#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "reach.h"

enum { N = 5 };

static const bool none_failed[RULES_BACKENDS_MAX];

START_TEST(tries_the_first_first)
{
	uint8_t order[RULES_BACKENDS_MAX];

	reach_order(BALANCE_FIRST, N, 12345, none_failed, order);
	for (uint8_t i = 0; i < N; i++)
		ck_assert_uint_eq(order[i], i);
}
END_TEST

START_TEST(tries_each_once_in_every_balance)
{
	uint8_t order[RULES_BACKENDS_MAX];

	for (uint64_t seed = 0; seed < 500; seed++) {
		unsigned seen = 0;

		reach_order((enum balance)_i, N, seed, none_failed, order);
		for (size_t i = 0; i < N; i++)
			seen |= 1u << order[i];
		ck_assert_uint_eq(seen, (1u << N) - 1);
	}
}
END_TEST

START_TEST(spreads_clients_evenly_and_keeps_each)
{
	uint8_t order[RULES_BACKENDS_MAX], again[RULES_BACKENDS_MAX];
	unsigned firsts[N] = { 0 };

	for (uint64_t seed = 0; seed < 5000; seed++) {
		reach_order(BALANCE_SOURCE, N, seed * 0x9e3779b97f4a7c15u,
		    none_failed, order);
		reach_order(BALANCE_SOURCE, N, seed * 0x9e3779b97f4a7c15u,
		    none_failed, again);
		ck_assert_mem_eq(order, again, N);
		firsts[order[0]]++;
	}
	for (size_t i = 0; i < N; i++) {
		ck_assert_uint_gt(firsts[i], 5000 / N - 200);
		ck_assert_uint_lt(firsts[i], 5000 / N + 200);
	}
}
END_TEST

/* A backend more takes clients from the others, and moves no one else. */
START_TEST(moves_few_clients_when_a_backend_is_added)
{
	uint8_t before[RULES_BACKENDS_MAX], after[RULES_BACKENDS_MAX];

	for (uint64_t seed = 1; seed < 2000; seed++) {
		reach_order(BALANCE_SOURCE, N, seed << 20, none_failed, before);
		reach_order(
		    BALANCE_SOURCE, N + 1, seed << 20, none_failed, after);
		ck_assert(after[0] == before[0] || after[0] == N);
	}
}
END_TEST

START_TEST(tries_those_that_failed_last)
{
	const bool failed[RULES_BACKENDS_MAX] = { true, false, true };
	static const uint8_t wanted[N] = { 1, 3, 4, 0, 2 };
	uint8_t order[RULES_BACKENDS_MAX];

	reach_order(BALANCE_FIRST, N, 1, failed, order);
	ck_assert_mem_eq(order, wanted, N);
}
END_TEST

Suite *reach_suite(void);

Suite *
reach_suite(void)
{
	Suite *suite = suite_create("reach");
	TCase *tcase = tcase_create("reach");

	tcase_add_test(tcase, tries_the_first_first);
	tcase_add_loop_test(tcase, tries_each_once_in_every_balance,
	    BALANCE_FIRST, BALANCE_SOURCE + 1);
	tcase_add_test(tcase, spreads_clients_evenly_and_keeps_each);
	tcase_add_test(tcase, moves_few_clients_when_a_backend_is_added);
	tcase_add_test(tcase, tries_those_that_failed_last);
	suite_add_tcase(suite, tcase);
	return suite;
}
