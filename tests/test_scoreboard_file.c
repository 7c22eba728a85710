/*
 * The scoreboard as a file in the runtime directory.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scoreboard.h"

static struct scoreboard board;
static char directory[] = "/tmp/usher-board-XXXXXX";
static char file[PATH_MAX];

static void
make_directory(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/%s", directory, SCOREBOARD_FILE);
}

static void
remove_directory(void)
{
	unlink(file);
	rmdir(directory);
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
}

START_TEST(a_scoreboard_outlives_its_keeper)
{
	const struct endpoint client = { .family = AF_INET, .ip = { 203 } };
	struct connection *slot;
	uint16_t row;
	int32_t owner;
	struct stat st;

	ck_assert_int_eq(scoreboard_open(&board, directory, -1, &owner), 0);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_lt(st.st_blocks * 512, 400 * 1024); /* it is sparse */
	row = scoreboard_service(&board, "openssh");
	slot = scoreboard_take(&board, 10, &client);
	scoreboard_decided(&board, slot, row);
	slot->bytes_in = 7;
	scoreboard_close(&board);

	ck_assert_int_eq(scoreboard_open(&board, directory, -1, &owner), 0);
	ck_assert_int_eq(scoreboard_mend(&board, NULL, NULL), 0);
	ck_assert_uint_eq(board.head->connections, 1);
	ck_assert_uint_eq(scoreboard_source_count(&board, &client), 1);
	ck_assert(scoreboard_give_back(&board, scoreboard_slot(&board, 0)));
	ck_assert_uint_eq(scoreboard_service(&board, "openssh"), row);
	ck_assert_uint_eq(scoreboard_tally(&board, row)->bytes_in, 7);
	scoreboard_close(&board);
}
END_TEST

/* A keeper in a process of its own, with a child that outlives it. */
static pid_t
start_keeper(pid_t *ret_child)
{
	int ready[2];
	pid_t keeper;

	ck_assert_int_eq(pipe(ready), 0);
	keeper = fork();
	if (keeper == 0) {
		int32_t owner;
		pid_t child;

		if (scoreboard_open(&board, directory, -1, &owner) < 0)
			_exit(1);
		child = fork();
		if (child > 0 && write(ready[1], &child, sizeof(child)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(
	    read(ready[0], ret_child, sizeof(*ret_child)), sizeof(*ret_child));
	return keeper;
}

START_TEST(a_second_keeper_is_told_who_is_first)
{
	pid_t child, keeper = start_keeper(&child);
	int32_t owner = -1;

	ck_assert_int_eq(
	    scoreboard_open(&board, directory, -1, &owner), -EBUSY);
	ck_assert_int_eq(owner, keeper);
	kill(keeper, SIGKILL);
	waitpid(keeper, NULL, 0);
	/* What the keeper's children still hold does not matter. */
	ck_assert_int_eq(kill(child, 0), 0);
	ck_assert_int_eq(scoreboard_open(&board, directory, -1, &owner), 0);
	ck_assert_int_eq(board.head->keeper, getpid());
	kill(child, SIGKILL);
	scoreboard_close(&board);
}
END_TEST

START_TEST(what_is_no_scoreboard_of_ours_is_replaced)
{
	int32_t owner;
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, "something", 9), 9);
	ck_assert_int_eq(scoreboard_open(&board, directory, -1, &owner), 0);
	ck_assert_uint_eq(board.head->magic, SCOREBOARD_MAGIC);
	board.head->version++;
	scoreboard_close(&board);

	/* Whoever has the old one keeps it as it is. */
	close(fd);
	fd = open(file, O_RDWR);
	ck_assert_int_eq(scoreboard_open(&board, directory, -1, &owner), 0);
	ck_assert_uint_eq(board.head->version, SCOREBOARD_VERSION);
	scoreboard_close(&board);
	ck_assert_int_eq(scoreboard_map(&board, fd), -EPROTO);
	close(fd);
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
	int32_t owner;

	ck_assert_int_eq(symlink("/tmp/elsewhere", file), 0);
	ck_assert_int_eq(
	    scoreboard_open(&board, directory, -1, &owner), -ELOOP);
}
END_TEST

START_TEST(a_missing_directory_is_an_error)
{
	int32_t owner;

	ck_assert_int_eq(
	    scoreboard_open(&board, "/nonexistent", -1, &owner), -ENOENT);
}
END_TEST

START_TEST(the_descriptor_goes_where_it_is_wanted)
{
	int32_t owner;

	ck_assert_int_eq(scoreboard_open(&board, directory, 77, &owner), 0);
	ck_assert_int_eq(board.fd, 77);
	ck_assert_int_eq(fcntl(77, F_GETFD), FD_CLOEXEC);
	scoreboard_close(&board);
	ck_assert_int_eq(scoreboard_open(&board, NULL, 78, &owner), 0);
	ck_assert_int_eq(board.fd, 78);
	scoreboard_close(&board);
}
END_TEST

/* Where systemd has its journal listen, 3 is taken and 4 comes next. */
START_TEST(the_number_wanted_may_be_the_next_free_one)
{
	int32_t owner;
	int next = dup(0);

	ck_assert_int_ge(next, 0);
	close(next);
	ck_assert_int_eq(scoreboard_open(&board, directory, next, &owner), 0);
	ck_assert_int_eq(board.fd, next);
	ck_assert_int_eq(access(file, F_OK), 0);
	scoreboard_close(&board);
}
END_TEST

Suite *scoreboard_file_suite(void);

Suite *
scoreboard_file_suite(void)
{
	Suite *suite = suite_create("scoreboard_file");
	TCase *files = tcase_create("in a directory");

	tcase_add_checked_fixture(files, make_directory, remove_directory);
	tcase_add_test(files, a_scoreboard_outlives_its_keeper);
	tcase_add_test(files, a_second_keeper_is_told_who_is_first);
	tcase_add_test(files, what_is_no_scoreboard_of_ours_is_replaced);
	tcase_add_test(files, a_symbolic_link_is_not_followed);
	tcase_add_test(files, a_missing_directory_is_an_error);
	tcase_add_test(files, the_descriptor_goes_where_it_is_wanted);
	tcase_add_test(files, the_number_wanted_may_be_the_next_free_one);
	suite_add_tcase(suite, files);
	return suite;
}
