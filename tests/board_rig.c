#include "board_rig.h"

#include <check.h>

struct scoreboard board;

void
open_board(void)
{
	int32_t owner;

	ck_assert_int_eq(scoreboard_open(&board, NULL, -1, &owner), 0);
}

void
close_board(void)
{
	scoreboard_close(&board);
}
