/*
 * A worker in a process of its own; the test is its clients, and the other
 * worker.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "door_rig.h"
#include "signals.h"
#include "worker.h"

static struct door_rig rig;
static struct post *posts;
static int wakes[2];
static pid_t worker_pid;

static void
start_worker(void)
{
	struct worker_place place = { posts, wakes, 2, 0 };

	worker_pid = fork();
	ck_assert_int_ge(worker_pid, 0);
	if (worker_pid > 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	signals_take();
	worker_run(&rig.generation, &rig.listener, 1, &place);
}

static void
set_up(void)
{
	door_rig_set_up(&rig,
	    "max-connections = 2\ninspect-timeout = 1h\n"
	    "[any]\nprotocol = any\nreject = close\n");
	posts = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 2; i++)
		wakes[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void
tear_down(void)
{
	(void)kill(worker_pid, SIGKILL);
	(void)waitpid(worker_pid, NULL, 0);
	door_rig_tear_down(&rig);
}

/* The client says something, and is shown out as the rules have it. */
static void
expect_served(int client)
{
	struct pollfd p = { .fd = client, .events = POLLIN };
	char byte;

	ck_assert_int_eq(send(client, "x", 1, 0), 1);
	ck_assert_int_eq(poll(&p, 1, DOOR_RIG_PATIENCE_MS), 1);
	ck_assert_int_eq(recv(client, &byte, 1, 0), 0);
	close(client);
}

static bool
is_served(int client, int ms)
{
	struct pollfd p = { .fd = client, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

START_TEST(serves_many_and_goes_when_told)
{
	int status, clients[2];

	start_worker();
	for (int i = 0; i < 2; i++)
		clients[i] = door_rig_connect(&rig);
	AWAIT(door_rig_connections(&rig) == 2);
	ck_assert_int_eq(kill(worker_pid, SIGTERM), 0);
	/* Those who are here already are served to their end. */
	expect_served(clients[1]);
	expect_served(clients[0]);
	ck_assert_int_eq(waitpid(worker_pid, &status, 0), worker_pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_uint_eq(door_rig_connections(&rig), 0);
}
END_TEST

/* Of the two slots one is taken, and another worker's guest waits for one. */
START_TEST(leaves_a_slot_to_one_that_another_holds)
{
	int first, second;

	atomic_store(&posts[1].held_us, INT64_MAX);
	start_worker();
	first = door_rig_connect(&rig);
	AWAIT(door_rig_connections(&rig) == 1);
	second = door_rig_connect(&rig);
	ck_assert_int_eq(send(second, "x", 1, 0), 1);
	ck_assert(!is_served(second, 200));
	ck_assert_uint_eq(door_rig_connections(&rig), 1);
	atomic_store(&posts[1].held_us, 0);
	ck_assert(is_served(second, DOOR_RIG_PATIENCE_MS));
	expect_served(first);
}
END_TEST

/* Whoever held it is stopped, or dead: nobody waits for that. */
START_TEST(does_not_wait_for_one_that_does_not_ask)
{
	int first, second;

	atomic_store(&posts[1].held_us, clock_us());
	start_worker();
	first = door_rig_connect(&rig);
	second = door_rig_connect(&rig);
	AWAIT(door_rig_connections(&rig) == 2);
	expect_served(second);
	expect_served(first);
}
END_TEST

/* Somebody took the last slots when it had looked: it says so, and asks. */
START_TEST(says_that_it_holds_one)
{
	static const struct endpoint from;
	struct connection *slot = NULL;
	int client;
	int64_t held_us;

	for (int i = 0; i < 2; i++)
		slot = scoreboard_take(&rig.board, 2, &from);
	/* As it was when the worker looked. */
	atomic_fetch_sub(&rig.board.head->connections, 1);
	start_worker();
	client = door_rig_connect(&rig);
	AWAIT((held_us = atomic_load(&posts[0].held_us)) != 0);
	AWAIT(atomic_load(&posts[0].held_us) > held_us);
	atomic_fetch_add(&rig.board.head->connections, 1);
	slot->end = END_GONE;
	ck_assert(scoreboard_give_back(&rig.board, slot));
	expect_served(client);
	AWAIT(atomic_load(&posts[0].held_us) == 0);
}
END_TEST

/* The oldest goes, wherever it is: here it is another's. */
START_TEST(tells_another_that_its_oldest_has_to_go)
{
	static const struct endpoint from;
	struct connection *slot = scoreboard_take(&rig.board, 2, &from);
	uint64_t count;
	int client;

	((struct rules *)rig.generation.rules)->settings.max_pending = 1;
	atomic_store(&posts[1].slot, scoreboard_index(&rig.board, slot));
	atomic_store(&posts[1].oldest_us, slot->start_us);
	start_worker();
	client = door_rig_connect(&rig);
	AWAIT(atomic_load(&slot->evict));
	AWAIT(atomic_load(&posts[1].oldest_us) == POST_TOLD);
	AWAIT(read(wakes[1], &count, sizeof(count)) == sizeof(count));
	expect_served(client);
}
END_TEST

START_TEST(drops_its_oldest_when_another_says_so)
{
	const uint64_t one = 1;
	int oldest, client;

	start_worker();
	oldest = door_rig_connect(&rig);
	AWAIT(atomic_load(&posts[0].oldest_us) != 0);
	client = door_rig_connect(&rig);
	AWAIT(door_rig_connections(&rig) == 2);
	atomic_store(
	    &scoreboard_slot(&rig.board, atomic_load(&posts[0].slot))->evict,
	    1);
	ck_assert_int_eq(write(wakes[0], &one, sizeof(one)), sizeof(one));
	ck_assert(is_served(oldest, DOOR_RIG_PATIENCE_MS));
	ck_assert_int_eq(recv(oldest, (char[1]){ 0 }, 1, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	expect_served(client);
}
END_TEST

Suite *worker_suite(void);

Suite *
worker_suite(void)
{
	Suite *suite = suite_create("worker");
	TCase *tcase = tcase_create("worker");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, serves_many_and_goes_when_told);
	tcase_add_test(tcase, leaves_a_slot_to_one_that_another_holds);
	tcase_add_test(tcase, does_not_wait_for_one_that_does_not_ask);
	tcase_add_test(tcase, says_that_it_holds_one);
	tcase_add_test(tcase, tells_another_that_its_oldest_has_to_go);
	tcase_add_test(tcase, drops_its_oldest_when_another_says_so);
	suite_add_tcase(suite, tcase);
	return suite;
}
