/*
 * board_rig.h - a scoreboard in memory, for each test anew.
 */
#ifndef USHER_TESTS_BOARD_RIG_H
#define USHER_TESTS_BOARD_RIG_H

#include "scoreboard.h"

extern struct scoreboard board;

/* A checked fixture. */
void open_board(void);
void close_board(void);

#endif
