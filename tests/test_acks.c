#include "acks.h"

#include <check.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG_MS 3600000

/* Two ends of a TCP connection on loopback. */
static void
connect_pair(int ends[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(
	    getsockname(listener, (struct sockaddr *)&at, &len), 0);
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(ends[0], (struct sockaddr *)&at, len), 0);
	ends[1] = accept(listener, NULL, NULL);
	ck_assert_int_ge(ends[1], 0);
	(void)close(listener);
}

/* Until nothing more fits: the other end's window is closed. */
static void
fill(int socket)
{
	static const char bytes[65536];

	while (send(socket, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
}

START_TEST(nothing_sent_is_nothing_owed)
{
	int ends[2];

	connect_pair(ends);
	ck_assert_int_eq(acks_of(ends[0], 0), ACKS_ALL);
	ck_assert_int_eq(acks_of(ends[0], LONG_MS), ACKS_ALL);
}
END_TEST

START_TEST(who_does_not_read_owes)
{
	int ends[2];

	connect_pair(ends);
	fill(ends[0]);
	/* It answers, however old its last answer is. */
	ck_assert_int_eq(acks_of(ends[0], LONG_MS), ACKS_OWED);
	ck_assert_int_eq(acks_of(ends[0], 0), ACKS_OWED);
	ck_assert_int_eq(acks_of(ends[1], 0), ACKS_ALL);
}
END_TEST

START_TEST(only_tcp_has_acknowledgements)
{
	int ends[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	fill(ends[0]);
	ck_assert_int_eq(acks_of(ends[0], 0), ACKS_ALL);
	ck_assert_int_eq(acks_of(-1, 0), ACKS_ALL);
}
END_TEST

Suite *acks_suite(void);

Suite *
acks_suite(void)
{
	Suite *suite = suite_create("acks");
	TCase *cases = tcase_create("owed");

	tcase_add_test(cases, nothing_sent_is_nothing_owed);
	tcase_add_test(cases, who_does_not_read_owes);
	tcase_add_test(cases, only_tcp_has_acknowledgements);
	suite_add_tcase(suite, cases);
	return suite;
}
