#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool
has_cloexec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static int
open_null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static int
leave_scope(bool take, int *ret_number)
{
	FD_AUTO int fd = open_null();

	*ret_number = fd;
	errno = ENOTTY;
	return take ? fd_take(&fd) : -1;
}

START_TEST(closes_when_the_scope_is_left)
{
	int number;

	ck_assert_int_eq(leave_scope(false, &number), -1);
	ck_assert_int_eq(errno, ENOTTY);
	ck_assert(!is_open(number));
}
END_TEST

START_TEST(keeps_what_was_taken)
{
	int number;
	int fd = leave_scope(true, &number);

	ck_assert_int_eq(fd, number);
	ck_assert(is_open(fd));
	close(fd);
}
END_TEST

/* Runs in a child: the test's own descriptors must survive. */
static int
sanitise_after_closing(int closed)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		int bad;

		close(closed);
		bad = fd_sanitise_standard() != 0 || !is_open(closed) ||
		    has_cloexec(closed) || open_null() <= 2;
		_exit(bad);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

START_TEST(fills_standard_descriptors)
{
	ck_assert_int_eq(sanitise_after_closing(_i), 0);
}
END_TEST

START_TEST(leaves_no_descriptor_behind)
{
	int before = open_null(), after;

	close(before);
	ck_assert_int_eq(fd_sanitise_standard(), 0);
	after = open_null();
	ck_assert_int_eq(before, after);
	close(after);
}
END_TEST

START_TEST(closes_from_a_number_on)
{
	int low = open_null(), high = open_null();

	ck_assert_int_lt(low, high);
	ck_assert_int_eq(fd_close_from(high), 0);
	ck_assert(is_open(low));
	ck_assert(!is_open(high));
}
END_TEST

START_TEST(sets_and_clears_flags)
{
	FD_AUTO int fd = open_null();

	ck_assert_int_eq(fd_set_cloexec(fd, 0), 0);
	ck_assert(!has_cloexec(fd));
	ck_assert_int_eq(fd_set_cloexec(fd, 1), 0);
	ck_assert(has_cloexec(fd));
	ck_assert_int_eq(fd_set_nonblock(fd, 1), 0);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq(fd_set_nonblock(fd, 0), 0);
	ck_assert(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	ck_assert_int_eq(fd_set_cloexec(-1, 1), -EBADF);
	ck_assert_int_eq(fd_set_nonblock(-1, 1), -EBADF);
}
END_TEST

static void
make_pair(int pair[2])
{
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

START_TEST(passes_a_descriptor_with_its_message)
{
	int pair[2], pipe_ends[2], received = -2;
	char text[8] = "";

	make_pair(pair);
	ck_assert_int_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
	ck_assert_int_eq(fd_send(pair[0], "hi", 2, pipe_ends[1]), 2);
	ck_assert(is_open(pipe_ends[1]));
	ck_assert_int_eq(fd_receive(pair[1], text, sizeof(text), &received), 2);
	ck_assert_str_eq(text, "hi");
	ck_assert_int_ge(received, 0);
	ck_assert(has_cloexec(received));
	ck_assert_int_eq(write(received, "x", 1), 1);
	ck_assert_int_eq(read(pipe_ends[0], text, 1), 1);
}
END_TEST

START_TEST(passes_a_message_alone)
{
	int pair[2], received = -2;
	char text[8] = "";

	make_pair(pair);
	ck_assert_int_eq(fd_send(pair[0], "hi", 2, -1), 2);
	ck_assert_int_eq(fd_receive(pair[1], text, sizeof(text), &received), 2);
	ck_assert_int_eq(received, -1);
	close(pair[0]);
	ck_assert_int_eq(fd_receive(pair[1], text, sizeof(text), &received), 0);
	ck_assert_int_eq(fd_send(pair[1], "hi", 2, -1), -EPIPE);
}
END_TEST

/* Sends n times the same descriptor in one message. */
static void
send_many(int via, int fd, size_t n)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = control, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(via, &message, 0), 1);
}

START_TEST(closes_surplus_descriptors)
{
	int pair[2], received = -1, next;
	char text[8];

	make_pair(pair);
	send_many(pair[0], pair[0], (size_t)_i);
	ck_assert_int_eq(fd_receive(pair[1], text, sizeof(text), &received), 1);
	ck_assert_int_ge(received, 0);
	next = open_null();
	ck_assert_int_eq(next, received + 1);
}
END_TEST

Suite *fd_suite(void);

Suite *
fd_suite(void)
{
	Suite *suite = suite_create("fd");
	TCase *tests = tcase_create("fd");

	tcase_add_test(tests, closes_when_the_scope_is_left);
	tcase_add_test(tests, keeps_what_was_taken);
	tcase_add_loop_test(tests, fills_standard_descriptors, 0, 3);
	tcase_add_test(tests, leaves_no_descriptor_behind);
	tcase_add_test(tests, closes_from_a_number_on);
	tcase_add_test(tests, sets_and_clears_flags);
	tcase_add_test(tests, passes_a_descriptor_with_its_message);
	tcase_add_test(tests, passes_a_message_alone);
	tcase_add_loop_test(tests, closes_surplus_descriptors, 1, 9);
	suite_add_tcase(suite, tests);
	return suite;
}
