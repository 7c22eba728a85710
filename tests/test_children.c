#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "children.h"

START_TEST(finds_a_child_once)
{
	struct children c;

	ck_assert_int_eq(children_init(&c, 4), 0);
	ck_assert_int_eq(children_add(&c, 100, 7), 0);
	ck_assert_uint_eq(children_remove(&c, 99), CHILDREN_NONE);
	ck_assert_uint_eq(children_remove(&c, 100), 7);
	ck_assert_uint_eq(children_remove(&c, 100), CHILDREN_NONE);
	children_free(&c);
}
END_TEST

/* Pids that fall into one bucket must not be taken for each other. */
START_TEST(tells_colliding_pids_apart)
{
	struct children c;

	ck_assert_int_eq(children_init(&c, 4), 0);
	for (pid_t pid = 4; pid <= 16; pid += 4)
		ck_assert_int_eq(children_add(&c, pid, (uint32_t)pid + 1), 0);
	ck_assert_uint_eq(children_remove(&c, 8), 9);
	ck_assert_uint_eq(children_remove(&c, 16), 17);
	ck_assert_uint_eq(children_remove(&c, 4), 5);
	ck_assert_uint_eq(children_remove(&c, 12), 13);
	children_free(&c);
}
END_TEST

START_TEST(refuses_one_too_many_and_goes_on)
{
	struct children c;

	ck_assert_int_eq(children_init(&c, 2), 0);
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(children_add(&c, 10, 0), 0);
		ck_assert_int_eq(children_add(&c, 11, 1), 0);
		ck_assert_int_eq(children_add(&c, 12, 2), -ENOSPC);
		ck_assert_uint_eq(children_remove(&c, 10), 0);
		ck_assert_uint_eq(children_remove(&c, 11), 1);
	}
	children_free(&c);
}
END_TEST

START_TEST(names_the_oldest_undecided)
{
	struct children c;

	ck_assert_int_eq(children_init(&c, 8), 0);
	ck_assert_ptr_null(children_oldest(&c));
	for (pid_t pid = 1; pid <= 4; pid++)
		ck_assert_int_eq(children_add(&c, pid, (uint32_t)pid), 0);
	ck_assert_int_eq(children_oldest(&c)->pid, 1);
	children_decided(&c, children_oldest(&c));
	ck_assert_int_eq(children_oldest(&c)->pid, 2);
	children_remove(&c, 3); /* from the middle */
	children_remove(&c, 2);
	ck_assert_int_eq(children_oldest(&c)->pid, 4);
	children_remove(&c, 4);
	ck_assert_ptr_null(children_oldest(&c));
	ck_assert_uint_eq(children_remove(&c, 1), 1); /* decided, yet known */
	children_free(&c);
}
END_TEST

/* The same as a slow and obvious list, over many random steps. */
START_TEST(agrees_with_a_plain_list)
{
	enum { SIZE = 16, STEPS = 20000 };
	struct {
		pid_t pid;
		int undecided;
	} list[SIZE];
	struct children c;
	size_t n = 0;
	pid_t next = 1;

	srand(1);
	ck_assert_int_eq(children_init(&c, SIZE), 0);
	for (int step = 0; step < STEPS; step++) {
		size_t i = n == 0 ? 0 : (size_t)rand() % n;
		struct child *oldest = children_oldest(&c);
		size_t first = 0;

		while (first < n && !list[first].undecided)
			first++;
		ck_assert_int_eq(oldest == NULL ? 0 : oldest->pid,
		    first == n ? 0 : list[first].pid);
		switch (rand() % 3) {
		case 0:
			if (n == SIZE)
				break;
			list[n].pid = next++;
			list[n++].undecided = 1;
			ck_assert_int_eq(
			    children_add(&c, next - 1, (uint32_t)(next - 1)),
			    0);
			break;
		case 1:
			if (n == 0)
				break;
			ck_assert_uint_eq(children_remove(&c, list[i].pid),
			    (uint32_t)list[i].pid);
			for (n--; i < n; i++)
				list[i] = list[i + 1];
			break;
		default:
			if (oldest == NULL)
				break;
			children_decided(&c, oldest);
			list[first].undecided = 0;
		}
	}
	children_free(&c);
}
END_TEST

Suite *children_suite(void);

Suite *
children_suite(void)
{
	Suite *suite = suite_create("children");
	TCase *tcase = tcase_create("children");

	tcase_add_test(tcase, finds_a_child_once);
	tcase_add_test(tcase, tells_colliding_pids_apart);
	tcase_add_test(tcase, refuses_one_too_many_and_goes_on);
	tcase_add_test(tcase, names_the_oldest_undecided);
	tcase_add_test(tcase, agrees_with_a_plain_list);
	suite_add_tcase(suite, tcase);
	return suite;
}
