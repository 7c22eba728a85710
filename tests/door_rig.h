/*
 * door_rig.h - what tests of those who let clients in share: rules, a
 * scoreboard, a listening socket, and what was logged.
 */
#ifndef USHER_TESTS_DOOR_RIG_H
#define USHER_TESTS_DOOR_RIG_H

#include <check.h>
#include <poll.h>

#include "deadline.h"
#include "door.h"

struct door_rig {
	struct generation generation;
	struct scoreboard board;
	struct listener listener; /* at 127.0.0.1 */
	uint16_t rows[8];
	int log; /* what standard error was given */
};

/*
 * With these rules, which are not freed: a test is a process of its own.  The
 * generation has neither a relay nor a keeper.
 */
void door_rig_set_up(struct door_rig *rig, const char *rules);
void door_rig_tear_down(struct door_rig *rig);

/* A client of the listener; the test's to close. */
int door_rig_connect(const struct door_rig *rig);

/* How many have a slot. */
uint32_t door_rig_connections(const struct door_rig *rig);

#define DOOR_RIG_PATIENCE_MS 20000

/* What is to come, of itself or by another process. */
#define AWAIT(condition)                                               \
	do {                                                           \
		int64_t until_us_ =                                    \
		    clock_us() + DOOR_RIG_PATIENCE_MS * INT64_C(1000); \
		while (!(condition)) {                                 \
			ck_assert_int_lt(clock_us(), until_us_);       \
			(void)poll(NULL, 0, 5);                        \
		}                                                      \
	} while (0)

/* How often text is in what was logged. */
int door_rig_logged(const struct door_rig *rig, const char *text);

/* From here on this system call fails so, in this process and its children. */
void door_rig_fail(int number, int error);

#endif
