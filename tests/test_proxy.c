#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xcb\x92\x01\xbb"

static const struct {
	const char *bytes;
	size_t n;
	size_t len; /* of the header */
	const char *source; /* NULL: not known */
	const char *destination;
} good[] = {
#define GOOD(bytes, len, source, destination)                      \
	{                                                          \
		bytes, sizeof(bytes) - 1, len, source, destination \
	}
	GOOD("PROXY TCP4 192.0.2.1 198.51.100.1 52114 443\r\nGET /", 45,
	    "192.0.2.1:52114", "198.51.100.1:443"),
	GOOD("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", 44,
	    "[2001:db8::1]:1", "[2001:db8::2]:65535"),
	GOOD("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", 37, "192.0.2.1:1",
	    "[::1]:2"),
	GOOD("PROXY UNKNOWN\r\nSSH-2.0-x\r\n", 15, NULL, NULL),
	GOOD("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", 35, NULL, NULL),
	GOOD(SIGNATURE V4 "SSH-", 28, "192.0.2.1:52114", "198.51.100.1:443"),
	GOOD(SIGNATURE "\x21\x11\0\x10\xc0\0\2\1\xc6\x33\x64\1\xcb\x92\x01\xbb"
		       "\x04\0\1\0",
	    32, "192.0.2.1:52114", "198.51.100.1:443"),
	GOOD(SIGNATURE "\x20\0\0\0GET", 16, NULL, NULL),
	GOOD(SIGNATURE "\x20\x11\0\3abcGET", 19, NULL, NULL),
	GOOD(SIGNATURE "\x21\0\0\0", 16, NULL, NULL),
#undef GOOD
};

static const struct {
	const char *bytes;
	size_t n;
} bad[] = {
#define BAD(bytes)                       \
	{                                \
		bytes, sizeof(bytes) - 1 \
	}
	BAD("GET / HTTP/1.1\r\n"),
	BAD("PROXZ"),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 52114\r\n"),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 52114 443 1\r\n"),
	BAD("PROXY TCP4  192.0.2.1 198.51.100.1 52114 443\r\n"),
	BAD("PROXY TCP4 ::1 ::2 52114 443\r\n"),
	BAD("PROXY TCP6 192.0.2.1 198.51.100.1 52114 443\r\n"),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 70000 443\r\n"),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 052 443\r\n"),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n"),
	BAD("PROXY TCP4 192.0.2 198.51.100.1 1 443\r\n"),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 1 443\rX"),
	BAD("PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n"),
	BAD("PROXY UNKNOWNS\r\n"),
	BAD("PROXY \r\n"),
	BAD("PROXY\r\n"),
	BAD("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
	BAD("\r\nPROXY"),
	BAD(SIGNATURE "\x11\x11\0\x0c"),
	BAD(SIGNATURE "\x22\x11\0\x0c"),
	BAD(SIGNATURE "\x21\x11\0\x0b"),
	BAD(SIGNATURE "\x21\x21\0\x23"),
#undef BAD
};

static void
assert_addr(const struct addr *addr, const char *wanted)
{
	char text[ADDR_TEXT_MAX];
	struct line line = LINE(text);

	addr_write(&line, addr);
	ck_assert_str_eq(text, wanted);
}

START_TEST(reads_a_header_and_no_more)
{
	struct proxy_header header;
	struct answer a =
	    proxy_parse((const uint8_t *)good[_i].bytes, good[_i].n, &header);

	ck_assert_int_eq(a.verdict, ANSWER_YES);
	ck_assert_uint_eq(header.len, good[_i].len);
	ck_assert_int_eq(header.known, good[_i].source != NULL);
	if (!header.known)
		return;
	assert_addr(&header.source, good[_i].source);
	assert_addr(&header.destination, good[_i].destination);
}
END_TEST

/* In a buffer of exactly that size, for the sanitizer's sake. */
static struct answer
parse_copy(const char *bytes, size_t n, struct proxy_header *header)
{
	uint8_t *copy = malloc(n == 0 ? 1 : n);
	struct answer a;

	memcpy(copy, bytes, n);
	a = proxy_parse(copy, n, header);
	free(copy);
	return a;
}

START_TEST(asks_for_more_until_the_header_is_whole)
{
	struct proxy_header header;

	for (size_t n = 0; n < good[_i].len; n++) {
		struct answer a = parse_copy(good[_i].bytes, n, &header);

		ck_assert_int_eq(a.verdict, ANSWER_MORE);
		ck_assert_uint_gt(a.need, n);
		ck_assert_uint_le(a.need, good[_i].len);
	}
}
END_TEST

START_TEST(refuses_what_is_no_header)
{
	struct proxy_header header;
	bool said_no = false;

	for (size_t n = 0; n <= bad[_i].n; n++) {
		struct answer a = parse_copy(bad[_i].bytes, n, &header);

		ck_assert_int_ne(a.verdict, ANSWER_YES);
		if (said_no)
			ck_assert_int_eq(a.verdict, ANSWER_NO);
		said_no = a.verdict == ANSWER_NO;
	}
	ck_assert(said_no);
}
END_TEST

static const struct {
	int version;
	const char *from, *to, *authority, *alpn;
	const char *bytes;
	size_t n;
} written[] = {
#define W(version, from, to, authority, alpn, bytes)                         \
	{                                                                    \
		version, from, to, authority, alpn, bytes, sizeof(bytes) - 1 \
	}
	W(1, "192.0.2.1:52114", "198.51.100.1:443", "x", "y",
	    "PROXY TCP4 192.0.2.1 198.51.100.1 52114 443\r\n"),
	W(1, "[2001:db8::1]:1", "[::1]:2", NULL, NULL,
	    "PROXY TCP6 2001:db8::1 ::1 1 2\r\n"),
	W(1, "192.0.2.1:1", "[::1]:2", NULL, NULL,
	    "PROXY TCP6 ::ffff:c000:201 ::1 1 2\r\n"),
	W(1, "[::ffff:192.0.2.1]:1", "198.51.100.1:2", NULL, NULL,
	    "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n"),
	W(1, "unix:/x", "198.51.100.1:2", NULL, NULL, "PROXY UNKNOWN\r\n"),
	W(2, "192.0.2.1:52114", "198.51.100.1:443", NULL, NULL, SIGNATURE V4),
	W(2, "192.0.2.1:52114", "198.51.100.1:443", "a.b", "h2",
	    SIGNATURE "\x21\x11\0\x17\xc0\0\2\1\xc6\x33\x64\1\xcb\x92\x01\xbb"
		      "\1\0\2h2\2\0\3"
		      "a.b"),
	W(2, "192.0.2.1:1", "[::1]:2", NULL, "",
	    SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
		      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2"),
	W(2, "unix:/x", "unix:/y", NULL, NULL, SIGNATURE "\x20\0\0\0"),
#undef W
};

START_TEST(writes_what_the_protocol_says)
{
	const struct proxy_extras extras = { written[_i].authority,
		written[_i].alpn };
	uint8_t bytes[PROXY_WRITE_MAX];
	struct addr from, to;
	size_t n;

	ck_assert_int_eq(addr_parse(written[_i].from, strlen(written[_i].from),
			     false, &from),
	    0);
	ck_assert_int_eq(
	    addr_parse(written[_i].to, strlen(written[_i].to), false, &to), 0);
	n = proxy_write(written[_i].version, &from, &to, &extras, bytes);
	ck_assert_uint_eq(n, written[_i].n);
	ck_assert_mem_eq(bytes, written[_i].bytes, n);
}
END_TEST

Suite *proxy_suite(void);

Suite *
proxy_suite(void)
{
	Suite *suite = suite_create("proxy");
	TCase *tcase = tcase_create("proxy");
	int n_good = sizeof(good) / sizeof(good[0]);
	int n_bad = sizeof(bad) / sizeof(bad[0]);
	int n_written = sizeof(written) / sizeof(written[0]);

	tcase_add_loop_test(tcase, reads_a_header_and_no_more, 0, n_good);
	tcase_add_loop_test(
	    tcase, asks_for_more_until_the_header_is_whole, 0, n_good);
	tcase_add_loop_test(tcase, refuses_what_is_no_header, 0, n_bad);
	tcase_add_loop_test(tcase, writes_what_the_protocol_says, 0, n_written);
	suite_add_tcase(suite, tcase);
	return suite;
}
