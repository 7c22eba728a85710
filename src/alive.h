/*
 * alive.h - whether a process that was seen once is still there.
 */
#ifndef USHER_ALIVE_H
#define USHER_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether a process pid exists that can be the one that was there at since_us
 * (CLOCK_MONOTONIC): one that started clearly later got the number when it
 * was free again, and one that only waits to be reaped does nothing any more.
 * Where /proc cannot be read, the number alone decides.
 */
bool process_alive(int32_t pid, int64_t since_us);

/* Whether pid is dead and waits for reaper, or a child of it, to reap it. */
bool process_awaits(int32_t pid, int32_t reaper);

/*
 * Whether pid is of a process that can be none of ours: the first of all, or
 * one of another user's that is not our child (a program may have become
 * another user).
 */
bool process_is_foreign(int32_t pid);

#endif
