/*
 * cmd_status.c - "usher status": live connections and totals.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "deadline.h"
#include "fd.h"
#include "status.h"

#define DEFAULT_DIRECTORY "/run/usher"

typedef void write_status(FILE *out, const struct status *status);

/* Writes the path of the scoreboard.  Returns whether it fits. */
static bool
find_path(const char *directory, char *ret, size_t size)
{
	const char *given = getenv("RUNTIME_DIRECTORY");
	int n;

	if (!directory)
		directory = given && given[0] ? given : DEFAULT_DIRECTORY;
	/* systemd may name several, separated by colons: ours is the first. */
	n = snprintf(ret, size, "%.*s/%s",
	    directory == given ? (int)strcspn(given, ":") : INT_MAX, directory,
	    SCOREBOARD_FILE);
	return n > 0 && (size_t)n < size;
}

static int
complain(const char *path, const char *why)
{
	fprintf(stderr, "usher status: %s: %s\n", path, why);
	return EXIT_FAILED;
}

static const char *
reason(int error)
{
	if (error == ENOENT)
		return "no scoreboard: usherd does not run there, or may not "
		       "write there";
	if (error == EPROTO)
		return "no scoreboard of this version of usher";
	return strerror(error);
}

static int
show(const struct scoreboard *board, write_status *write)
{
	struct status status;

	if (status_read(&status, board, clock_us()) < 0)
		return complain("scoreboard", strerror(ENOMEM));
	write(stdout, &status);
	status_free(&status);
	if (fflush(stdout) != 0 || ferror(stdout))
		return complain("standard output", strerror(errno));
	return EXIT_DONE;
}

static int
show_path(const char *path, write_status *write)
{
	FD_AUTO int fd =
	    open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct scoreboard board;
	int r;

	if (fd < 0)
		return complain(path, reason(errno));
	r = scoreboard_snapshot(&board, fd);
	if (r < 0)
		return complain(path, reason(-r));
	r = show(&board, write);
	scoreboard_close(&board);
	return r;
}

int
cmd_status(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "prometheus", no_argument, NULL, 'p' },
		{ "directory", required_argument, NULL, 'd' },
		{ 0 },
	};
	write_status *write = status_write_table;
	const char *directory = NULL;
	char path[PATH_MAX];
	int option;

	while ((option = getopt_long(argc, argv, "d:", options, NULL)) >= 0) {
		if (option == 'j' && write != status_write_prometheus)
			write = status_write_json;
		else if (option == 'p' && write != status_write_json)
			write = status_write_prometheus;
		else if (option == 'd')
			directory = optarg;
		else if (option == '?')
			return cmd_usage(argv);
		else
			return cmd_unexpected(argv, argv[optind - 1],
			    ", one form of the output at a time");
	}
	if (optind < argc)
		return cmd_unexpected(argv, argv[optind], "");
	if (!find_path(directory, path, sizeof(path)))
		return complain(directory ? directory : "RUNTIME_DIRECTORY",
		    strerror(ENAMETOOLONG));
	return show_path(path, write);
}
