/*
 * A process that was broken into can write anything into the scoreboard.
 * Once it is gone, mending has to leave counts that are true: or it would
 * have shut the port for good.
 */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "process.h"
#include "reach.h"
#include "scoreboard.h"
#include "scoreboard_inner.h"

#define LIMIT 20 /* connections at once */
#define MINUTE_US INT64_C(60000000)

static struct scoreboard board;
static struct connection *ours; /* an honest connection that stays */

static const struct endpoint here = { .family = AF_INET, .ip = { 192 } };

static void
open_board(void)
{
	int32_t owner;

	ck_assert_int_eq(scoreboard_open(&board, NULL, -1, &owner), 0);
	scoreboard_service(&board, "a");
	ours = scoreboard_take(&board, LIMIT, &here);
	scoreboard_decided(&board, ours, 0);
}

static void
close_board(void)
{
	scoreboard_close(&board);
}

static void
too_many(void)
{
	board.head->connections = UINT32_MAX;
	board.head->pending = UINT32_MAX;
}

static void
sources_full(void)
{
	memset((void *)board.sources, 0xff,
	    SCOREBOARD_SOURCES * sizeof(board.sources[0]));
}

static void
too_many_slots(void)
{
	too_many();
	board.head->high = UINT32_MAX;
}

static void
too_many_services(void)
{
	too_many();
	board.head->rows = UINT32_MAX;
}

static void
another_version(void)
{
	board.head->magic = board.head->version = 0;
	board.head->size_of_slot = board.head->slots = 0;
}

static void
all_slots_seem_taken(void)
{
	memset((void *)board.head->used, 0xff, sizeof(board.head->used));
	memset((void *)board.head->full, 0xff, sizeof(board.head->full));
}

/* Fills all slots but ours with what pid is said to serve. */
static void
forge(int32_t pid, uint32_t state)
{
	too_many();
	for (uint32_t i = 1; i < 16; i++) {
		struct connection *slot = scoreboard_slot(&board, i);

		slot->pid = pid;
		slot->state = state;
		slot->start_us = slot->since_us = INT64_MAX;
		slot->pending = 1;
	}
}

static void
of_the_first_process(void)
{
	forge(1, CONN_OPEN);
}

static void
of_the_first_process_for_ever(void)
{
	forge(1, CONN_MOVING);
}

static void
of_no_process(void)
{
	forge(INT32_MIN, CONN_MOVING);
}

static void
too_many_texts(void)
{
	board.head->asked = board.head->paths = UINT32_MAX;
	ours->name_len = ours->alpn_len = ours->path_len = UINT8_MAX;
	too_many();
}

static void (*const lies[])(void) = { too_many, sources_full, too_many_slots,
	too_many_services, another_version, all_slots_seem_taken,
	of_the_first_process, of_the_first_process_for_ever, of_no_process,
	too_many_texts };

START_TEST(a_lie_is_mended)
{
	struct endpoint client = { .family = AF_INET, .ip = { 203 } };
	struct scoreboard copy;

	lies[_i]();
	ck_assert_int_eq(scoreboard_mend(&board, NULL, NULL), 0);
	ck_assert_uint_eq(board.head->connections, 1);
	ck_assert_uint_eq(board.head->pending, 0);
	ck_assert_uint_eq(board.services[0].connections, 1);
	ck_assert_uint_eq(scoreboard_source_count(&board, &here), 1);
	ck_assert_uint_eq(scoreboard_source_count(&board, &client), 0);
	ck_assert_int_eq(scoreboard_snapshot(&copy, board.fd), 0);
	scoreboard_close(&copy);
	for (unsigned i = 1; i < LIMIT; i++)
		ck_assert_ptr_nonnull(scoreboard_take(&board, LIMIT, &client));
}
END_TEST

START_TEST(counts_are_mended_whatever_is_said_of_slots)
{
	too_many();
	board.head->high = 0;
	ck_assert_int_eq(scoreboard_mend(&board, NULL, NULL), 0);
	ck_assert_uint_lt(board.head->connections, LIMIT);
}
END_TEST

START_TEST(a_change_is_not_waited_for_for_ever)
{
	int64_t now_us = clock_us();

	ours->state = CONN_MOVING;
	board.head->connections = UINT32_MAX;
	ck_assert_int_eq(
	    scoreboard_mend_at(&board, NULL, NULL, now_us), -EAGAIN);
	ck_assert_int_eq(
	    scoreboard_mend_at(&board, NULL, NULL, now_us + MINUTE_US / 2),
	    -EAGAIN);
	ck_assert_int_eq(
	    scoreboard_mend_at(&board, NULL, NULL, now_us + MINUTE_US), 0);
	ck_assert_uint_eq(board.head->connections, 1);
	/* Nor is the next one given less time. */
	ck_assert_int_eq(
	    scoreboard_mend_at(&board, NULL, NULL, now_us + MINUTE_US),
	    -EAGAIN);
}
END_TEST

/* In a process of its own, with a small file system of its own. */
_Noreturn static void
mend_where_memory_is_short(const char *directory)
{
	int32_t owner;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", directory, "tmpfs", 0, "size=256k") < 0)
		_exit(77);
	if (scoreboard_open(&board, directory, -1, &owner) < 0 ||
	    (ours = scoreboard_take(&board, LIMIT, &here)) == NULL)
		_exit(1);
	too_many();
	board.head->high = SCOREBOARD_SLOTS;
	board.head->rows = SCOREBOARD_SERVICES;
	board.head->asked = board.head->paths = SCOREBOARD_SLOTS;
	if (scoreboard_mend(&board, NULL, NULL) < 0)
		_exit(2);
	if (board.head->asked == SCOREBOARD_SLOTS ||
	    board.head->paths == SCOREBOARD_SLOTS)
		_exit(4);
	_exit(board.head->connections == 1 && board.head->rows == 0 ? 0 : 3);
}

START_TEST(what_has_no_memory_is_not_read)
{
	char directory[] = "/tmp/usher-lies-XXXXXX";
	pid_t keeper;
	int status = 0;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	keeper = getuid() == 0 ? fork() : -1;
	if (keeper == 0)
		mend_where_memory_is_short(directory);
	if (keeper > 0)
		ck_assert_int_eq(waitpid(keeper, &status, 0), keeper);
	ck_assert(
	    status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 77));
}
END_TEST

/* Somebody else's process is nobody's connection; in a process of its own,
 * because it has to become another user. */
START_TEST(a_process_of_another_user_is_gone)
{
	int32_t parent = getpid();
	int status;
	pid_t keeper;

	if (getuid() != 0)
		return;
	keeper = fork();
	if (keeper == 0) {
		/* Ours is root's, and our parent's: root's it stays. */
		ours->pid = parent;
		if (process_drop(65534, 65534, false) < 0)
			_exit(1);
		(void)scoreboard_mend(&board, NULL, NULL);
		_exit(ours->pid == 0 ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(keeper, &status, 0), keeper);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* A program is started for a connection that is older than itself. */
START_TEST(who_got_a_slot_late_keeps_it)
{
	pid_t program;

	ours->start_us = clock_us() - MINUTE_US;
	ours->since_us = clock_us();
	program = process_fork(&ours->pid);
	if (program == 0) {
		pause();
		_exit(0);
	}
	ck_assert_int_eq(scoreboard_mend(&board, NULL, NULL), 0);
	ck_assert_int_eq(ours->pid, program);
	ck_assert_int_eq(kill(program, SIGKILL), 0);
	ck_assert_int_eq(waitpid(program, NULL, 0), program);
	ck_assert_int_eq(scoreboard_mend(&board, NULL, NULL), 0);
	ck_assert_int_eq(ours->pid, 0);
}
END_TEST

/* When the first of two backends is said to have failed, if it is tried. */
static const struct {
	int64_t until_us; /* 0: from now; else as it is */
	int64_t later_us;
	uint8_t tried;
} failures[] = {
	{ 0, 5000000, 1 }, /* an honest one */
	{ 0, -1, 0 },
	{ 0, MINUTE_US, 0 },
	{ INT64_MAX, 0, 0 },
	{ INT64_MIN, 0, 0 },
};

START_TEST(no_backend_is_passed_over_for_good)
{
	struct addr backends[2];
	const struct service service = {
		.backends = backends,
		.n_backends = 2,
		.limits.connect_ms = 10000,
	};
	const struct addr nowhere = { .len = 0 };
	struct reach reach = {
		.service = &service,
		.board = &board,
		.slot = ours,
		.client = -1,
		.from = &nowhere,
		.local = &nowhere,
	};
	struct await await;
	int listener = socket(AF_INET, SOCK_STREAM, 0), backend;

	ck_assert_int_eq(addr_parse("127.0.0.1:0", 11, true, &backends[0]), 0);
	ck_assert_int_eq(bind(listener, &backends[0].any, backends[0].len), 0);
	ck_assert_int_eq(listen(listener, 2), 0);
	getsockname(listener, &backends[0].any, &backends[0].len);
	backends[1] = backends[0];
	board.backends[0].failed_until_us[0] = failures[_i].until_us != 0 ?
	    failures[_i].until_us :
	    clock_us() + failures[_i].later_us;
	backend = reach_step(&reach, &await);
	ck_assert(backend >= 0 || backend == -EINPROGRESS);
	ck_assert_uint_eq(reach.order[0], failures[_i].tried);
	if (backend >= 0)
		close(backend);
	else
		reach_abandon(&reach);
	close(listener);
}
END_TEST

Suite *lies_suite(void);

Suite *
lies_suite(void)
{
	Suite *suite = suite_create("lies");
	TCase *tcase = tcase_create("lies");

	tcase_add_checked_fixture(tcase, open_board, close_board);
	tcase_add_loop_test(
	    tcase, a_lie_is_mended, 0, (int)(sizeof(lies) / sizeof(lies[0])));
	tcase_add_test(tcase, counts_are_mended_whatever_is_said_of_slots);
	tcase_add_test(tcase, a_change_is_not_waited_for_for_ever);
	tcase_add_test(tcase, what_has_no_memory_is_not_read);
	tcase_add_test(tcase, a_process_of_another_user_is_gone);
	tcase_add_test(tcase, who_got_a_slot_late_keeps_it);
	tcase_add_loop_test(tcase, no_backend_is_passed_over_for_good, 0,
	    (int)(sizeof(failures) / sizeof(failures[0])));
	suite_add_tcase(suite, tcase);
	return suite;
}
