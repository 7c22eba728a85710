/*
 * A crew in a process of its own, below the test, who also adopts and reaps
 * what it leaves behind: the keeper's part.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "door_rig.h"
#include "signals.h"

enum { WORKERS = 64 };

static struct door_rig rig;
static int keeper[2]; /* ours, the crew's */
static pid_t crew;
static void (*before)(void); /* done in the crew's process */

static void
start_crew(void)
{
	crew = fork();
	ck_assert_int_ge(crew, 0);
	if (crew > 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	signals_take();
	if (before != NULL)
		before();
	crew_run(&rig.generation, &rig.listener, 1);
}

static void
set_up(void)
{
	door_rig_set_up(&rig,
	    "isolation = shared\ninspect-timeout = 1h\n"
	    "[any]\nprotocol = any\nreject = close\n");
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper), 0);
	rig.generation.keeper = keeper[1];
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void
tear_down(void)
{
	(void)kill(crew, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	door_rig_tear_down(&rig);
}

static void
await_ready(void)
{
	struct pollfd p = { .fd = keeper[0], .events = POLLIN };
	char byte;

	ck_assert_int_eq(poll(&p, 1, DOOR_RIG_PATIENCE_MS), 1);
	ck_assert_int_eq(recv(keeper[0], &byte, 1, 0), 1);
}

static int
list_workers(pid_t pids[WORKERS])
{
	char path[64];
	FILE *file;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)crew,
	    (int)crew);
	file = fopen(path, "re");
	while (file != NULL && n < WORKERS && fscanf(file, "%d", &pids[n]) == 1)
		n++;
	if (file != NULL)
		fclose(file);
	return n;
}

static pid_t
only_worker(void)
{
	pid_t pids[WORKERS];

	AWAIT(list_workers(pids) == 1);
	return pids[0];
}

/* A client that is there, and undecided. */
static int
come_in(void)
{
	uint32_t before_us = door_rig_connections(&rig);
	int client = door_rig_connect(&rig);

	AWAIT(door_rig_connections(&rig) == before_us + 1);
	return client;
}

static void
expect_end(int client)
{
	struct pollfd p = { .fd = client, .events = POLLIN };
	char byte;

	ck_assert_int_eq(poll(&p, 1, DOOR_RIG_PATIENCE_MS), 1);
	ck_assert_int_le(recv(client, &byte, 1, 0), 0);
	close(client);
}

static void
expect_exit(int status)
{
	int got;

	ck_assert_int_eq(waitpid(crew, &got, 0), crew);
	ck_assert(WIFEXITED(got));
	ck_assert_int_eq(WEXITSTATUS(got), status);
}

static void
have_one_processor(void)
{
	cpu_set_t all, one;

	(void)sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

START_TEST(has_a_worker_for_each_processor)
{
	pid_t pids[WORKERS];
	cpu_set_t set;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	start_crew();
	await_ready();
	AWAIT(list_workers(pids) == CPU_COUNT(&set));
}
END_TEST

START_TEST(replaces_who_dies_and_buries_its_clients)
{
	pid_t worker;
	int client;

	before = have_one_processor;
	start_crew();
	await_ready();
	worker = only_worker();
	client = come_in();
	ck_assert_int_eq(kill(worker, SIGKILL), 0);
	expect_end(client);
	AWAIT(door_rig_connections(&rig) == 0);
	ck_assert_uint_eq(
	    atomic_load(&rig.board.head->unserved.ends[END_KILLED]), 1);
	AWAIT(door_rig_logged(&rig, "end=killed") == 1);
	ck_assert_int_eq(door_rig_logged(&rig, "a worker has died"), 1);
	AWAIT(only_worker() != worker);
	close(come_in());
}
END_TEST

/* Whatever kills it at once must not take the processor as well. */
START_TEST(takes_its_time_to_replace_one_that_lived_short)
{
	int64_t begun_us = clock_us();
	pid_t worker;

	before = have_one_processor;
	start_crew();
	worker = only_worker();
	ck_assert_int_eq(kill(worker, SIGKILL), 0);
	AWAIT(only_worker() != worker);
	ck_assert_int_ge(clock_us() - begun_us, 1000000);
}
END_TEST

START_TEST(retires_its_workers_with_it)
{
	pid_t worker;
	int client;

	before = have_one_processor;
	start_crew();
	await_ready();
	worker = only_worker();
	client = come_in();
	ck_assert_int_eq(kill(crew, SIGTERM), 0);
	expect_exit(0);
	/* The worker is ours now, and has somebody to serve. */
	ck_assert_int_eq(waitpid(worker, NULL, WNOHANG), 0);
	ck_assert_int_eq(send(client, "x", 1, 0), 1);
	expect_end(client);
	ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
}
END_TEST

START_TEST(leaves_a_terminal_to_the_keeper)
{
	pid_t worker;

	before = have_one_processor;
	start_crew();
	await_ready();
	worker = only_worker();
	ck_assert_int_eq(kill(crew, SIGINT), 0);
	ck_assert_int_eq(kill(worker, SIGKILL), 0);
	AWAIT(only_worker() != worker); /* it goes on */
	ck_assert_int_eq(kill(crew, SIGTERM), 0);
	expect_exit(0);
}
END_TEST

static void
have_no_descriptors(void)
{
	struct rlimit limit = { 3, 3 };

	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

START_TEST(says_that_it_cannot_start)
{
	before = have_no_descriptors;
	start_crew();
	expect_exit(1);
	ck_assert_int_eq(door_rig_logged(&rig, "cannot start accepting"), 1);
}
END_TEST

/* For forks alone; with sanitizers, the C library may ask in another way. */
static void
have_no_processes(void)
{
	door_rig_fail(SYS_clone, EAGAIN);
	have_one_processor();
}

START_TEST(goes_on_without_a_worker_and_says_so_once)
{
	before = have_no_processes;
	start_crew();
	await_ready();
	AWAIT(door_rig_logged(&rig, "cannot start a worker, trying again") > 0);
	ck_assert_int_eq(kill(crew, SIGTERM), 0);
	expect_exit(0);
	ck_assert_int_eq(door_rig_logged(&rig, "cannot start a worker"), 1);
}
END_TEST

Suite *crew_suite(void);

Suite *
crew_suite(void)
{
	Suite *suite = suite_create("crew");
	TCase *tcase = tcase_create("crew");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, has_a_worker_for_each_processor);
	tcase_add_test(tcase, replaces_who_dies_and_buries_its_clients);
	tcase_add_test(tcase, takes_its_time_to_replace_one_that_lived_short);
	tcase_add_test(tcase, retires_its_workers_with_it);
	tcase_add_test(tcase, leaves_a_terminal_to_the_keeper);
	tcase_add_test(tcase, says_that_it_cannot_start);
	tcase_add_test(tcase, goes_on_without_a_worker_and_says_so_once);
	suite_add_tcase(suite, tcase);
	return suite;
}
