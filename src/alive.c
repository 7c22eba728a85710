/*
 * alive.c - whether a process that was seen once is still there.
 */
#include "alive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "line.h"
#include "number.h"

/*
 * proc_pid_stat(5): from the third field on there are the state, the parent,
 * and in the 22nd the start, in hundredths of a second since boot.  The unit is
 * part of the kernel's interface (USER_HZ) and 100 everywhere.
 */
#define PARENT_FIELD 4
#define START_FIELD 22
#define TICK_US 10000
/* Clocks are read one after the other, and a tick is not a microsecond. */
#define TOLERANCE_US 2000000

struct look {
	bool zombie;
	int64_t parent;
	int64_t start_us; /* since boot */
};

/* Reads the number in a field of what follows the second one, or -1. */
static int64_t
field_of(const char *at, int field)
{
	int64_t number = 0;

	for (int i = 2; at && i < field; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (!at ||
	    number_take(at, strlen(at), INT64_MAX / TICK_US, &number) <= 0)
		return -1;
	return number;
}

/* What /proc says of pid.  False if it says nothing. */
static bool
look_at(int32_t pid, struct look *ret)
{
	char path_buffer[32], stat[1024];
	struct line path = LINE(path_buffer);
	FD_AUTO int file = -1;
	const char *rest;
	int64_t ticks;
	ssize_t n;

	line_text(&path, "/proc/");
	line_int(&path, pid);
	line_text(&path, "/stat");
	file = open(path.text, O_RDONLY | O_CLOEXEC);
	n = file < 0 ? -1 : read(file, stat, sizeof(stat) - 1);
	if (n <= 0)
		return false;
	stat[n] = '\0';
	/* The second field is the program's name: anything in parentheses. */
	rest = strrchr(stat, ')');
	ticks = field_of(rest, START_FIELD);
	if (ticks < 0 || ticks > INT64_MAX / TICK_US)
		return false;
	ret->zombie = rest[1] != '\0' && rest[2] == 'Z';
	ret->parent = field_of(rest, PARENT_FIELD);
	ret->start_us = ticks * TICK_US;
	return true;
}

bool
process_alive(int32_t pid, int64_t since_us)
{
	struct look look;

	if (pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH))
		return false;
	if (!look_at(pid, &look))
		return true;
	/* since_us may come from a broken process, and be anything. */
	return !look.zombie &&
	    look.start_us - clock_suspended_us() - TOLERANCE_US <= since_us;
}

bool
process_awaits(int32_t pid, int32_t reaper)
{
	struct look look, parent;

	if (pid <= 0 || !look_at(pid, &look) || !look.zombie)
		return false;
	return look.parent == reaper ||
	    (look_at((int32_t)look.parent, &parent) &&
		parent.parent == reaper && !parent.zombie);
}

bool
process_is_foreign(int32_t pid)
{
	struct look look;

	if (pid == 1)
		return getpid() != 1;
	if (pid <= 0 || kill(pid, 0) == 0 || errno != EPERM)
		return false;
	return !look_at(pid, &look) || look.parent != getpid();
}
