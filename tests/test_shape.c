#include <check.h>
#include <string.h>

#include "shape.h"
#include "stream.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const char *verdicts[] = {
	[ANSWER_NO] = "no",
	[ANSWER_YES] = "yes",
	[ANSWER_MORE] = "more",
};

/* A number in lo..hi after these bytes. */
static const struct {
	unsigned size;
	uint32_t lo, hi;
	const char *bytes;
	size_t n;
	enum verdict verdict;
	size_t need;
} numbers[] = {
	{ 1, 5, 5, "", 0, ANSWER_MORE, 1 },
	{ 1, 5, 5, "\5", 1, ANSWER_YES, 0 },
	{ 1, 5, 5, "\6", 1, ANSWER_NO, 0 },
	{ 2, 14, 1078, "\0", 1, ANSWER_MORE, 2 },
	{ 2, 14, 1078, "\4", 1, ANSWER_MORE, 2 },
	{ 2, 14, 1078, "\5", 1, ANSWER_NO, 0 },
	{ 2, 14, 1078, "\0\15", 2, ANSWER_NO, 0 },
	{ 2, 14, 1078, "\0\16", 2, ANSWER_YES, 0 },
	{ 2, 14, 1078, "\4\x36", 2, ANSWER_YES, 0 },
	{ 2, 14, 1078, "\4\x37", 2, ANSWER_NO, 0 },
	/* once the rest does not matter all of it is needed */
	{ 4, 0, UINT32_MAX, "", 0, ANSWER_MORE, 4 },
	{ 4, 0, UINT32_MAX, "abc", 3, ANSWER_MORE, 4 },
	{ 4, 0, 0x00ffffff, "\0", 1, ANSWER_MORE, 4 },
	{ 4, 0, 0x00ffffff, "\1", 1, ANSWER_NO, 0 },
	{ 4, 0, 0xffff, "\0\0", 2, ANSWER_MORE, 4 },
	{ 4, 1, INT32_MAX, "\x80", 1, ANSWER_NO, 0 },
	{ 3, 0x010203, 0x010203, "\1\2", 2, ANSWER_MORE, 3 },
	{ 3, 0x010203, 0x010203, "\1\2\3", 3, ANSWER_YES, 0 },
};

START_TEST(numbers_are_judged_byte_by_byte)
{
	const uint8_t *bytes = (const uint8_t *)numbers[_i].bytes;
	struct shape shape = shape_over(bytes, numbers[_i].n);
	uint32_t value;
	struct answer answer;

	value =
	    shape_be(&shape, numbers[_i].size, numbers[_i].lo, numbers[_i].hi);
	answer = shape_answer(&shape);
	ck_assert_str_eq(
	    verdicts[answer.verdict], verdicts[numbers[_i].verdict]);
	ck_assert_uint_eq(answer.need, numbers[_i].need);
	ck_assert_uint_ge(value, numbers[_i].lo);
	ck_assert_uint_le(value, numbers[_i].hi);
}
END_TEST

/* Each asks one thing of text; "more" needs one byte more than there is. */
static const char *const words[] = { "GET ", "GOT ", "HEAD " };

static struct answer
ask_one_of(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_one_of(&shape, words, ROWS(words));
	return shape_answer(&shape);
}

static struct answer
ask_word(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_word(&shape, words, ROWS(words));
	return shape_answer(&shape);
}

static struct answer
ask_run(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_run(&shape, byte_is_digit, 2, 4);
	return shape_answer(&shape);
}

static struct answer
ask_field(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_field(&shape, byte_is_hex, 3);
	return shape_answer(&shape);
}

static struct answer
ask_decimal(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_decimal(&shape, 0, 191);
	return shape_answer(&shape);
}

static struct answer
ask_eol(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_eol(&shape);
	return shape_answer(&shape);
}

static struct answer
ask_varint(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	if (shape_varint(&shape, 2) != 300)
		shape_refuse(&shape);
	return shape_answer(&shape);
}

static const struct {
	stream_question *ask;
	const char *text;
	enum verdict verdict;
} texts[] = {
	{ ask_one_of, "", ANSWER_MORE },
	{ ask_one_of, "G", ANSWER_MORE },
	{ ask_one_of, "GET", ANSWER_MORE },
	{ ask_one_of, "GOT ", ANSWER_YES },
	{ ask_one_of, "GET /", ANSWER_YES },
	{ ask_one_of, "GETX", ANSWER_NO },
	{ ask_one_of, "get ", ANSWER_NO },
	{ ask_one_of, "X", ANSWER_NO },
	{ ask_word, "gEt ", ANSWER_YES },
	{ ask_word, "he", ANSWER_MORE },
	{ ask_word, "hex", ANSWER_NO },
	{ ask_run, "1", ANSWER_MORE },
	{ ask_run, "1x", ANSWER_NO },
	{ ask_run, "1234", ANSWER_MORE },
	{ ask_run, "1234x", ANSWER_YES },
	{ ask_run, "12345", ANSWER_NO },
	{ ask_field, "aF", ANSWER_MORE },
	{ ask_field, "aF0", ANSWER_YES },
	{ ask_field, "aF0a", ANSWER_YES },
	{ ask_field, "g", ANSWER_NO },
	{ ask_decimal, "191", ANSWER_MORE },
	{ ask_decimal, "191>", ANSWER_YES },
	{ ask_decimal, "0>", ANSWER_YES },
	{ ask_decimal, "192", ANSWER_NO },
	{ ask_decimal, "01", ANSWER_NO },
	{ ask_decimal, ">", ANSWER_NO },
	{ ask_eol, "\r", ANSWER_MORE },
	{ ask_eol, "\r\n", ANSWER_YES },
	{ ask_eol, "\n", ANSWER_YES },
	{ ask_eol, "\rx", ANSWER_NO },
	{ ask_varint, "\xac", ANSWER_MORE },
	{ ask_varint, "\xac\x02", ANSWER_YES },
	{ ask_varint, "\xac\x82", ANSWER_NO },
	{ ask_varint, "\x01", ANSWER_NO },
};

START_TEST(text_is_judged_byte_by_byte)
{
	const uint8_t *bytes = (const uint8_t *)texts[_i].text;
	size_t n = strlen(texts[_i].text);
	struct answer answer = stream_check(texts[_i].ask, bytes, n, 1);

	ck_assert_msg(answer.verdict == texts[_i].verdict, "\"%s\": %s, not %s",
	    texts[_i].text, verdicts[answer.verdict],
	    verdicts[texts[_i].verdict]);
	if (answer.verdict == ANSWER_MORE)
		ck_assert_uint_eq(answer.need, n + 1);
}
END_TEST

START_TEST(what_has_stopped_stays_stopped)
{
	struct shape shape = shape_over((const uint8_t *)"ab", 2);

	shape_byte(&shape, 'x');
	shape_byte(&shape, 'a');
	shape_skip(&shape, 100);
	ck_assert_uint_eq(shape_be(&shape, 2, 7, 9), 7);
	ck_assert_int_eq(shape_answer(&shape).verdict, ANSWER_NO);

	shape = shape_over((const uint8_t *)"ab", 2);
	shape_skip(&shape, 3);
	shape_byte(&shape, 'x');
	shape_refuse(&shape);
	ck_assert_uint_eq(shape_peek(&shape), 0);
	ck_assert_int_eq(shape_answer(&shape).verdict, ANSWER_MORE);
	ck_assert_uint_eq(shape_answer(&shape).need, 3);
}
END_TEST

Suite *shape_suite(void);

Suite *
shape_suite(void)
{
	Suite *suite = suite_create("shape");
	TCase *tests = tcase_create("shape");

	tcase_add_loop_test(
	    tests, numbers_are_judged_byte_by_byte, 0, (int)ROWS(numbers));
	tcase_add_loop_test(
	    tests, text_is_judged_byte_by_byte, 0, (int)ROWS(texts));
	tcase_add_test(tests, what_has_stopped_stays_stopped);
	suite_add_tcase(suite, tests);
	return suite;
}
