#include <check.h>

#include "sslv2.h"
#include "stream.h"

static const struct {
	uint8_t bytes[11];
	size_t no; /* refused with so many bytes; 0: it is one */
} hellos[] = {
	/* 50 bytes, ClientHello, TLS 1.0, ciphers 9, no id, challenge 32 */
	{ { 0x80, 0x32, 1, 3, 1, 0, 9, 0, 0, 0, 32 }, 0 },
	{ { 0x80, 0x22, 1, 0, 2, 0, 9, 0, 0, 0, 16 }, 0 },
	{ { 0x80, 0x32, 1, 3, 3, 0, 9, 0, 16, 0, 16 }, 0 },
	{ { 0x00, 0x32, 1, 3, 1, 0, 9, 0, 0, 0, 32 }, 1 },
	{ { 0x88, 0x32, 1, 3, 1, 0, 9, 0, 0, 0, 32 }, 1 },
	{ { 0x80, 0x1b, 1, 3, 1, 0, 3, 0, 0, 0, 15 }, 2 },
	{ { 0x80, 0x32, 2, 3, 1, 0, 9, 0, 0, 0, 32 }, 3 },
	{ { 0x80, 0x32, 1, 2, 0, 0, 9, 0, 0, 0, 32 }, 4 },
	{ { 0x80, 0x32, 1, 0, 3, 0, 9, 0, 0, 0, 32 }, 5 },
	{ { 0x80, 0x32, 1, 3, 1, 0, 8, 0, 0, 0, 33 }, 7 },
	{ { 0x80, 0x32, 1, 3, 1, 0, 0, 0, 9, 0, 32 }, 7 },
	{ { 0x80, 0x32, 1, 3, 1, 0, 9, 0, 8, 0, 24 }, 9 },
	{ { 0x80, 0x32, 1, 3, 1, 0, 9, 0, 0, 0, 31 }, 11 },
	{ { 0x80, 0x33, 1, 3, 1, 0, 9, 0, 0, 0, 33 }, 11 },
};

START_TEST(knows_hellos_of_ssl_2)
{
	const uint8_t *bytes = hellos[_i].bytes;
	size_t no = hellos[_i].no;

	stream_check(sslv2_recognise, bytes, 11, 1);
	ck_assert_int_eq(sslv2_recognise(bytes, 11).verdict,
	    no > 0 ? ANSWER_NO : ANSWER_YES);
	if (no == 0)
		no = 11;
	else
		ck_assert_int_eq(sslv2_recognise(bytes, no).verdict, ANSWER_NO);
	ck_assert_int_eq(sslv2_recognise(bytes, no - 1).verdict, ANSWER_MORE);
}
END_TEST

Suite *sslv2_suite(void);

Suite *
sslv2_suite(void)
{
	Suite *suite = suite_create("sslv2");
	TCase *tests = tcase_create("sslv2");

	tcase_add_loop_test(tests, knows_hellos_of_ssl_2, 0,
	    (int)(sizeof(hellos) / sizeof(hellos[0])));
	suite_add_tcase(suite, tests);
	return suite;
}
