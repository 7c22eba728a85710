/*
 * What "usher status" reads, whatever has been written into it.
 */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "board_rig.h"
#include "deadline.h"

static const struct endpoint client = { .family = AF_INET, .ip = { 203 } };

START_TEST(a_snapshot_is_private_and_its_texts_end)
{
	struct connection *slot = scoreboard_take(&board, 10, &client);
	char buffer[2 * ADDR_TEXT_MAX];
	struct line text = LINE(buffer);
	struct scoreboard copy;

	scoreboard_service(&board, "openssh");
	memset(board.services[0].name, 'x', SCOREBOARD_NAME_MAX);
	memset(slot->protocol, 'x', sizeof(slot->protocol));
	scoreboard_set_program(&board, slot, "/bin/cat");
	memset(board.paths, 'x', 2 * sizeof(board.paths[0]));
	slot->path_len = UINT8_MAX;
	ck_assert_int_eq(scoreboard_snapshot(&copy, board.fd), 0);
	slot->bytes_in = 9;
	memset(board.paths, 'y', sizeof(board.paths[0]));
	slot = scoreboard_slot(&copy, 0);
	ck_assert_uint_eq(slot->bytes_in, 0);
	ck_assert_int_eq(slot->pid, getpid());
	ck_assert_uint_eq(
	    strlen(copy.services[0].name), SCOREBOARD_NAME_MAX - 1);
	ck_assert_uint_eq(strlen(slot->protocol), sizeof(slot->protocol) - 1);
	scoreboard_write_backend(&copy, slot, &text);
	ck_assert_uint_eq(text.len, ADDR_TEXT_MAX - 1);
	ck_assert_uint_eq(strspn(buffer, "x"), ADDR_TEXT_MAX - 1);
	scoreboard_close(&copy);
}
END_TEST

static const int64_t strange_times[] = { INT64_MIN, -1, INT64_MAX };

START_TEST(times_in_a_snapshot_are_in_the_past)
{
	struct connection *slot = scoreboard_take(&board, 10, &client);
	struct scoreboard copy;

	slot->start_us = strange_times[_i];
	slot->active_us = strange_times[_i];
	ck_assert_int_eq(scoreboard_snapshot(&copy, board.fd), 0);
	slot = scoreboard_slot(&copy, 0);
	ck_assert_int_ge(slot->start_us, 0);
	ck_assert_int_le(slot->start_us, clock_us());
	ck_assert_int_ge(slot->active_us, 0);
	ck_assert_int_le(slot->active_us, clock_us());
	/* Neither here nor there may one be more than can be added to. */
	ck_assert_int_eq(scoreboard_mend(&board, NULL, NULL), 0);
	scoreboard_close(&copy);
}
END_TEST

START_TEST(a_reader_bounds_what_the_head_claims)
{
	struct scoreboard copy;

	board.head->high = UINT32_MAX;
	board.head->rows = UINT32_MAX;
	board.head->asked = UINT32_MAX;
	board.head->paths = UINT32_MAX;
	ck_assert_int_eq(scoreboard_snapshot(&copy, board.fd), -EPROTO);
	ck_assert_uint_eq(scoreboard_service(&board, "a"), CONN_NO_SERVICE);
	ck_assert_int_eq(scoreboard_mend(&board, NULL, NULL), 0);
	ck_assert_uint_eq(scoreboard_service(&board, "a"), 0);
	ck_assert_uint_le(board.head->asked, SCOREBOARD_SLOTS);
	ck_assert_uint_le(board.head->paths, SCOREBOARD_SLOTS);
}
END_TEST

Suite *scoreboard_snapshot_suite(void);

Suite *
scoreboard_snapshot_suite(void)
{
	Suite *suite = suite_create("scoreboard_snapshot");
	TCase *memory = tcase_create("in memory");

	tcase_add_checked_fixture(memory, open_board, close_board);
	tcase_add_test(memory, a_snapshot_is_private_and_its_texts_end);
	tcase_add_loop_test(memory, times_in_a_snapshot_are_in_the_past, 0, 3);
	tcase_add_test(memory, a_reader_bounds_what_the_head_claims);
	suite_add_tcase(suite, memory);
	return suite;
}
