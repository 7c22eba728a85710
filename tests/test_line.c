#include <check.h>
#include <string.h>

#include "line.h"

static const struct {
	const char *bytes;
	size_t n;
	const char *escaped, *value;
} strangers[] = {
	{ "", 0, "", "\"\"" },
	{ "plain-text.1", 12, "plain-text.1", "plain-text.1" },
	{ "two words", 9, "two words", "\"two words\"" },
	{ "a=b", 3, "a=b", "\"a=b\"" },
	{ "\"\\", 2, "\\\"\\\\", "\"\\\"\\\\\"" },
	{ "\n\r\t", 3, "\\n\\r\\t", "\"\\n\\r\\t\"" },
	{ "\0\x1b\x7f", 3, "\\x00\\x1b\\x7f", "\"\\x00\\x1b\\x7f\"" },
	{ "\xc3\xa9", 2, "\\xc3\\xa9", "\"\\xc3\\xa9\"" },
	{ "%s%n", 4, "%s%n", "%s%n" },
};

START_TEST(escapes_strangers)
{
	char buffer[64];
	struct line line = LINE(buffer);

	line_escaped(&line, strangers[_i].bytes, strangers[_i].n);
	ck_assert_str_eq(buffer, strangers[_i].escaped);
	ck_assert_uint_eq(line.len, strlen(buffer));
	ck_assert(!line.cut);
}
END_TEST

START_TEST(quotes_values)
{
	char buffer[64];
	struct line line = LINE(buffer);

	line_value(&line, strangers[_i].bytes, strangers[_i].n);
	ck_assert_str_eq(buffer, strangers[_i].value);
	ck_assert(!line.cut);
}
END_TEST

static void
write_escaped(struct line *line)
{
	line_escaped(line, "ab\x01", 3);
}

static void
write_value(struct line *line)
{
	line_value(line, "a b\x01", 4);
}

static void
write_text(struct line *line)
{
	line_text(line, "abcdef");
}

static void
write_uint(struct line *line)
{
	line_uint(line, 123456);
}

/* What is left of each in size bytes. */
static const struct {
	void (*write)(struct line *);
	size_t size;
	const char *text;
	bool cut;
} cuts[] = {
	{ write_text, 1, "", true },
	{ write_text, 4, "abc", true },
	{ write_text, 6, "abcde", true },
	{ write_text, 7, "abcdef", false },
	{ write_uint, 4, "123", true },
	{ write_escaped, 3, "ab", true },
	{ write_escaped, 6, "ab", true }, /* no half escape */
	{ write_escaped, 7, "ab\\x01", false },
	{ write_value, 2, "", true },
	{ write_value, 3, "\"\"", true }, /* no half pair of quotes */
	{ write_value, 6, "\"a b\"", true },
	{ write_value, 9, "\"a b\"", true },
	{ write_value, 10, "\"a b\\x01\"", false },
};

START_TEST(cuts_cleanly)
{
	char buffer[16];
	struct line line = line_over(buffer, cuts[_i].size);

	memset(buffer + 1, '#', sizeof(buffer) - 1);
	cuts[_i].write(&line);
	ck_assert_str_eq(buffer, cuts[_i].text);
	ck_assert_uint_eq(line.len, strlen(buffer));
	ck_assert(line.cut == cuts[_i].cut);
	for (size_t i = cuts[_i].size; i < sizeof(buffer); i++)
		ck_assert_int_eq(buffer[i], '#');
}
END_TEST

static const struct {
	int64_t value;
	const char *text;
} numbers[] = {
	{ 0, "0" },
	{ 9, "9" },
	{ -10, "-10" },
	{ INT64_MAX, "9223372036854775807" },
	{ INT64_MIN, "-9223372036854775808" },
};

START_TEST(writes_numbers)
{
	char buffer[32];
	struct line line = LINE(buffer);

	line_int(&line, numbers[_i].value);
	ck_assert_str_eq(buffer, numbers[_i].text);
}
END_TEST

START_TEST(writes_one_after_the_other)
{
	char buffer[64];
	struct line line = LINE(buffer);

	line_uint(&line, UINT64_MAX);
	line_char(&line, ' ');
	line_hex(&line, 0x0f);
	line_hex(&line, 0xa0);
	line_bytes(&line, "xyz", 2);
	line_bytes(&line, NULL, 0);
	ck_assert_str_eq(buffer, "18446744073709551615 0fa0xy");
	ck_assert(!line.cut);
}
END_TEST

Suite *line_suite(void);

Suite *
line_suite(void)
{
	Suite *suite = suite_create("line");
	TCase *tests = tcase_create("line");
	const int n_strangers = sizeof(strangers) / sizeof(strangers[0]);

	tcase_add_loop_test(tests, escapes_strangers, 0, n_strangers);
	tcase_add_loop_test(tests, quotes_values, 0, n_strangers);
	tcase_add_loop_test(
	    tests, cuts_cleanly, 0, sizeof(cuts) / sizeof(cuts[0]));
	tcase_add_loop_test(
	    tests, writes_numbers, 0, sizeof(numbers) / sizeof(numbers[0]));
	tcase_add_test(tests, writes_one_after_the_other);
	suite_add_tcase(suite, tests);
	return suite;
}
