#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "children.h"

START_TEST(finds_a_child_once)
{
	struct children c;

	ck_assert_int_eq(children_init(&c, 4, 32), 0);
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

	ck_assert_int_eq(children_init(&c, 4, 32), 0);
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

	ck_assert_int_eq(children_init(&c, 2, 32), 0);
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

	ck_assert_int_eq(children_init(&c, 8, 32), 0);
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

/* Whose slot somebody else has got is on the way out, in that order. */
START_TEST(names_those_who_leave)
{
	struct children c;

	ck_assert_int_eq(children_init(&c, 8, 2), 0);
	ck_assert_int_eq(children_add(&c, 1, 0), 0);
	ck_assert_int_eq(children_add(&c, 2, 1), 0);
	ck_assert_ptr_null(children_leaving(&c));
	ck_assert_int_eq(children_add(&c, 3, 1), 0);
	ck_assert_int_eq(children_leaving(&c)->pid, 2);
	ck_assert_int_eq(children_oldest(&c)->pid, 1);
	ck_assert_int_eq(children_add(&c, 4, 0), 0);
	ck_assert_int_eq(children_oldest(&c)->pid, 3);
	children_decided(&c, children_leaving(&c)); /* no more than it is */
	ck_assert_int_eq(children_leaving(&c)->pid, 2);
	ck_assert_uint_eq(children_remove(&c, 2), 1);
	ck_assert_int_eq(children_leaving(&c)->pid, 1);
	ck_assert_uint_eq(children_remove(&c, 1), 0);
	ck_assert_ptr_null(children_leaving(&c));
	/* Who is forgotten has no successor, nor has a slot beyond all. */
	ck_assert_uint_eq(children_remove(&c, 4), 0);
	ck_assert_int_eq(children_add(&c, 5, 0), 0);
	ck_assert_int_eq(children_add(&c, 6, 2), 0);
	ck_assert_int_eq(children_add(&c, 7, 2), 0);
	ck_assert_ptr_null(children_leaving(&c));
	children_free(&c);
}
END_TEST

START_TEST(counts_who_has_no_process_yet)
{
	struct children c;
	struct child *first, *second;

	ck_assert_int_eq(children_init(&c, 3, 8), 0);
	first = children_admit(&c, 5);
	ck_assert_int_eq(children_add(&c, 100, 6), 0);
	second = children_admit(&c, 7);
	ck_assert_ptr_null(children_admit(&c, 4));
	ck_assert_uint_eq(c.n, 3);
	ck_assert_uint_eq(children_remove(&c, 0), CHILDREN_NONE);
	/* The order is that of their coming. */
	ck_assert_ptr_eq(children_oldest(&c), first);
	first->guest = &c;
	children_start(&c, first, 101);
	ck_assert_ptr_null(first->guest);
	ck_assert_ptr_eq(children_oldest(&c), first);
	ck_assert_uint_eq(children_remove(&c, 101), 5);
	ck_assert_int_eq(children_oldest(&c)->pid, 100);
	ck_assert_uint_eq(children_remove(&c, 100), 6);
	ck_assert_ptr_eq(children_oldest(&c), second);
	children_dismiss(&c, second);
	ck_assert_ptr_null(children_oldest(&c));
	ck_assert_uint_eq(c.n, 0);
	children_free(&c);
}
END_TEST

/* Nobody else can have given its slot back, and there is nobody to reap. */
START_TEST(does_not_take_leave_of_who_has_no_process)
{
	struct children c;
	struct child *guest;

	ck_assert_int_eq(children_init(&c, 4, 8), 0);
	guest = children_admit(&c, 5);
	ck_assert_int_eq(children_add(&c, 100, 5), 0);
	ck_assert_ptr_null(children_leaving(&c));
	ck_assert_ptr_eq(children_oldest(&c), guest);
	children_dismiss(&c, guest);
	ck_assert_int_eq(children_add(&c, 101, 5), 0);
	ck_assert_int_eq(children_leaving(&c)->pid, 100);
	children_free(&c);
}
END_TEST

/* The same as a slow and obvious list, over many random steps. */
START_TEST(agrees_with_a_plain_list)
{
	enum { SIZE = 16, SLOTS = 6, STEPS = 20000 };
	struct {
		pid_t pid; /* 0: a guest */
		struct child *guest;
		uint32_t slot;
		int undecided;
		int latest; /* of its slot */
		int left; /* when, or 0 */
	} list[SIZE];
	struct children c;
	size_t n = 0;
	pid_t next = 1;

	srand(1);
	ck_assert_int_eq(children_init(&c, SIZE, SLOTS), 0);
	for (int step = 1; step <= STEPS; step++) {
		size_t i = n == 0 ? 0 : (size_t)rand() % n;
		struct child *oldest = children_oldest(&c);
		struct child *leaving = children_leaving(&c);
		size_t first = 0, gone = SIZE;

		while (first < n && !list[first].undecided)
			first++;
		for (size_t k = 0; k < n; k++)
			if (list[k].left &&
			    (gone == SIZE || list[k].left < list[gone].left))
				gone = k;
		ck_assert_int_eq(oldest == NULL ? 0 : oldest->pid,
		    first == n ? 0 : list[first].pid);
		ck_assert_int_eq(leaving == NULL ? 0 : leaving->pid,
		    gone == SIZE ? 0 : list[gone].pid);
		switch (rand() % 4) {
		case 0:
			if (n == SIZE)
				break;
			list[n].pid = rand() % 2 ? next++ : 0;
			list[n].slot = (uint32_t)rand() % SLOTS;
			list[n].undecided = list[n].latest = 1;
			list[n].left = 0;
			for (size_t k = 0; k < n; k++) {
				if (list[k].slot != list[n].slot ||
				    !list[k].latest)
					continue;
				list[k].latest = 0;
				if (list[k].pid == 0)
					continue;
				list[k].left = step;
				list[k].undecided = 0;
			}
			if (list[n].pid == 0)
				list[n].guest =
				    children_admit(&c, list[n].slot);
			else
				ck_assert_int_eq(
				    children_add(&c, list[n].pid, list[n].slot),
				    0);
			n++;
			break;
		case 1:
			if (n == 0)
				break;
			if (list[i].pid == 0)
				children_dismiss(&c, list[i].guest);
			else
				ck_assert_uint_eq(
				    children_remove(&c, list[i].pid),
				    list[i].slot);
			for (n--; i < n; i++)
				list[i] = list[i + 1];
			break;
		case 2:
			if (n == 0 || list[i].pid != 0)
				break;
			list[i].pid = next++;
			children_start(&c, list[i].guest, list[i].pid);
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
	tcase_add_test(tcase, names_those_who_leave);
	tcase_add_test(tcase, counts_who_has_no_process_yet);
	tcase_add_test(tcase, does_not_take_leave_of_who_has_no_process);
	tcase_add_test(tcase, agrees_with_a_plain_list);
	suite_add_tcase(suite, tcase);
	return suite;
}
