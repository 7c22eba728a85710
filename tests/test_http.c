#include <check.h>
#include <stdio.h>
#include <string.h>

#include "hostname.h"
#include "http.h"
#include "stream.h"
#include "vector.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Questions for stream_check(): a place is final like the answer. */
static struct span final_path, final_host;

static struct answer
path_question(const uint8_t *bytes, size_t n)
{
	return http_find_path(bytes, n, &final_path);
}

static struct answer
host_question(const uint8_t *bytes, size_t n)
{
	return http_find_host(bytes, n, &final_host);
}

static const char *
text_of(struct answer answer, const char *request, struct span span)
{
	static char text[512];

	if (answer.verdict != ANSWER_YES)
		return answer.verdict == ANSWER_NO ? "no" : "more";
	snprintf(text, sizeof(text), "%.*s", (int)span.len, request + span.at);
	return text;
}

static const char *
path_of(const char *request)
{
	const uint8_t *bytes = (const uint8_t *)request;

	return text_of(stream_check(path_question, bytes, strlen(request), 1),
	    request, final_path);
}

static const char *
host_of(const char *request)
{
	const uint8_t *bytes = (const uint8_t *)request;

	return text_of(stream_check(host_question, bytes, strlen(request), 1),
	    request, final_host);
}

START_TEST(knows_each_first_flight)
{
	const struct vector *vectors;
	size_t i, count;

	vectors = vectors_load(&count);
	for (i = 0; i < count; i++) {
		const struct vector *vector = &vectors[i];
		enum verdict expected = ANSWER_NO;

		if (strcmp(vector->protocol, "http") == 0)
			expected = ANSWER_YES;
		if (strcmp(vector->protocol, "incomplete(http)") == 0 ||
		    vector->n == 0)
			expected = ANSWER_MORE;
		/* Words in capitals that may yet be a method. */
		if (strcmp(vector->name, "der_http_h2_pri3") == 0 ||
		    strcmp(vector->protocol, "incomplete(ssh)") == 0 ||
		    strcmp(vector->name, "der_ssh_SSH-") == 0)
			expected = ANSWER_MORE;
		ck_assert_msg(stream_check(http_recognise, vector->bytes,
				  vector->n, 1 + vector->n / 4096)
				  .verdict == expected,
		    "%s", vector->name);
		stream_check(host_question, vector->bytes, vector->n,
		    1 + vector->n / 512);
		stream_check(path_question, vector->bytes, vector->n,
		    1 + vector->n / 512);
	}
}
END_TEST

/* Recognised, or refused, with these bytes and not with one less. */
static const struct {
	const char *bytes;
	enum verdict verdict;
} recognised[] = {
	{ "GET /", ANSWER_YES },
	{ "HEAD /", ANSWER_YES },
	{ "POST /", ANSWER_YES },
	{ "PUT /", ANSWER_YES },
	{ "DELETE /", ANSWER_YES },
	{ "PATCH /", ANSWER_YES },
	{ "TRACE /", ANSWER_YES },
	{ "PROPFIND /", ANSWER_YES },
	{ "REPORT /", ANSWER_YES },
	{ "\r\nGET /", ANSWER_YES },
	{ "\nGET /", ANSWER_YES },
	{ "\r\n\r\n\r\n\r\nGET /", ANSWER_YES },
	{ "\r\n\r\n\r\n\r\n\r", ANSWER_NO },
	{ "\rG", ANSWER_NO },
	{ "OPTIONS * HTTP/1.", ANSWER_YES },
	{ "OPTIONS / HTTP/1.", ANSWER_YES },
	{ "OPTIONS * R", ANSWER_NO },
	{ "OPTIONS *.", ANSWER_NO },
	{ "OPTIONS rtsp://h/x R", ANSWER_NO },
	{ "OPTIONS sip:a@h S", ANSWER_NO },
	{ "CONNECT a.example:443 HTTP/1.", ANSWER_YES },
	{ "CONNECT [::1]:443 HTTP/1.", ANSWER_YES },
	{ "CONNECT\n", ANSWER_NO },
	{ "CONNECT {", ANSWER_NO },
	{ "GET http://a.example/ HTTP/1.", ANSWER_YES },
	{ "GET key\r", ANSWER_NO },
	{ "SSTP_DUPLEX_POST / HTTP/1.", ANSWER_YES },
	{ "M-SEARCH * HTTP/1.", ANSWER_YES },
	{ "FROB /a?b HTTP/1.", ANSWER_YES },
	{ "FROB /a\t", ANSWER_NO },
	{ "FROB / HTTP/2", ANSWER_NO },
	{ "FROB / \r", ANSWER_NO },
	{ "FROB /\n", ANSWER_NO },
	{ "GET  ", ANSWER_NO },
	{ "GET\t", ANSWER_NO },
	{ "GETx", ANSWER_NO },
	{ "g", ANSWER_NO },
	{ " ", ANSWER_NO },
	{ "-", ANSWER_NO },
	{ "HTTP/", ANSWER_NO },
	{ "PRI ", ANSWER_NO },
	{ "SSH-2", ANSWER_NO },
	{ "PROXY TCP4 1", ANSWER_NO },
	{ "EHLO a.example\r", ANSWER_NO },
	{ "ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.", ANSWER_YES },
	{ "ABCDEFGHIJKLMNOPQRSTUVWXY", ANSWER_NO },
};

START_TEST(answers_at_the_byte_that_shows_it)
{
	const uint8_t *bytes = (const uint8_t *)recognised[_i].bytes;
	size_t n = strlen(recognised[_i].bytes);
	size_t i;

	for (i = 0; i <= n; i++) {
		struct answer answer = stream_ask(http_recognise, bytes, i);

		if (answer.verdict != ANSWER_MORE)
			break;
		ck_assert_uint_eq(answer.need, i + 1);
	}
	ck_assert_int_eq(
	    http_recognise(bytes, n).verdict, recognised[_i].verdict);
	ck_assert_uint_eq(i, n);
}
END_TEST

static const struct {
	const char *request, *path;
} paths[] = {
	{ "GET / HTTP/1.1\r\n", "/" },
	{ "GET /a/b HTTP/1.1\r\n", "/a/b" },
	{ "GET /a/b", "more" },
	{ "GET /a/b?", "/a/b" },
	{ "GET /a/b?c=/d HTTP/1.1\r\n", "/a/b" },
	{ "GET /a#b HTTP/1.1\r\n", "/a" },
	{ "GET /a%2Fb/../c HTTP/1.1\r\n", "/a%2Fb/../c" },
	{ "GET /b\xc3\xbc HTTP/1.1\r\n", "/b\xc3\xbc" },
	{ "GET /a\r\n", "/a" },
	{ "GET /a\tb HTTP/1.1\r\n", "no" },
	{ "GET /a\x7f HTTP/1.1\r\n", "no" },
	{ "\r\nGET /a HTTP/1.1\r\n", "/a" },
	{ "FROB /a", "more" },
	{ "FROB /a HTTP/1.1\r\n", "/a" },
	{ "FROB /a?b HTTP/1.1\r\n", "/a" },
	{ "FROB /a RTSP/1.0\r\n", "no" },
	{ "OPTIONS * HTTP/1.1\r\n", "*" },
	{ "CONNECT a.example:443 HTTP/1.1\r\n", "no" },
	{ "GET http://a.example/b?c HTTP/1.1\r\n", "/b" },
	{ "GET http://a.example HTTP/1.1\r\n", "/" },
	{ "GET http://a.example?b HTTP/1.1\r\n", "/" },
	{ "GET http:a HTTP/1.1\r\n", "no" },
	{ "GET a.example HTTP/1.1\r\n", "no" },
	{ "SSH-2.0-x\r\n", "no" },
	{ "", "more" },
};

START_TEST(finds_the_path)
{
	ck_assert_str_eq(path_of(paths[_i].request), paths[_i].path);
}
END_TEST

#define GET "GET / HTTP/1.1\r\n"

static const struct {
	const char *request, *host;
} hosts[] = {
	{ GET "Host: a.example\r\n\r\n", "a.example" },
	{ GET "Host: a.example\r\nX", "a.example" },
	{ GET "Host: a.example\r\n", "more" }, /* it may go on */
	{ GET "Host: a.example", "more" },
	{ GET "Host: A.Example.:8080\r\n\r\n", "A.Example." },
	{ GET "hOsT:a.example\n\n", "a.example" },
	{ GET "Host: \t a.example \t\r\n\r\n", "a.example" },
	{ GET "Host: a.example:\r\n\r\n", "a.example" },
	{ GET "Host: a_b\r\n\r\n", "a_b" },
	{ GET "Host: 192.0.2.1:80\r\n\r\n", "192.0.2.1" },
	{ GET "Host: [2001:db8::1]:8080\r\n\r\n", "[2001:db8::1]" },
	{ GET "Host: [::ffff:192.0.2.1]\r\n\r\n", "[::ffff:192.0.2.1]" },
	{ GET "Host: []\r\n\r\n", "no" },
	{ GET "Host: [::1\r\n\r\n", "no" },
	{ GET "Host: [::1]x\r\n\r\n", "no" },
	{ GET "Host: [x]\r\n\r\n", "no" },
	{ GET "Host: a.example:80a\r\n\r\n", "no" },
	{ GET "Host: a b\r\n\r\n", "no" },
	{ GET "Host: a,b\r\n\r\n", "no" },
	{ GET "Host: a%62\r\n\r\n", "no" },
	{ GET "Host: u@a.example\r\n\r\n", "no" },
	{ GET "Host: b\xc3\xbc\r\n\r\n", "no" },
	{ GET "Host: a\x01\r\n\r\n", "no" },
	{ GET "Host: ..\r\n\r\n", "no" },
	{ GET "Host: :80\r\n\r\n", "no" },
	{ GET "Host:\r\n\r\n", "no" },
	{ GET "Host: a.example\r\n b\r\n\r\n", "no" },
	{ GET "Host:\r\n\ta.example\r\n\r\n", "no" },
	{ GET "Host: a.example\rX: b\r\n\r\n", "no" },
	{ GET "Host : a.example\r\n\r\n", "no" },
	{ GET " Host: a.example\r\n\r\n", "no" },
	{ GET "X-Host: b\r\nHost: a.example\r\n\r\n", "a.example" },
	{ GET "Hosts: b\r\nHos: c\r\nHost: a.example\r\n\r\n", "a.example" },
	{ GET "X: b\r\n Host: c\r\nHost: a.example\r\n\r\n", "a.example" },
	{ GET "Host: a.example\r\nHost: b.example\r\n\r\n", "a.example" },
	{ GET "X: y\r\n", "more" },
	{ GET "X: y\r\n\r", "no" },
	{ GET "X: y\r\n\r\nHost: a.example\r\n\r\n", "no" },
	{ GET "X: y\n\nHost: a.example\r\n\r\n", "no" },
	{ GET "X: y\rHost: b\r\nHost: a.example\r\n\r\n", "no" },
	{ GET "X y\r\nHost: a.example\r\n\r\n", "no" },
	{ GET ": y\r\nHost: a.example\r\n\r\n", "no" },
	{ "GET / HTTP/2.0\r\nHost: a.example\r\n\r\n", "no" },
	{ "GET /\r\nHost: a.example\r\n\r\n", "no" },
	{ "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", "a.example" },
	{ "CONNECT a.example:443 HTTP/1.1\r\n", "a.example" },
	{ "CONNECT a.example/x HTTP/1.1\r\n", "no" },
	{ "GET http://a.example:80/b HTTP/1.1\r\nHost: c\r\n\r\n",
	    "a.example" },
	{ "GET HTTPS://a.example?b HTTP/1.1\r\n", "a.example" },
	{ "GET http://u:p@a.example/ HTTP/1.1\r\n", "no" },
	{ "GET http:/// HTTP/1.1\r\n", "no" },
	{ "GET a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", "no" },
	{ "SSH-2.0-x\r\n", "no" },
	{ "", "more" },
};

START_TEST(finds_the_host)
{
	ck_assert_str_eq(host_of(hosts[_i].request), hosts[_i].host);
}
END_TEST

START_TEST(refuses_nul_bytes)
{
	static const char in_value[] = GET "X: \0\r\nHost: a\r\n\r\n";
	static const char in_host[] = GET "Host: a\0b\r\n\r\n";
	struct span host;

	ck_assert_int_eq(http_find_host((const uint8_t *)in_value,
			     sizeof(in_value) - 1, &host)
			     .verdict,
	    ANSWER_NO);
	ck_assert_int_eq(
	    http_find_host((const uint8_t *)in_host, sizeof(in_host) - 1, &host)
		.verdict,
	    ANSWER_NO);
}
END_TEST

START_TEST(gives_up_at_its_limit)
{
	static uint8_t bytes[HTTP_MAX + 64];
	struct span host;

	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes, GET "X: ", strlen(GET "X: "));
	memcpy(bytes + HTTP_MAX, "\r\nHost: b\r\n\r\n", 13);
	ck_assert_int_eq(
	    http_find_host(bytes, HTTP_MAX - 1, &host).verdict, ANSWER_MORE);
	ck_assert_int_eq(
	    http_find_host(bytes, HTTP_MAX, &host).verdict, ANSWER_NO);
	ck_assert_int_eq(
	    http_find_host(bytes, sizeof(bytes), &host).verdict, ANSWER_NO);
	memcpy(bytes + HTTP_MAX - 13, "\r\nHost: b\r\n\r\n", 13);
	ck_assert_int_eq(
	    http_find_host(bytes, HTTP_MAX, &host).verdict, ANSWER_YES);
}
END_TEST

static const struct {
	size_t len;
	bool usable;
} lengths[] = { { 0, false }, { 1, true }, { 255, true }, { 256, false } };

START_TEST(limits_a_host_name)
{
	uint8_t name[256];

	memset(name, 'a', sizeof(name));
	ck_assert(
	    hostname_is_usable(name, lengths[_i].len) == lengths[_i].usable);
}
END_TEST

Suite *http_suite(void);

Suite *
http_suite(void)
{
	Suite *suite = suite_create("http");
	TCase *tests = tcase_create("http");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, knows_each_first_flight);
	tcase_add_loop_test(
	    tests, answers_at_the_byte_that_shows_it, 0, ROWS(recognised));
	tcase_add_loop_test(tests, finds_the_path, 0, ROWS(paths));
	tcase_add_loop_test(tests, finds_the_host, 0, ROWS(hosts));
	tcase_add_test(tests, refuses_nul_bytes);
	tcase_add_test(tests, gives_up_at_its_limit);
	tcase_add_loop_test(tests, limits_a_host_name, 0, ROWS(lengths));
	suite_add_tcase(suite, tests);
	return suite;
}
