#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peek.h"
#include "signals.h"

static uint8_t seen[PEEK_MAX];
static int client, server; /* the client's end, and the one peeked at */
static struct peek peek;

static void
connect_pair(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(
	    getsockname(listener, (struct sockaddr *)&at, &len), 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&at, len), 0);
	server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(server, 0);
	close(listener);
}

static void
set_up(void)
{
	connect_pair();
	peek = (struct peek){
		.client = server, .bytes = seen, .size = sizeof(seen)
	};
	signals = (struct signal_flags){ .terminate = 0 };
}

static void
tear_down(void)
{
	close(client);
	close(server);
}

static void
say(const char *text)
{
	ssize_t n = (ssize_t)strlen(text);

	ck_assert_int_eq(send(client, text, (size_t)n, 0), n);
}

static struct deadline
in_ms(int64_t ms)
{
	return deadline_after(clock_us(), ms);
}

/* A process that runs later(), for what has to happen during a wait. */
static pid_t
meanwhile(void (*later)(void))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		later();
		_exit(0);
	}
	return pid;
}

static void
reap(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(sees_and_leaves_the_bytes)
{
	char taken[8];

	say("SSH-");
	ck_assert_int_eq(peek_more(&peek, 1, in_ms(5000), NULL), 1);
	ck_assert_uint_eq(peek.n, 4);
	ck_assert_mem_eq(seen, "SSH-", 4);
	ck_assert(!peek.eof);
	peek_end(&peek);
	ck_assert_int_eq(recv(server, taken, sizeof(taken), 0), 4);
}
END_TEST

/* The poll that peeked bytes would end at once must really sleep. */
START_TEST(sleeps_until_the_deadline_without_spinning)
{
	struct rusage before, after;
	int64_t start;

	say("S");
	ck_assert_int_eq(peek_more(&peek, 1, in_ms(5000), NULL), 1);
	getrusage(RUSAGE_SELF, &before);
	start = clock_us();
	ck_assert_int_eq(peek_more(&peek, 2, in_ms(200), NULL), 0);
	ck_assert_int_ge(clock_us() - start, 200000);
	getrusage(RUSAGE_SELF, &after);
	ck_assert_int_le(after.ru_nvcsw - before.ru_nvcsw, 5);
}
END_TEST

static void
say_the_rest(void)
{
	say("SH-2.0-x\r\n");
}

START_TEST(sees_what_came_before_the_deadline_though_too_little)
{
	say("S");
	ck_assert_int_eq(peek_more(&peek, 1, in_ms(5000), NULL), 1);
	say("SH-2.0");
	ck_assert_int_eq(peek_more(&peek, 100, in_ms(20), NULL), 0);
	ck_assert_uint_eq(peek.n, 7);
	ck_assert_mem_eq(seen, "SSH-2.0", 7);
}
END_TEST

START_TEST(wakes_for_one_more_byte)
{
	pid_t pid;

	say("S");
	ck_assert_int_eq(peek_more(&peek, 1, in_ms(5000), NULL), 1);
	pid = meanwhile(say_the_rest);
	ck_assert_int_eq(peek_more(&peek, 2, in_ms(5000), NULL), 1);
	ck_assert_uint_gt(peek.n, 1);
	reap(pid);
}
END_TEST

static void
say_one_by_one(void)
{
	for (const char *byte = "SH-2.0-x"; *byte != '\0'; byte++)
		say((const char[]){ *byte, '\0' });
}

/* Those that can change nothing are slept through. */
START_TEST(wakes_when_there_is_what_it_needs)
{
	int on = 1;
	pid_t pid;

	ck_assert_int_eq(
	    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	say("S");
	ck_assert_int_eq(peek_more(&peek, 1, in_ms(5000), NULL), 1);
	pid = meanwhile(say_one_by_one);
	ck_assert_int_eq(peek_more(&peek, 9, in_ms(5000), NULL), 1);
	ck_assert_uint_eq(peek.n, 9);
	reap(pid);
}
END_TEST

START_TEST(learns_of_the_end_with_and_without_bytes)
{
	if (_i == 1)
		say("GE");
	shutdown(client, SHUT_WR);
	while (!peek.eof)
		ck_assert_int_eq(
		    peek_more(&peek, peek.n + 1, in_ms(5000), NULL), 1);
	ck_assert_uint_eq(peek.n, _i == 1 ? 2 : 0);
}
END_TEST

START_TEST(tells_a_reset_from_an_end)
{
	const struct linger now = { 1, 0 };

	say("G");
	ck_assert_int_eq(peek_more(&peek, 1, in_ms(5000), NULL), 1);
	setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(client);
	client = -1;
	ck_assert_int_eq(peek_more(&peek, 2, in_ms(5000), NULL), -ECONNRESET);
}
END_TEST

static void
terminate_parent(void)
{
	kill(getppid(), SIGTERM);
}

START_TEST(lets_a_signal_end_the_wait)
{
	pid_t pid;

	signals_take();
	pid = meanwhile(terminate_parent);
	ck_assert_int_eq(
	    peek_more(&peek, 1, in_ms(20000), &signals.terminate), -EINTR);
	ck_assert_int_eq(signals.terminate, TERMINATED);
	reap(pid);
	signals_release();
}
END_TEST

START_TEST(puts_the_low_water_mark_back)
{
	int lowat = 0;
	socklen_t len = sizeof(lowat);

	say("S");
	ck_assert_int_eq(peek_more(&peek, 1, in_ms(5000), NULL), 1);
	ck_assert_int_eq(peek_more(&peek, 100, in_ms(10), NULL), 0);
	ck_assert_int_eq(
	    getsockopt(server, SOL_SOCKET, SO_RCVLOWAT, &lowat, &len), 0);
	ck_assert_int_eq(lowat, 100);
	peek_end(&peek);
	ck_assert_int_eq(
	    getsockopt(server, SOL_SOCKET, SO_RCVLOWAT, &lowat, &len), 0);
	ck_assert_int_eq(lowat, 1);
}
END_TEST

/* Unix sockets know no low-water mark: slow, but no busy loop. */
START_TEST(does_not_spin_on_a_unix_socket)
{
	struct rusage before, after;
	int64_t start, cpu_us;
	int pair[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peek.client = pair[0];
	ck_assert_int_eq(send(pair[1], "S", 1, 0), 1);
	ck_assert_int_eq(peek_more(&peek, 1, in_ms(5000), NULL), 1);
	getrusage(RUSAGE_SELF, &before);
	start = clock_us();
	ck_assert_int_eq(peek_more(&peek, 2, in_ms(200), NULL), 0);
	ck_assert_int_ge(clock_us() - start, 200000);
	getrusage(RUSAGE_SELF, &after);
	cpu_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec +
		     after.ru_stime.tv_sec - before.ru_stime.tv_sec) *
		1000000 +
	    after.ru_utime.tv_usec - before.ru_utime.tv_usec +
	    after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	ck_assert_int_lt(cpu_us, 50000);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* Who is told of arrivals only is not told again of what is still there. */
START_TEST(looks_again_when_some_bytes_were_taken)
{
	struct await await;
	char taken;

	await_init(&await);
	peek.edge = true;
	say("ab");
	ck_assert_int_eq(
	    peek_step(&peek, 1, in_ms(5000), &await), -EINPROGRESS);
	ck_assert_int_eq(await_poll(&await, NULL), 0);
	ck_assert_int_eq(peek_step(&peek, 1, in_ms(5000), &await), 1);
	ck_assert_uint_eq(peek.n, 2);
	ck_assert_int_eq(recv(server, &taken, 1, 0), 1);
	peek.n = 0;
	ck_assert_int_eq(peek_step(&peek, 1, in_ms(5000), &await), 1);
	ck_assert_uint_eq(peek.n, 1);
}
END_TEST

Suite *peek_suite(void);

Suite *
peek_suite(void)
{
	Suite *suite = suite_create("peek");
	TCase *tcase = tcase_create("peek");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, sees_and_leaves_the_bytes);
	tcase_add_test(tcase, sleeps_until_the_deadline_without_spinning);
	tcase_add_test(
	    tcase, sees_what_came_before_the_deadline_though_too_little);
	tcase_add_test(tcase, wakes_for_one_more_byte);
	tcase_add_test(tcase, wakes_when_there_is_what_it_needs);
	tcase_add_loop_test(
	    tcase, learns_of_the_end_with_and_without_bytes, 0, 2);
	tcase_add_test(tcase, tells_a_reset_from_an_end);
	tcase_add_test(tcase, lets_a_signal_end_the_wait);
	tcase_add_test(tcase, puts_the_low_water_mark_back);
	tcase_add_test(tcase, does_not_spin_on_a_unix_socket);
	tcase_add_test(tcase, looks_again_when_some_bytes_were_taken);
	suite_add_tcase(suite, tcase);
	return suite;
}
