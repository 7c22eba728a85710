#include <check.h>
#include <errno.h>
#include <string.h>

#include "duration.h"

static const struct {
	const char *text;
	int64_t ms;
	const char *written;
} good[] = {
	{ "off", DURATION_OFF, "off" },
	{ "0", 0, "0s" },
	{ "3", 3000, "3s" },
	{ "500ms", 500, "500ms" },
	{ "3s", 3000, "3s" },
	{ "5min", 300000, "5min" },
	{ "24h", 86400000, "1d" },
	{ "25h", 90000000, "25h" },
	{ "90s", 90000, "90s" },
	{ "1h 30min", 5400000, "90min" },
	{ "1h30min", 5400000, "90min" },
	{ "30min 1h", 5400000, "90min" },
	{ "  7  s  ", 7000, "7s" },
	{ "1.5s", 1500, "1500ms" },
	{ "0.0019s", 1, "1ms" },
	{ "2.5", 2500, "2500ms" },
	{ "1000d", INT64_C(86400000000), "1000d" },
};

static const struct {
	const char *text;
	int error;
	const char *unit;
} bad[] = {
	{ "", -EINVAL, NULL },
	{ " ", -EINVAL, NULL },
	{ "s", -EINVAL, NULL },
	{ "-1s", -EINVAL, NULL },
	{ "+1s", -EINVAL, NULL },
	{ ".5s", -EINVAL, NULL },
	{ "5.s", -EINVAL, NULL },
	{ "1 2", -EINVAL, NULL },
	{ "1s 2", -EINVAL, NULL },
	{ "Off", -EINVAL, NULL },
	{ "3 hours", -EINVAL, "hours" },
	{ "3m", -EINVAL, "m" },
	{ "3S", -EINVAL, "S" },
	{ "1h 3sec", -EINVAL, "sec" },
	{ "999999999d", -ERANGE, NULL },
	{ "99999999999999999999999999", -ERANGE, NULL },
};

START_TEST(understands)
{
	struct duration_fault fault;
	char buffer[32];
	struct line line = LINE(buffer);
	int64_t ms = -99;

	ck_assert_int_eq(
	    duration_parse(good[_i].text, strlen(good[_i].text), &ms, &fault),
	    0);
	ck_assert_int_eq(ms, good[_i].ms);
	duration_write(&line, ms);
	ck_assert_str_eq(buffer, good[_i].written);
}
END_TEST

START_TEST(writes_what_it_reads)
{
	struct duration_fault fault;
	char buffer[32];
	struct line line = LINE(buffer);
	int64_t ms = -99;

	duration_write(&line, good[_i].ms);
	ck_assert_int_eq(duration_parse(buffer, line.len, &ms, &fault), 0);
	ck_assert_int_eq(ms, good[_i].ms);
}
END_TEST

START_TEST(refuses)
{
	struct duration_fault fault;
	int64_t ms = -99;

	ck_assert_int_eq(
	    duration_parse(bad[_i].text, strlen(bad[_i].text), &ms, &fault),
	    bad[_i].error);
	ck_assert_int_eq(ms, -99);
	ck_assert_int_eq(fault.unit != NULL, bad[_i].unit != NULL);
	if (bad[_i].unit != NULL) {
		ck_assert_uint_eq(fault.len, strlen(bad[_i].unit));
		ck_assert_mem_eq(fault.unit, bad[_i].unit, fault.len);
	}
}
END_TEST

Suite *duration_suite(void);

Suite *
duration_suite(void)
{
	Suite *suite = suite_create("duration");
	TCase *tests = tcase_create("duration");

	tcase_add_loop_test(
	    tests, understands, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(
	    tests, writes_what_it_reads, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tests, refuses, 0, sizeof(bad) / sizeof(bad[0]));
	suite_add_tcase(suite, tests);
	return suite;
}
