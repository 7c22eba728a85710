/*
 * alive.c - whether a process that was seen once is still there.
 */
#include "alive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "line.h"

/*
 * proc_pid_stat(5): field 22, in hundredths of a second since boot.  The
 * unit is part of the kernel's interface (USER_HZ) and 100 everywhere.
 */
#define START_FIELD 22
#define TICK_US 10000
/* Clocks are read one after the other, and a tick is not a microsecond. */
#define TOLERANCE_US 2000000

/* Reads the number in field START_FIELD, or returns -1. */
static int64_t
start_ticks(const char *stat)
{
	/* The second field is the program's name: anything in parentheses. */
	const char *at = strrchr(stat, ')');
	int64_t ticks = 0;

	for (int field = 2; at && field < START_FIELD; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (!at || *at < '0' || *at > '9')
		return -1;
	for (; *at >= '0' && *at <= '9' && ticks < INT64_MAX / 100; at++)
		ticks = ticks * 10 + (*at - '0');
	return ticks;
}

/* When process pid started, in microseconds since boot, or -1. */
static int64_t
start_of(int32_t pid)
{
	char path_buffer[32], stat[1024];
	struct line path = LINE(path_buffer);
	FD_AUTO int file = -1;
	ssize_t n;
	int64_t ticks;

	line_text(&path, "/proc/");
	line_int(&path, pid);
	line_text(&path, "/stat");
	file = open(path.text, O_RDONLY | O_CLOEXEC);
	n = file < 0 ? -1 : read(file, stat, sizeof(stat) - 1);
	if (n <= 0)
		return -1;
	stat[n] = '\0';
	ticks = start_ticks(stat);
	return ticks < 0 || ticks > INT64_MAX / TICK_US ? -1 : ticks * TICK_US;
}

bool
process_alive(int32_t pid, int64_t since_us)
{
	struct timespec boot;
	int64_t start_us, slept_us;

	if (pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH))
		return false;
	start_us = start_of(pid);
	if (start_us < 0 || clock_gettime(CLOCK_BOOTTIME, &boot) < 0)
		return true;
	/* CLOCK_MONOTONIC stands still while the machine is suspended. */
	slept_us =
	    boot.tv_sec * INT64_C(1000000) + boot.tv_nsec / 1000 - clock_us();
	/* since_us may come from a broken process, and be anything. */
	return start_us - slept_us - TOLERANCE_US <= since_us;
}
