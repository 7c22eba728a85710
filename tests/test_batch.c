#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "batch.h"
#include "fd.h"

static int ends[2]; /* the worker's, the relay's */
static struct connection connection;
static struct batch sent, received;

static void
set_up(void)
{
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, ends),
	    0);
	memset(&sent, 0, sizeof(sent));
	sent.owner = getpid();
}

static void
tear_down(void)
{
	close(ends[0]);
	close(ends[1]);
}

static int
null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* A relay with so many bytes of text in the pipe towards the backend. */
static void
add(uint32_t slot, const char *text)
{
	const struct handover h = { .slot = slot, .log = LOG_ERRORS };
	const struct relay_options options = { 1000, 2000, -1, 3000 };
	struct relay relay;

	relay_init(&relay, null(), null(), &connection, &options, NULL);
	if (text != NULL) {
		ck_assert_int_eq(pipe2(relay.up.pipe, O_CLOEXEC), 0);
		relay.up.piped = (uint32_t)strlen(text);
		ck_assert_int_eq(write(relay.up.pipe[1], text, strlen(text)),
		    (ssize_t)strlen(text));
	}
	batch_add(&sent, &h, 4711 + slot, &relay);
}

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1000; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

START_TEST(arrives_as_it_was_sent)
{
	char text[8] = "";

	add(3, NULL);
	add(7, "abc");
	ck_assert_int_eq(batch_send(ends[0], &sent), 0);
	ck_assert_int_eq(batch_receive(ends[1], &received), 1);
	ck_assert_uint_eq(received.n, 2);
	ck_assert_int_eq(received.owner, getpid());
	ck_assert_uint_eq(received.items[0].handover.slot, 3);
	ck_assert_int_eq(received.items[0].start_us, 4714);
	ck_assert_int_eq(received.items[0].up_pipe[0], -1);
	ck_assert_uint_eq(received.items[1].handover.slot, 7);
	ck_assert_int_eq(received.items[1].handover.log, LOG_ERRORS);
	ck_assert_int_eq(received.items[1].handover.options.idle_ms, 1000);
	ck_assert_uint_eq(received.items[1].handover.state.up_held, 3);
	ck_assert(is_open(received.items[0].client));
	ck_assert(is_open(received.items[1].backend));
	ck_assert_int_eq(
	    read(received.items[1].up_pipe[0], text, sizeof(text)), 3);
	ck_assert_str_eq(text, "abc");
	ck_assert_int_eq(received.items[1].down_pipe[1], -1);
}
END_TEST

START_TEST(carries_as_many_as_it_says)
{
	for (uint32_t i = 0; i < BATCH_MAX; i++)
		add(i, "x");
	ck_assert_int_eq(batch_send(ends[0], &sent), 0);
	ck_assert_int_eq(batch_receive(ends[1], &received), 1);
	ck_assert_uint_eq(received.n, BATCH_MAX);
	for (uint32_t i = 0; i < BATCH_MAX; i++)
		ck_assert(is_open(received.items[i].up_pipe[1]));
}
END_TEST

START_TEST(says_when_there_is_none_and_when_there_will_be_none)
{
	ck_assert_int_eq(batch_receive(ends[1], &received), -EAGAIN);
	close(fd_take(&ends[0]));
	ck_assert_int_eq(batch_receive(ends[1], &received), 0);
}
END_TEST

START_TEST(does_not_wait_for_one_who_does_not_read)
{
	int r = 0;

	(void)signal(SIGPIPE, SIG_IGN);
	add(1, NULL);
	for (int i = 0; i < 10000 && r == 0; i++)
		r = batch_send(ends[0], &sent);
	ck_assert_int_eq(r, -EAGAIN);
	close(fd_take(&ends[1]));
	r = batch_send(ends[0], &sent);
	ck_assert(r == -EPIPE || r == -ECONNRESET);
}
END_TEST

/* Whoever has no room for the descriptors has none of them, and says so. */
START_TEST(keeps_nothing_of_what_it_has_no_room_for)
{
	struct rlimit limit;
	int before;

	for (uint32_t i = 0; i < 8; i++)
		add(i, NULL);
	ck_assert_int_eq(batch_send(ends[0], &sent), 0);
	before = count_fds();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)before + 6;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(batch_receive(ends[1], &received), -EPROTO);
	ck_assert_int_eq(count_fds(), before);
	/* It knows whose they are, and which: so they can go back. */
	ck_assert_int_eq(received.owner, getpid());
	ck_assert_uint_eq(received.n, 8);
}
END_TEST

/* What is no batch leaves nothing behind either. */
START_TEST(refuses_what_makes_no_sense)
{
	static const uint8_t texts[][24] = {
		{ 1 },
		{ 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 },
		{ 1, 0, 0, 0, 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 },
		{ 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 },
		{ 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	};
	static const size_t sizes[] = { 1, 16, 16, 24, 16 };
	int fd = null(), before;

	ck_assert_int_eq(
	    fd_send(ends[0], texts[_i], sizes[_i], fd), (ssize_t)sizes[_i]);
	before = count_fds();
	ck_assert_int_eq(batch_receive(ends[1], &received), -EPROTO);
	ck_assert_int_eq(count_fds(), before);
	ck_assert_uint_eq(received.n, 0);
	close(fd);
}
END_TEST

Suite *batch_suite(void);

Suite *
batch_suite(void)
{
	Suite *suite = suite_create("batch");
	TCase *tcase = tcase_create("batch");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, arrives_as_it_was_sent);
	tcase_add_test(tcase, carries_as_many_as_it_says);
	tcase_add_test(
	    tcase, says_when_there_is_none_and_when_there_will_be_none);
	tcase_add_test(tcase, does_not_wait_for_one_who_does_not_read);
	tcase_add_test(tcase, keeps_nothing_of_what_it_has_no_room_for);
	tcase_add_loop_test(tcase, refuses_what_makes_no_sense, 0, 5);
	suite_add_tcase(suite, tcase);
	return suite;
}
