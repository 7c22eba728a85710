/*
 * test_protocols.c - every protocol against every first flight.
 *
 * What is expected stands in tests/vectors/INDEX.tsv; the whole of who says
 * what to whom in tests/vectors/MATRIX.tsv, which tests/matrix writes anew.
 */
#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "collision.h"
#include "matrix.h"
#include "protocol.h"
#include "stream.h"
#include "vector.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct vector *vectors;
static size_t vectors_count;

START_TEST(names_are_plain)
{
	const struct protocol *protocol = &protocols[_i];
	const char *c;

	ck_assert_ptr_eq(protocol_find(protocol->name), protocol);
	for (c = protocol->name; *c != '\0'; c++)
		ck_assert(
		    islower((unsigned char)*c) || isdigit((unsigned char)*c));
	ck_assert_uint_gt(strlen(protocol->summary), 2);
	ck_assert_uint_le(strlen(protocol->summary), 60);
	ck_assert_ptr_null(strchr(protocol->summary, '\n'));
	ck_assert_uint_gt(strlen(protocol->source), 2);
	ck_assert_str_ne(protocol->name, "any");
	ck_assert_str_ne(protocol->name, "silent");
}
END_TEST

static const char *const promised[] = { "ssh", "tls", "sslv2", "http", "http2",
	"openvpn", "xmpp", "socks4", "socks5", "rdp", "postgres", "mysql",
	"mqtt", "dns", "adb", "tinc", "syslog", "teamspeak", "winbox",
	"minecraft", "smb", "ldap", "rtmp", "rtsp", "sip", "redis", "amqp",
	"bittorrent", "rsync", "git", "stomp", "nats", "kafka", "mongodb",
	"mssql", "cassandra", "zabbix", "memcached", "irc", "smtp", "imap",
	"pop3" };

START_TEST(promised_names_are_there)
{
	ck_assert_msg(protocol_find(promised[_i]) != NULL, "%s", promised[_i]);
}
END_TEST

START_TEST(other_names_are_not)
{
	ck_assert_ptr_null(protocol_find(""));
	ck_assert_ptr_null(protocol_find("SSH"));
	ck_assert_ptr_null(protocol_find("ss"));
	ck_assert_ptr_null(protocol_find("any"));
}
END_TEST

START_TEST(silence_decides_nothing)
{
	const struct protocol *protocol = &protocols[_i];
	struct answer answer = protocol->recognise(NULL, 0);

	if (protocol->server_first) {
		ck_assert_int_eq(answer.verdict, ANSWER_NO);
		return;
	}
	ck_assert_int_eq(answer.verdict, ANSWER_MORE);
	ck_assert_uint_ge(answer.need, 1);
}
END_TEST

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* The protocol in "incomplete(name)", else NULL. */
static const struct protocol *
incomplete(const struct vector *vector)
{
	char name[32] = "";

	if (begins(vector->protocol, "incomplete("))
		strncat(name, vector->protocol + strlen("incomplete("),
		    sizeof(name) - 1);
	name[strcspn(name, ")")] = '\0';
	return protocol_find(name);
}

/* In the order of the table the first that says yes is the expected one. */
START_TEST(first_flights_are_recognised)
{
	const struct protocol *found;
	size_t i;

	for (i = 0; i < vectors_count; i++) {
		found = protocol_of(vectors[i].bytes, vectors[i].n);
		ck_assert_msg(found == protocol_find(vectors[i].protocol),
		    "%s: %s, not %s", vectors[i].name, vectors[i].protocol,
		    found != NULL ? found->name : "unknown");
	}
}
END_TEST

/* So that none has a row without anything that proves it. */
START_TEST(each_has_a_first_flight)
{
	const struct protocol *protocol = &protocols[_i];
	size_t i, count = 0;

	for (i = 0; i < vectors_count; i++)
		if (strcmp(vectors[i].protocol, protocol->name) == 0 &&
		    protocol->recognise(vectors[i].bytes, vectors[i].n)
			    .verdict == ANSWER_YES)
			count++;
	ck_assert_msg((count == 0) == protocol->server_first,
	    "%s: %zu first flights in tests/vectors", protocol->name, count);
}
END_TEST

START_TEST(beginnings_are_waited_for)
{
	const struct protocol *protocol;
	struct answer answer;
	size_t i, count = 0;

	for (i = 0; i < vectors_count; i++) {
		protocol = incomplete(&vectors[i]);
		if (protocol == NULL)
			continue;
		answer = protocol->recognise(vectors[i].bytes, vectors[i].n);
		ck_assert_msg(
		    answer.verdict == ANSWER_MORE, "%s", vectors[i].name);
		count++;
	}
	ck_assert_uint_gt(count, 10);
}
END_TEST

/* Of long flights not every prefix: that takes the square of their length. */
START_TEST(answers_are_final)
{
	const struct vector *vector;
	size_t i;

	for (vector = vectors; vector < vectors + vectors_count; vector++)
		for (i = 0; i < protocols_count; i++)
			stream_check(protocols[i].recognise, vector->bytes,
			    vector->n, 1 + vector->n / 512);
}
END_TEST

/* xorshift: the same bytes in every run */
static uint8_t
noise(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return (uint8_t)(*state >> 8);
}

#define NEED_MAX 2048

/*
 * When a protocol wants more bytes than one, nothing that comes in between
 * may make a difference.
 */
static void
fill_up(const struct protocol *protocol, const struct vector *vector, size_t n)
{
	struct answer answer = protocol->recognise(vector->bytes, n);
	uint8_t bytes[NEED_MAX];
	uint32_t state = (uint32_t)n + 1;
	size_t i;

	if (answer.verdict != ANSWER_MORE || answer.need <= n + 1 ||
	    answer.need > NEED_MAX)
		return;
	memcpy(bytes, vector->bytes, n);
	for (i = n; i < answer.need - 1; i++)
		bytes[i] = noise(&state);
	answer = protocol->recognise(bytes, i);
	ck_assert_msg(answer.verdict == ANSWER_MORE, "%s: %s at %zu",
	    vector->name, protocol->name, n);
}

START_TEST(needs_are_least)
{
	const struct vector *vector;
	size_t i, n;

	for (vector = vectors; vector < vectors + vectors_count; vector++)
		for (i = 0; i < protocols_count; i++)
			for (n = 0; n <= vector->n && n <= 64; n++)
				fill_up(&protocols[i], vector, n);
}
END_TEST

START_TEST(matrix_is_as_it_was)
{
	char before[MATRIX_ROW_MAX], now[MATRIX_ROW_MAX];
	size_t i, changes = 0;

	for (i = 0; i < vectors_count; i++) {
		matrix_row(&vectors[i], now, sizeof(now));
		matrix_read(vectors[i].name, before, sizeof(before));
		if (strcmp(before, now) == 0)
			continue;
		fprintf(stderr, "- %s\n+ %s\n", before, now);
		changes++;
	}
	ck_assert_msg(changes == 0, "if that is right: make matrix");
}
END_TEST

/* Flights that no client sends like that: it would go on. */
static bool
is_cut_short(const char *name)
{
	return begins(name, "der_ssh_SSH-");
}

/*
 * A whole flight of one protocol that leaves another undecided, or pleases
 * it too: then the collisions must say which of the two stands first.
 */
static void
check_pair(const struct vector *vector, const struct protocol *is,
    const struct protocol *other)
{
	const struct collision *collision = collision_between(is, other);

	if (other->recognise(vector->bytes, vector->n).verdict == ANSWER_NO)
		return;
	ck_assert_msg(
	    collision != NULL && strcmp(collision->first, is->name) == 0,
	    "%s: %s should stand above %s", vector->name, is->name,
	    other->name);
}

START_TEST(collisions_are_known)
{
	const struct vector *vector;
	const struct protocol *is;
	size_t i;

	for (vector = vectors; vector < vectors + vectors_count; vector++) {
		is = protocol_find(vector->protocol);
		if (is == NULL || is_cut_short(vector->name))
			continue;
		for (i = 0; i < protocols_count; i++)
			if (&protocols[i] != is)
				check_pair(vector, is, &protocols[i]);
	}
}
END_TEST

START_TEST(collisions_have_names)
{
	const struct collision *row = &collisions[_i];
	const struct protocol *first = protocol_find(row->first);
	const struct protocol *second = protocol_find(row->second);

	ck_assert_msg(first != NULL && second != NULL && first != second,
	    "%s, %s", row->first, row->second);
	ck_assert_ptr_eq(collision_between(first, second), row);
	ck_assert_ptr_eq(collision_between(second, first), row);
}
END_TEST

START_TEST(others_do_not_collide)
{
	ck_assert_ptr_null(
	    collision_between(protocol_find("ssh"), protocol_find("mqtt")));
}
END_TEST

Suite *protocols_suite(void);

Suite *
protocols_suite(void)
{
	Suite *suite = suite_create("protocols");
	TCase *tests = tcase_create("protocols");
	int rows = (int)protocols_count;

	vectors = vectors_load(&vectors_count);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, names_are_plain, 0, rows);
	tcase_add_loop_test(
	    tests, promised_names_are_there, 0, (int)ROWS(promised));
	tcase_add_test(tests, other_names_are_not);
	tcase_add_loop_test(tests, silence_decides_nothing, 0, rows);
	tcase_add_test(tests, first_flights_are_recognised);
	tcase_add_loop_test(tests, each_has_a_first_flight, 0, rows);
	tcase_add_test(tests, beginnings_are_waited_for);
	tcase_add_test(tests, answers_are_final);
	tcase_add_test(tests, needs_are_least);
	tcase_add_test(tests, matrix_is_as_it_was);
	tcase_add_loop_test(
	    tests, collisions_have_names, 0, (int)collisions_count);
	tcase_add_test(tests, collisions_are_known);
	tcase_add_test(tests, others_do_not_collide);
	suite_add_tcase(suite, tests);
	return suite;
}
