#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "byte.h"
#include "number.h"

#define MOST INT64_MAX

static const struct {
	const char *text;
	int64_t max;
	int digits; /* or -ERANGE */
	int64_t value; /* -1: not written */
} numbers[] = {
	{ "", MOST, 0, -1 },
	{ "x", MOST, 0, -1 },
	{ "-1", MOST, 0, -1 },
	{ "+1", MOST, 0, -1 },
	{ " 1", MOST, 0, -1 },
	{ "0", 0, 1, 0 },
	{ "1", 0, -ERANGE, -1 },
	{ "7", 7, 1, 7 },
	{ "8", 7, -ERANGE, -1 },
	{ "007", 7, 3, 7 },
	{ "65535", 65535, 5, 65535 },
	{ "65536", 65535, -ERANGE, -1 },
	{ "655350", 65535, -ERANGE, -1 },
	{ "12 34", MOST, 2, 12 },
	{ "12x", MOST, 2, 12 },
	{ "9223372036854775807", MOST, 19, MOST },
	{ "9223372036854775808", MOST, -ERANGE, -1 },
	{ "18446744073709551616", MOST, -ERANGE, -1 },
	{ "99999999999999999999999999999999999999", MOST, -ERANGE, -1 },
};

START_TEST(reads_numbers)
{
	const char *text = numbers[_i].text;
	int64_t value = -1;

	ck_assert_int_eq(
	    number_take(text, strlen(text), numbers[_i].max, &value),
	    numbers[_i].digits);
	ck_assert_int_eq(value, numbers[_i].value);
}
END_TEST

START_TEST(reads_no_further_than_it_may)
{
	int64_t value = -1;

	ck_assert_int_eq(number_take("123", 2, MOST, &value), 2);
	ck_assert_int_eq(value, 12);
	ck_assert_int_eq(number_take("123", 0, MOST, &value), 0);
	ck_assert_int_eq(value, 12);
}
END_TEST

START_TEST(knows_kinds_as_the_c_locale_does)
{
	uint8_t byte = (uint8_t)_i;

	ck_assert_int_eq(byte_is_digit(byte), isdigit(byte) != 0);
	ck_assert_int_eq(byte_is_letter(byte), isalpha(byte) != 0);
	ck_assert_int_eq(byte_is_alnum(byte), isalnum(byte) != 0);
	ck_assert_int_eq(byte_is_hex(byte), isxdigit(byte) != 0);
	ck_assert_int_eq(byte_is_graph(byte), isgraph(byte) != 0);
	ck_assert_int_eq(byte_is_text(byte), iscntrl(byte) == 0);
	ck_assert_int_eq(byte_lower(byte), tolower(byte));
}
END_TEST

Suite *number_suite(void);

Suite *
number_suite(void)
{
	Suite *suite = suite_create("number");
	TCase *tests = tcase_create("number");

	tcase_add_loop_test(tests, reads_numbers, 0,
	    (int)(sizeof(numbers) / sizeof(numbers[0])));
	tcase_add_test(tests, reads_no_further_than_it_may);
	tcase_add_loop_test(
	    tests, knows_kinds_as_the_c_locale_does, 0, UCHAR_MAX + 1);
	suite_add_tcase(suite, tests);
	return suite;
}
