#include <check.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "signals.h"
#include "waits.h"

START_TEST(writes_the_pid_before_the_child_runs)
{
	_Atomic int32_t *pid_at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int status;

	ck_assert_ptr_ne(pid_at, MAP_FAILED);
	pid = process_fork(pid_at);
	if (pid == 0)
		_exit(atomic_load(pid_at) == (int32_t)syscall(SYS_getpid) ? 0 :
									    1);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(atomic_load(pid_at), pid);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	munmap((void *)pid_at, 4096);
}
END_TEST

/* The capabilities in force; only the first 32 are ever kept. */
static uint32_t
capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0 || data[1].permitted != 0)
		_exit(4);
	return data[0].permitted == data[0].effective ? data[0].permitted :
							UINT32_MAX;
}

/* In a child, for there is no way back; but for one right, if asked. */
START_TEST(gives_up_root_for_good)
{
	bool keep = _i == 1;
	pid_t pid;
	int status;

	if (getuid() != 0)
		return; /* nothing to give up; CI runs it as root */
	pid = fork();
	if (pid == 0) {
		if (process_drop(65534, 65534, keep) != 0)
			_exit(1);
		if (capabilities() != (keep ? 1u << CAP_NET_RAW : 0))
			_exit(5);
		if (getuid() != 65534 || getegid() != 65534)
			_exit(2);
		_exit(setuid(0) == 0 || setgid(0) == 0 ||
			    getgroups(0, NULL) != 0 ?
			3 :
			0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/*
 * A descriptor that is always ready must not keep SIGTERM out for ever: the
 * signal is pending from the start, and blocked but for the waits.
 */
START_TEST(hears_a_signal_even_when_always_busy)
{
	int pair[2], rounds = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	signals_take();
	ck_assert_int_eq(raise(SIGTERM), 0);
	while (!signals.terminate && rounds < 1000) {
		struct pollfd p = { .fd = pair[0], .events = POLLOUT };

		(void)wait_any(&p, 1, (struct deadline){ DEADLINE_NEVER });
		rounds++;
	}
	ck_assert_int_eq(signals.terminate, TERMINATED);
	ck_assert_int_lt(rounds, 1000);
	signals_release();
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* A program that is started later has a right to a clean mask. */
START_TEST(forgets_the_mask_that_was_inherited)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGTERM);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
	signals_take();
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
	ck_assert_int_eq(sigismember(&mask, SIGTERM), 1);
	ck_assert_int_eq(sigismember(&mask, SIGUSR1), 0);
	signals_release();
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
	ck_assert_int_eq(sigismember(&mask, SIGTERM), 0);
}
END_TEST

START_TEST(goes_on_waiting_after_other_signals)
{
	struct deadline until;
	int64_t start = clock_us();

	signals_take();
	ck_assert_int_eq(raise(SIGCHLD), 0);
	until = deadline_after(start, 100);
	ck_assert_int_eq(wait_poll(NULL, 0, until, &signals.terminate), 0);
	ck_assert_int_ge(clock_us() - start, 100000);
	ck_assert_int_eq(signals.child, 1);
	ck_assert_int_eq(raise(SIGTERM), 0);
	ck_assert_int_eq(wait_poll(NULL, 0, (struct deadline){ DEADLINE_NEVER },
			     &signals.terminate),
	    -EINTR);
	signals_release();
}
END_TEST

Suite *process_suite(void);

Suite *
process_suite(void)
{
	Suite *suite = suite_create("process");
	TCase *tcase = tcase_create("process");

	tcase_add_test(tcase, writes_the_pid_before_the_child_runs);
	tcase_add_loop_test(tcase, gives_up_root_for_good, 0, 2);
	tcase_add_test(tcase, hears_a_signal_even_when_always_busy);
	tcase_add_test(tcase, forgets_the_mask_that_was_inherited);
	tcase_add_test(tcase, goes_on_waiting_after_other_signals);
	suite_add_tcase(suite, tcase);
	return suite;
}
