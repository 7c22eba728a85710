#include <check.h>
#include <string.h>

#include "http.h"
#include "http2.h"
#include "stream.h"
#include "vector.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_SIZE (sizeof(PREFACE) - 1)

/* Frames: length, type, flags, stream, payload. */
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define WINDOW_UPDATE "\0\0\4\x08\0\0\0\0\0\0\1\0\0"
#define PRIORITY_FRAME "\0\0\5\2\0\0\0\0\3\0\0\0\0\x10"
#define UNKNOWN "\0\0\3\x20\0\0\0\0\1abc"
#define PING "\0\0\x08\6\0\0\0\0\0ABCDEFGH"

/* :path /a?b, :authority a:80; 5 and 6 bytes */
#define PATH "\x04\4/a?b"
#define AUTHORITY "\x01\4a:80"

/* What curl 7.88.1 sends with --http2-prior-knowledge. */
static const uint8_t curl[] = PREFACE
    "\0\0\x12\4\0\0\0\0\0" /* SETTINGS, 18 bytes */
    "\0\3\0\0\0\x64\0\4\2\0\0\0\0\2\0\0\0\0"
    "\0\0\4\x08\0\0\0\0\0" /* WINDOW_UPDATE */
    "\1\xff\0\1"
    "\0\0\x2d\1\5\0\0\0\1" /* HEADERS, END_HEADERS and END_STREAM */
    "\x82" /* :method GET */
    "\4\x8c\x60\xd5\x48\x5f\x2b\xce\x9a\x68\xff\x3b\x40\x1f" /* :path */
    "\x86" /* :scheme http */
    "\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff" /* :authority */
    "\x7a\x88\x25\xb6\x50\xc3\xab\xbc\xf2\xe1\x53\3*/*";

static struct http2_request found;

static struct answer
question(const uint8_t *bytes, size_t n)
{
	return http2_find(bytes, n, &found);
}

START_TEST(reads_what_curl_sends)
{
	size_t n = sizeof(curl) - 1;

	ck_assert_int_eq(
	    stream_check(question, curl, n, 1).verdict, ANSWER_YES);
	ck_assert(found.has_host);
	ck_assert_str_eq(found.host, "www.example.com");
	ck_assert_uint_eq(found.host_len, strlen(found.host));
	ck_assert(found.has_path);
	ck_assert_str_eq(found.path, "/index.html");
	ck_assert_uint_eq(found.path_len, strlen(found.path));
}
END_TEST

START_TEST(knows_each_first_flight)
{
	const struct vector *vectors;
	size_t i, count;

	vectors = vectors_load(&count);
	for (i = 0; i < count; i++) {
		const struct vector *vector = &vectors[i];
		enum verdict expected = ANSWER_NO;

		if (strcmp(vector->protocol, "http2") == 0)
			expected = ANSWER_YES;
		if (strcmp(vector->protocol, "incomplete(http2)") == 0 ||
		    vector->n == 0)
			expected = ANSWER_MORE;
		ck_assert_msg(stream_check(http2_recognise, vector->bytes,
				  vector->n, 1 + vector->n / 4096)
				  .verdict == expected,
		    "%s", vector->name);
	}
}
END_TEST

static const struct {
	const char *vector, *host, *path;
} asked[] = {
	{ "cap_http2_dig", "127.0.0.1", "/dns-query" },
	{ "cap_http2_nghttp", "127.0.0.1", "/" },
	{ "cap_http2_node_continuation", "www.example.com", "/ppp" },
	{ "cap_http2_node_no_table", "www.example.com", "/deep/path" },
	{ "cap_http_curl_h2_prior", "www.example.com", "/" },
	{ "der_http2_padded", "www", "/a" },
};

START_TEST(finds_what_clients_ask_for)
{
	size_t count;
	const struct vector *vector = vectors_load(&count);

	while (strcmp(vector->name, asked[_i].vector) != 0)
		vector++;
	ck_assert_int_eq(stream_check(question, vector->bytes, vector->n,
			     1 + vector->n / 4096)
			     .verdict,
	    ANSWER_YES);
	ck_assert_str_eq(found.host, asked[_i].host);
	ck_assert_int_eq(
	    strncmp(found.path, asked[_i].path, strlen(asked[_i].path)), 0);
}
END_TEST

START_TEST(recognises_the_whole_preface)
{
	size_t i;

	for (i = 0; i < PREFACE_SIZE; i++) {
		struct answer answer = http2_recognise(curl, i);
		uint8_t wrong[PREFACE_SIZE] = PREFACE;

		ck_assert_int_eq(answer.verdict, ANSWER_MORE);
		ck_assert_uint_eq(answer.need, i + 1);
		wrong[i] ^= 0x20;
		ck_assert_int_eq(
		    http2_recognise(wrong, i + 1).verdict, ANSWER_NO);
	}
	ck_assert_int_eq(
	    http2_recognise(curl, PREFACE_SIZE).verdict, ANSWER_YES);
}
END_TEST

#define FLIGHT(text)                                      \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

static const struct {
	struct {
		const uint8_t *bytes;
		size_t n;
	} flight;
	const char *host, *path; /* NULL: none */
} requests[] = {
	{ FLIGHT(PREFACE SETTINGS "\0\0\6\1\4\0\0\0\1" AUTHORITY), "a", NULL },
	{ FLIGHT(PREFACE SETTINGS "\0\0\6\1\4\0\0\0\1" PATH), NULL, "/a" },
	{ FLIGHT(PREFACE SETTINGS "\0\0\x0c\1\4\0\0\0\1" AUTHORITY PATH), "a",
	    "/a" },
	{ FLIGHT(PREFACE SETTINGS WINDOW_UPDATE PRIORITY_FRAME UNKNOWN PING
		  SETTINGS "\0\0\6\1\4\0\0\0\1" AUTHORITY),
	    "a", NULL },
	/* Priority, padding; a block over three frames, one without bytes */
	{ FLIGHT(PREFACE SETTINGS "\0\0\x0b\1\x24\0\0\0\1"
				  "\0\0\0\0\x10" AUTHORITY),
	    "a", NULL },
	{ FLIGHT(PREFACE SETTINGS "\0\0\x09\1\x0c\0\0\0\1"
				  "\2" AUTHORITY "\0\0"),
	    "a", NULL },
	{ FLIGHT(PREFACE SETTINGS "\0\0\x05\1\x08\0\0\0\1"
				  "\1\x01\4a"
				  "\0"
				  "\0\0\0\x09\0\0\0\0\1"
				  "\0\0\3\x09\4\0\0\0\1"
				  ":80"),
	    "a", NULL },
	/* Names that are none, paths that are none */
	{ FLIGHT(PREFACE SETTINGS "\0\0\6\1\4\0\0\0\1"
				  "\x01\4a/b\n"),
	    NULL, NULL },
	{ FLIGHT(PREFACE SETTINGS "\0\0\6\1\4\0\0\0\1"
				  "\x04\4/a\nb"),
	    NULL, NULL },
	{ FLIGHT(PREFACE SETTINGS "\0\0\2\1\4\0\0\0\1"
				  "\x04\0"),
	    NULL, NULL },
	{ FLIGHT(PREFACE SETTINGS "\0\0\1\1\4\0\0\0\1"
				  "\x82"),
	    NULL, NULL },
};

START_TEST(finds_host_and_path)
{
	struct answer answer = stream_check(
	    question, requests[_i].flight.bytes, requests[_i].flight.n, 1);

	ck_assert_int_eq(answer.verdict, ANSWER_YES);
	ck_assert(found.has_host == (requests[_i].host != NULL));
	ck_assert(found.has_path == (requests[_i].path != NULL));
	if (requests[_i].host != NULL)
		ck_assert_str_eq(found.host, requests[_i].host);
	if (requests[_i].path != NULL)
		ck_assert_str_eq(found.path, requests[_i].path);
}
END_TEST

/* Refused, though more could come. */
static const struct {
	const uint8_t *bytes;
	size_t n;
} refused[] = {
	FLIGHT("GET / HTTP/1.1\r\n\r\n"),
	FLIGHT(PREFACE "\0\0\6\1\4\0\0\0\1" AUTHORITY), /* no SETTINGS */
	FLIGHT(PREFACE WINDOW_UPDATE),
	FLIGHT(PREFACE "\0\x40\1\4\0\0\0\0\0"), /* 16385 bytes */
	FLIGHT(PREFACE "\0\0\5\4\0\0\0\0\0"), /* not a multiple of 6 */
	FLIGHT(PREFACE "\0\0\0\4\0\0\0\0\1"), /* on a stream */
	FLIGHT(PREFACE "\0\0\6\4\1\0\0\0\0"), /* an answer with settings */
	FLIGHT(PREFACE SETTINGS "\0\0\0\0\0\0\0\0\1"), /* DATA */
	FLIGHT(PREFACE SETTINGS "\0\0\4\3\0\0\0\0\1"), /* RST_STREAM */
	FLIGHT(PREFACE SETTINGS "\0\0\4\5\0\0\0\0\1"), /* PUSH_PROMISE */
	FLIGHT(PREFACE SETTINGS "\0\0\x08\7\0\0\0\0\0"), /* GOAWAY */
	FLIGHT(PREFACE SETTINGS "\0\0\0\x09\0\0\0\0\1"), /* CONTINUATION */
	FLIGHT(PREFACE SETTINGS "\0\0\5\x08\0\0\0\0\0"), /* WINDOW_UPDATE */
	FLIGHT(PREFACE SETTINGS "\0\0\5\2\0\0\0\0\0"), /* PRIORITY */
	FLIGHT(PREFACE SETTINGS "\0\0\x08\6\0\0\0\0\1"), /* PING */
	FLIGHT(PREFACE SETTINGS "\0\0\6\1\4\0\0\0\2" AUTHORITY), /* stream 2 */
	FLIGHT(PREFACE SETTINGS "\0\0\6\1\4\0\0\0\0" AUTHORITY), /* stream 0 */
	FLIGHT(PREFACE SETTINGS "\0\0\1\1\x0c\0\0\0\1\1"), /* padding */
	FLIGHT(
	    PREFACE SETTINGS "\0\0\4\1\x24\0\0\0\1\0\0\0\0\0"), /* priority */
	FLIGHT(PREFACE SETTINGS "\0\0\1\1\4\0\0\0\1\x80"), /* index 0 */
	FLIGHT(PREFACE SETTINGS "\0\0\1\1\4\0\0\0\1\x01"), /* half a field */
	FLIGHT(PREFACE SETTINGS "\0\0\2\1\4\0\0\0\1\x84\x84"), /* two paths */
	FLIGHT(PREFACE SETTINGS "\0\0\1\1\0\0\0\0\1\x82"
				"\0\0\1\x09\4\0\0\0\3\x82"), /* two streams */
	FLIGHT(PREFACE SETTINGS "\0\0\1\1\0\0\0\0\1\x82" SETTINGS),
};

START_TEST(refuses_what_is_out_of_order)
{
	ck_assert_int_eq(
	    stream_check(question, refused[_i].bytes, refused[_i].n, 1).verdict,
	    ANSWER_NO);
}
END_TEST

START_TEST(waits_for_whole_frames)
{
	struct http2_request request = { .host_len = 42 };
	struct answer answer = http2_find(curl, PREFACE_SIZE + 9, &request);

	ck_assert_int_eq(answer.verdict, ANSWER_MORE);
	ck_assert_uint_eq(answer.need, PREFACE_SIZE + 9 + 18 + 9);
	ck_assert_uint_eq(request.host_len, 42);
}
END_TEST

/* SETTINGS frames of 9 bytes until there is no room for a request. */
START_TEST(gives_up_at_its_limit)
{
	static uint8_t bytes[HTTP_MAX + 9];
	size_t n = PREFACE_SIZE;

	memcpy(bytes, PREFACE, PREFACE_SIZE);
	for (; n + 9 <= sizeof(bytes); n += 9)
		memcpy(bytes + n, SETTINGS, 9);
	ck_assert_int_eq(
	    stream_check(question, bytes, n, 1000).verdict, ANSWER_NO);
	ck_assert_int_eq(
	    http2_find(bytes, HTTP_MAX - 9, &found).verdict, ANSWER_MORE);
}
END_TEST

/* A path longer than is kept is cut; a host that is too long is none. */
START_TEST(keeps_what_it_has_room_for)
{
	static uint8_t bytes[4096] = PREFACE SETTINGS
	    "\0\x0b\xbc\1\4\0\0\0\1" /* 3004 bytes */
	    "\x04\x7f\xb9\x16"; /* 127 + 57 + 22 * 128 = 3000 bytes */
	size_t n = PREFACE_SIZE + 9 + 9 + 4 + 3000;

	memset(bytes + n - 3000, '/', 3000);
	ck_assert_int_eq(
	    stream_check(question, bytes, n, 1).verdict, ANSWER_YES);
	ck_assert_uint_eq(found.path_len, HTTP2_PATH_MAX);
	ck_assert_uint_eq(strlen(found.path), HTTP2_PATH_MAX);
	bytes[PREFACE_SIZE + 9 + 9] = 0x01; /* :authority */
	memset(bytes + n - 3000, 'a', 3000);
	ck_assert_int_eq(
	    stream_check(question, bytes, n, 1).verdict, ANSWER_YES);
	ck_assert(!found.has_host);
}
END_TEST

Suite *http2_suite(void);

Suite *
http2_suite(void)
{
	Suite *suite = suite_create("http2");
	TCase *tests = tcase_create("http2");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, reads_what_curl_sends);
	tcase_add_test(tests, knows_each_first_flight);
	tcase_add_loop_test(tests, finds_what_clients_ask_for, 0, ROWS(asked));
	tcase_add_test(tests, recognises_the_whole_preface);
	tcase_add_loop_test(tests, finds_host_and_path, 0, ROWS(requests));
	tcase_add_loop_test(
	    tests, refuses_what_is_out_of_order, 0, ROWS(refused));
	tcase_add_test(tests, waits_for_whole_frames);
	tcase_add_test(tests, gives_up_at_its_limit);
	tcase_add_test(tests, keeps_what_it_has_room_for);
	suite_add_tcase(suite, tests);
	return suite;
}
