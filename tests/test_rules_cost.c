#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules.h"

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Processor time of reading this. */
static double
time_of(const char *text)
{
	struct rules_source source = { "r", text, strlen(text) };
	struct mistakes mistakes = { 0 };
	struct rules *rules = NULL;
	double start = cpu_ms();

	ck_assert_int_eq(rules_parse(&source, 1, NULL, &mistakes, &rules), 0);
	start = cpu_ms() - start;
	rules_free(rules);
	mistakes_free(&mistakes);
	return start;
}

/*
 * What tells a thousand services apart: %d, %a and %b stand for a number and
 * its two bytes, %p for one of some protocols.
 */
static const char *const shapes[] = {
	"server-name = h%d.example.net *.h%d.example.net",
	"http-host = h%d.example.net",
	"protocol = %p\nfrom = 10.%a.%b.0/24 2001:db8:%d::/48",
	"protocol = tls\nfrom = 10.0.0.0/8\nlocal = 192.0.%a.%b:443",
	"server-name = *\nlocal = 192.0.%a.%b",
	"socket = s%d\nprotocol = %p",
	"alpn = a%d b%d",
};

static void
write_shape(FILE *out, const char *shape, unsigned number)
{
	static const char *const names[] = { "ssh", "tls", "http", "xmpp",
		"rdp", "mqtt" };

	for (; *shape; shape++)
		if (*shape != '%')
			fputc(*shape, out);
		else if (*++shape == 'p')
			fputs(names[number % 6], out);
		else
			fprintf(out, "%u",
			    *shape == 'a'     ? number >> 8 :
				*shape == 'b' ? number & 0xff :
						number);
}

/* Least processor time of some readings of n services of this shape. */
static double
measure(const char *shape, unsigned n)
{
	double best = 1e9;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (unsigned i = 0; i < n; i++) {
		fprintf(out, "[s%u]\nreject = close\n", i);
		write_shape(out, shape, i);
		fputc('\n', out);
	}
	fclose(out);
	for (unsigned i = 0; i < 7; i++) {
		double ms = time_of(text);

		best = ms < best ? ms : best;
	}
	free(text);
	return best;
}

/* Eight times as many take eight times as long, not 64 times. */
START_TEST(costs_a_service_no_more_among_many)
{
	double few = measure(shapes[_i], 120), many = measure(shapes[_i], 960);

	ck_assert_msg(
	    many < few * 24, "%s: %f ms, then %f ms", shapes[_i], few, many);
}
END_TEST

/* A file made to be slow: many values in each of many services. */
START_TEST(gives_up_in_time)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (unsigned i = 0; i < 200; i++) {
		fprintf(out, "[s%u]\nreject = close\npayload = 00", i);
		for (unsigned j = 0; j < 400; j++)
			fprintf(out, " !00%06x", j);
		fprintf(out, "\npayload = !00%06x\n", 0x10000 + i);
	}
	fclose(out);
	ck_assert_double_lt(time_of(text), 3000);
	free(text);
}
END_TEST

Suite *rules_cost_suite(void);

Suite *
rules_cost_suite(void)
{
	Suite *suite = suite_create("rules_cost");
	TCase *tests = tcase_create("rules_cost");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, costs_a_service_no_more_among_many, 0,
	    (int)(sizeof(shapes) / sizeof(shapes[0])));
	tcase_add_test(tests, gives_up_in_time);
	suite_add_tcase(suite, tests);
	return suite;
}
