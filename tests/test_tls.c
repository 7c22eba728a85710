#include <check.h>
#include <stdio.h>
#include <string.h>

#include "sslv2.h"
#include "stream.h"
#include "tls.h"
#include "vector.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define RECORD_HEADER 5

/* What usher should make of a name in the index: "-" if it is not usable. */
static const char *
usable(const char *sni)
{
	return sni[strspn(sni,
		   "abcdefghijklmnopqrstuvwxyz"
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] != 0 ?
	    "-" :
	    sni;
}

/* The offered names, with commas between them, "-" for none. */
static const char *
list_alpn(const uint8_t *bytes, size_t n, const struct tls_hello *hello)
{
	static char text[1024];
	struct tls_alpn list = hello->alpn;
	struct tls_alpn_name name;
	unsigned count = 0;
	size_t len = 0;

	while (tls_alpn_next(bytes, n, &list, &name)) {
		ck_assert(
		    tls_offers_alpn(bytes, n, hello, name.text, name.len));
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
		    count++ > 0 ? "," : "", name.text);
	}
	ck_assert_uint_eq(count, hello->n_alpn);
	return count > 0 ? text : "-";
}

static enum verdict
expected(const struct vector *vector, const char *protocol)
{
	char incomplete[64];

	snprintf(incomplete, sizeof(incomplete), "incomplete(%s)", protocol);
	if (strcmp(vector->protocol, protocol) == 0)
		return ANSWER_YES;
	if (strcmp(vector->protocol, incomplete) == 0 || vector->n == 0)
		return ANSWER_MORE;
	return ANSWER_NO;
}

static void
check_says(const uint8_t *bytes, size_t n, const struct vector *vector)
{
	struct tls_hello hello;

	ck_assert_msg(tls_parse(bytes, n, &hello).verdict == ANSWER_YES, "%s",
	    vector->name);
	ck_assert_str_eq(
	    hello.has_name ? hello.name : "-", usable(vector->sni));
	ck_assert_uint_eq(hello.name_len, strlen(hello.name));
	ck_assert_str_eq(list_alpn(bytes, n, &hello), vector->alpn);
}

START_TEST(knows_each_first_flight)
{
	const struct vector *vectors;
	size_t i, count;

	vectors = vectors_load(&count);
	for (i = 0; i < count; i++) {
		const struct vector *vector = &vectors[i];
		size_t step = 1 + vector->n / 4096;
		struct answer tls, sslv2;

		tls =
		    stream_check(tls_recognise, vector->bytes, vector->n, step);
		ck_assert_msg(
		    tls.verdict == expected(vector, "tls"), "%s", vector->name);
		if (tls.verdict == ANSWER_YES)
			check_says(vector->bytes, vector->n, vector);
		sslv2 = stream_check(
		    sslv2_recognise, vector->bytes, vector->n, step);
		ck_assert_msg(sslv2.verdict == expected(vector, "sslv2"), "%s",
		    vector->name);
	}
}
END_TEST

/* One record, made two by a second header after its first cut bytes. */
static size_t
split_record(uint8_t *ret, const struct vector *vector, size_t cut)
{
	size_t size = (size_t)(vector->bytes[3] << 8 | vector->bytes[4]);
	size_t head = RECORD_HEADER + cut;
	size_t rest = size - cut;

	memcpy(ret, vector->bytes, head);
	ret[3] = (uint8_t)(cut >> 8);
	ret[4] = (uint8_t)cut;
	memcpy(ret + head, vector->bytes, 3);
	ret[head + 3] = (uint8_t)(rest >> 8);
	ret[head + 4] = (uint8_t)rest;
	memcpy(
	    ret + head + RECORD_HEADER, vector->bytes + head, vector->n - head);
	return vector->n + RECORD_HEADER;
}

START_TEST(reads_through_record_boundaries)
{
	static uint8_t bytes[65536];
	const struct vector *vectors;
	size_t i, count, cut, n;

	vectors = vectors_load(&count);
	for (i = 0; i < count; i++) {
		const struct vector *vector = &vectors[i];

		if (strcmp(vector->protocol, "tls") != 0)
			continue;
		n = (size_t)(vector->bytes[3] << 8 | vector->bytes[4]);
		for (cut = 1; cut < n; cut += 1 + n / 4096) {
			size_t size = split_record(bytes, vector, cut);

			check_says(bytes, size, vector);
			if (cut % 256 == 1)
				stream_check(
				    tls_recognise, bytes, size, 1 + n / 512);
		}
	}
}
END_TEST

/* The least hello that has everything: 84 bytes. */
static const uint8_t small[] = {
	0x16, 0x03, 0x01, 0x00, 0x4f, /* record: handshake, 79 bytes */
	0x01, 0x00, 0x00, 0x4b, /* ClientHello, 75 bytes */
	0x03, 0x03, /* TLS 1.2 */
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
	21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, /* random */
	0x00, /* 43: no session id */
	0x00, 0x02, 0x13, 0x01, /* 44: one cipher */
	0x01, 0x00, /* 48: no compression */
	0x00, 0x20, /* 50: extensions, 32 bytes */
	0x00, 0x00, 0x00, 0x0a, /* 52: server_name, 10 bytes */
	0x00, 0x08, 0x00, 0x00, 0x05, /* 56: list, host name, 5 bytes */
	'a', '.', 'b', 'c', '.', /* 61 */
	0x00, 0x10, 0x00, 0x05, /* 66: ALPN, 5 bytes */
	0x00, 0x03, 0x02, 'h', '2', /* 70 */
	0x00, 0x2b, 0x00, 0x05, /* 75: supported_versions, 5 bytes */
	0x04, 0x1a, 0x1a, 0x03, 0x04, /* 79: GREASE, TLS 1.3 */
};

START_TEST(reads_what_a_hello_says)
{
	struct tls_hello hello;

	ck_assert_int_eq(
	    stream_check(tls_recognise, small, sizeof(small), 1).verdict,
	    ANSWER_YES);
	ck_assert_int_eq(
	    tls_parse(small, sizeof(small), &hello).verdict, ANSWER_YES);
	ck_assert_uint_eq(hello.version, 0x0304);
	ck_assert(hello.has_name);
	ck_assert_str_eq(hello.name, "a.bc.");
	ck_assert_uint_eq(hello.n_alpn, 1);
	ck_assert(tls_offers_alpn(small, sizeof(small), &hello, "h2", 2));
	ck_assert(!tls_offers_alpn(small, sizeof(small), &hello, "h2c", 3));
	ck_assert(!tls_offers_alpn(small, sizeof(small), &hello, "h", 1));
}
END_TEST

/* With one byte changed: refused when at bytes are there, and not before. */
static const struct {
	const char *what;
	size_t offset;
	uint8_t value;
	size_t at;
} refused[] = {
	{ "an alert record", 0, 0x15, 1 },
	{ "a version that is none", 1, 0x04, 2 },
	{ "a record that is too long", 3, 0x41, 4 },
	{ "a record of 16385 bytes and more", 3, 0x40, 5 },
	{ "an empty record", 4, 0x00, 5 },
	{ "another message", 5, 0x02, 6 },
	{ "a hello of 16 MB", 6, 0x01, 7 },
	{ "a hello without room for its fields", 8, 0x28, 9 },
	{ "a hello that ends before its extensions", 8, 0x4a, 51 + 1 },
	{ "a client version that is none", 9, 0x02, 10 },
	{ "a session id of 33 bytes", 43, 33, 44 },
	{ "too many ciphers", 44, 0x01, 45 },
	{ "no cipher", 45, 0x00, 46 },
	{ "an odd cipher list", 45, 0x03, 46 },
	{ "no compression", 48, 0x00, 49 },
	{ "compression without room for extensions", 48, 34, 49 },
	{ "an extensions' length that is too great", 50, 0x01, 51 },
	{ "stray bytes after the extensions", 51, 0x1f, 52 },
	{ "an extension beyond the block", 54, 0x01, 55 },
	{ "an extension that leaves no room for the next", 55, 0x19, 56 },
	{ "an empty server_name", 55, 0x00, 56 },
	{ "a name list that is too short", 57, 0x07, 58 },
	{ "a name beyond its list", 60, 0x06, 61 },
	{ "an empty host name", 60, 0x00, 61 },
	{ "a stray byte after the names", 60, 0x04, 61 },
	{ "an ALPN list that is too short", 71, 0x02, 72 },
	{ "an ALPN name beyond its list", 72, 0x03, 73 },
	{ "an ALPN name that leaves the next beyond", 72, 0x01, 75 },
	{ "server_name twice", 67, 0x00, 70 },
	{ "ALPN twice", 76, 0x10, 79 },
	{ "versions of another length", 79, 0x02, 80 },
};

START_TEST(refuses_at_the_byte_that_shows_it)
{
	uint8_t bytes[sizeof(small)];
	size_t at = refused[_i].at;

	memcpy(bytes, small, sizeof(bytes));
	bytes[refused[_i].offset] = refused[_i].value;
	stream_check(tls_recognise, bytes, sizeof(bytes), 1);
	ck_assert_msg(tls_recognise(bytes, at).verdict == ANSWER_NO,
	    "%s: too late", refused[_i].what);
	ck_assert_msg(tls_recognise(bytes, at - 1).verdict == ANSWER_MORE,
	    "%s: too early", refused[_i].what);
}
END_TEST

/* With one byte changed it is TLS still, and says something else. */
static const struct {
	size_t offset;
	uint8_t value;
	const char *name; /* NULL: none */
	uint16_t version;
} varied[] = {
	{ 2, 0xff, "a.bc.", 0x0304 }, /* the record's minor version */
	{ 10, 0x00, "a.bc.", 0x0304 }, { 10, 0xff, "a.bc.", 0x0304 },
	{ 53, 0x99, NULL, 0x0304 }, /* no server_name */
	{ 58, 0x01, NULL, 0x0304 }, /* a name of another type */
	{ 61, 'A', "A.bc.", 0x0304 }, { 61, '.', "..bc.", 0x0304 },
	{ 61, '_', "_.bc.", 0x0304 }, { 61, 0x00, NULL, 0x0304 },
	{ 63, ' ', NULL, 0x0304 }, { 65, '\n', NULL, 0x0304 },
	{ 65, 0x7f, NULL, 0x0304 }, { 65, 0xc3, NULL, 0x0304 },
	{ 65, '/', NULL, 0x0304 }, { 65, ':', NULL, 0x0304 },
	{ 65, '@', NULL, 0x0304 }, { 65, '[', NULL, 0x0304 },
	{ 65, '`', NULL, 0x0304 }, { 65, '{', NULL, 0x0304 },
	{ 83, 0x01, "a.bc.", 0x0301 }, /* supported_versions decides */
	{ 83, 0x05, "a.bc.", 0x0303 }, /* none known: the old field */
	{ 82, 0x7f, "a.bc.", 0x0303 },
	{ 76, 0x2c, "a.bc.", 0x0303 }, /* no supported_versions */
};

START_TEST(tells_names_and_versions)
{
	uint8_t bytes[sizeof(small)];
	struct tls_hello hello;

	memcpy(bytes, small, sizeof(bytes));
	bytes[varied[_i].offset] = varied[_i].value;
	ck_assert_int_eq(
	    tls_parse(bytes, sizeof(bytes), &hello).verdict, ANSWER_YES);
	ck_assert_uint_eq(hello.version, varied[_i].version);
	ck_assert(hello.has_name == (varied[_i].name != NULL));
	ck_assert_str_eq(
	    hello.name, varied[_i].name != NULL ? varied[_i].name : "");
}
END_TEST

START_TEST(leaves_the_output_alone_without_a_yes)
{
	struct tls_hello hello = { .version = 42 };

	tls_parse(small, sizeof(small) - 1, &hello);
	tls_parse(small + 1, sizeof(small) - 1, &hello);
	ck_assert_uint_eq(hello.version, 42);
}
END_TEST

/* How many bytes can change the answer, said as well as it is known. */
static const struct {
	size_t n, need;
} needs[] = {
	{ 0, 1 },
	{ 1, 2 },
	{ 2, 4 }, /* the record's minor version is anything */
	{ 4, 5 },
	{ 5, 6 },
	{ 11, 44 }, /* so is the random */
	{ 20, 44 },
	{ 46, 49 },
	{ 62, 67 },
	{ 80, 84 },
};

START_TEST(asks_for_what_can_change_the_answer)
{
	struct answer answer = tls_recognise(small, needs[_i].n);

	ck_assert_int_eq(answer.verdict, ANSWER_MORE);
	ck_assert_uint_eq(answer.need, needs[_i].need);
}
END_TEST

/* A hello as long as may be, in records of one size each. */
static size_t
build_long(uint8_t *ret, size_t hello, size_t record)
{
	static uint8_t message[65536];
	size_t n = 0, at = 0;

	memcpy(message, small + RECORD_HEADER, 50 - RECORD_HEADER);
	message[2] = (uint8_t)((hello - 4) >> 8);
	message[3] = (uint8_t)(hello - 4);
	message[45] = (uint8_t)((hello - 47) >> 8);
	message[46] = (uint8_t)(hello - 47);
	message[47] = 0xfe; /* an extension nobody knows */
	message[49] = (uint8_t)((hello - 51) >> 8);
	message[50] = (uint8_t)(hello - 51);
	while (at < hello) {
		size_t part = hello - at < record ? hello - at : record;

		memcpy(ret + n, small, 3);
		ret[n + 3] = (uint8_t)(part >> 8);
		ret[n + 4] = (uint8_t)part;
		memcpy(ret + n + RECORD_HEADER, message + at, part);
		n += RECORD_HEADER + part;
		at += part;
	}
	return n;
}

static const struct {
	size_t hello, record;
	enum verdict verdict;
} longs[] = {
	{ 300, 1, ANSWER_YES },
	{ 10922, 1, ANSWER_YES }, /* 65532 bytes */
	{ 10923, 1, ANSWER_NO }, /* 65538 */
	{ 65516, 16384, ANSWER_YES }, /* 65536 */
	{ 65517, 16384, ANSWER_NO },
	{ 40000, 100, ANSWER_YES },
};

START_TEST(reads_up_to_64k)
{
	static uint8_t bytes[131072];
	size_t n = build_long(bytes, longs[_i].hello, longs[_i].record);
	struct answer answer = stream_check(tls_recognise, bytes, n, n / 100);

	ck_assert_int_eq(answer.verdict, longs[_i].verdict);
}
END_TEST

Suite *tls_suite(void);

Suite *
tls_suite(void)
{
	Suite *suite = suite_create("tls");
	TCase *tests = tcase_create("tls");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, knows_each_first_flight);
	tcase_add_test(tests, reads_through_record_boundaries);
	tcase_add_test(tests, reads_what_a_hello_says);
	tcase_add_loop_test(
	    tests, refuses_at_the_byte_that_shows_it, 0, ROWS(refused));
	tcase_add_loop_test(tests, tells_names_and_versions, 0, ROWS(varied));
	tcase_add_test(tests, leaves_the_output_alone_without_a_yes);
	tcase_add_loop_test(
	    tests, asks_for_what_can_change_the_answer, 0, ROWS(needs));
	tcase_add_loop_test(tests, reads_up_to_64k, 0, ROWS(longs));
	suite_add_tcase(suite, tests);
	return suite;
}
