/*
 * usherd.c - the small program that stays: what it was started for, and with
 * what, is sorted out here; keeper.c and session.c do the work.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "fd.h"
#include "handover.h"
#include "inetd.h"
#include "keeper.h"
#include "lean.h"
#include "log.h"
#include "notify.h"
#include "process.h"
#include "programs.h"
#include "reach.h"
#include "reload.h"
#include "signals.h"

enum {
	USAGE = 2,
};

LEAN_ASIDE struct listener usherd_listeners[LISTENERS_MAX];
LEAN_ASIDE char usherd_path[PROGRAMS_PATH_MAX]; /* of the scoreboard */

/* Where the scoreboard is if systemd names no runtime directory. */
#define RUNTIME_DIRECTORY "/run/usher"

/* Of which so much else is a member. */
#define NOGROUP 65534

struct arguments {
	bool serve;
	char *inetd; /* a rules file */
	char *config; /* for the reload; NULL: the default place */
	char *need; /* for the reload as well; NULL: nothing */
	const char *usher; /* usher's own file; NULL: no reload */
	const char *chroot;
	uid_t uid;
	gid_t gid;
	bool drop;
	char **names; /* of the listening sockets */
	size_t n_names;
};

static int
usage(void)
{
	static const char text[] =
	    "usage: usherd --inetd FILE\n"
	    "Serves the connection, or the listening socket, that is its "
	    "standard input.\n"
	    "With listening sockets of its own it is started by \"usher "
	    "serve\".\n";

	if (write(2, text, sizeof(text) - 1) < 0)
		return USAGE;
	return USAGE;
}

/* UID:GID, as usher serve has looked them up. */
static bool
parse_ids(struct arguments *args, const char *text)
{
	char *end;
	unsigned long uid = strtoul(text, &end, 10), gid;

	if (end == text || *end != ':')
		return false;
	text = end + 1;
	gid = strtoul(text, &end, 10);
	if (end == text || *end != '\0')
		return false;
	args->uid = (uid_t)uid;
	args->gid = (gid_t)gid;
	args->drop = true;
	return true;
}

static bool
parse_arguments(int argc, char **argv, struct arguments *args)
{
	static const struct option options[] = {
		{ "serve", no_argument, NULL, 's' },
		{ "inetd", required_argument, NULL, 'i' },
		{ "config", required_argument, NULL, 'c' },
		{ "need", required_argument, NULL, 'n' },
		{ "usher", required_argument, NULL, 'u' },
		{ "drop", required_argument, NULL, 'd' },
		{ "chroot", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			args->serve = true;
			break;
		case 'i':
			args->inetd = optarg;
			break;
		case 'c':
			args->config = optarg;
			break;
		case 'n':
			args->need = optarg;
			break;
		case 'u':
			args->usher = optarg;
			break;
		case 'r':
			args->chroot = optarg;
			break;
		case 'd':
			if (!parse_ids(args, optarg))
				return false;
			break;
		default:
			return false;
		}
	}
	args->names = argv + optind;
	args->n_names = (size_t)(argc - optind);
	return args->serve != (args->inetd != NULL) &&
	    args->n_names <= LISTENERS_MAX &&
	    (args->inetd == NULL || args->n_names == 0);
}

/*
 * The scoreboard, in a file where others can look at it if there is a place,
 * else in memory.  Only another usherd in the same place is an error.
 */
static int
open_board(struct scoreboard *board)
{
	char *path = usherd_path;
	const char *given = getenv("RUNTIME_DIRECTORY");
	const char *directory = RUNTIME_DIRECTORY;
	struct line first = LINE(usherd_path);
	char buffer[256];
	struct line text = LINE(buffer);
	int32_t owner = 0;
	int r;

	/* systemd may name several, separated by colons: ours is the first. */
	if (given != NULL && given[0] == '/') {
		line_bytes(&first, given, strcspn(given, ":"));
		directory = path;
	}
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		directory = NULL;
	r = scoreboard_open(board, directory, BOARD_FD, &owner);
	if (r == -EBUSY) {
		line_text(&text, "usherd ");
		line_int(&text, owner);
		line_text(&text, " already uses ");
		line_text(&text, directory);
		line_text(&text, "; give each its own RUNTIME_DIRECTORY");
		log_event(LOG_ERR, buffer);
		return r;
	}
	if (r < 0 && directory != NULL) {
		log_errno(LOG_WARNING,
		    "usher status will not find us, no scoreboard", -r);
		r = scoreboard_open(board, NULL, BOARD_FD, &owner);
	}
	if (r < 0)
		log_errno(LOG_ERR, "cannot make the scoreboard", -r);
	return r;
}

/* Everything is open: what is left needs no rights. */
static int
settle(const struct arguments *args, const struct rules *rules)
{
	int r = 0;

	/* For "usher status", which a group of ours may use. */
	if (args->drop && args->gid != NOGROUP)
		(void)fchown(BOARD_FD, (uid_t)-1, args->gid);
	if (args->chroot != NULL &&
	    (chroot(args->chroot) < 0 || chdir("/") < 0))
		r = -errno;
	if (r < 0) {
		log_errno(LOG_ERR, "cannot change the root directory", -r);
		return r;
	}
	if (args->drop)
		r = process_drop(
		    args->uid, args->gid, reach_needs_right(rules));
	if (r < 0)
		log_errno(LOG_ERR, "cannot give up root", -r);
	return r;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* sd_watchdog_enabled(3) in small. */
static int64_t
watchdog_us(void)
{
	const char *usec = getenv("WATCHDOG_USEC"),
		   *pid = getenv("WATCHDOG_PID");

	if (usec == NULL ||
	    (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	return strtoll(usec, NULL, 10);
}

/* usher dump [-c FILE] [--need WORD] NULL */
#define DUMP_ARGS_MAX 7

static void
write_dump(const struct arguments *args, char **ret)
{
	static char usher[] = "usher", dump[] = "dump", c[] = "-c",
		    need[] = "--need";

	*ret++ = usher;
	*ret++ = dump;
	if (args->config != NULL) {
		*ret++ = c;
		*ret++ = args->config;
	}
	if (args->need != NULL) {
		*ret++ = need;
		*ret++ = args->need;
	}
	*ret = NULL;
}

static int
serve(const struct arguments *args)
{
	struct listener *listeners = usherd_listeners;
	static struct scoreboard board;
	char *dump_argv[DUMP_ARGS_MAX];
	struct keeper_options options = {
		.listeners = listeners,
		.n = args->n_names,
		.board = &board,
		.relay_exe = is_open(RELAY_EXE_FD) ? RELAY_EXE_FD : -1,
		.dump_path = args->usher,
		.dump_argv = dump_argv,
		.config = args->config,
		.exit_idle_ms = RULES_OFF,
	};

	for (size_t i = 0; i < args->n_names; i++) {
		listeners[i].fd = LISTENERS_FD + (int)i;
		listeners[i].name = args->names[i];
		if (!is_open(listeners[i].fd))
			return usage();
	}
	write_dump(args, dump_argv);
	if (!is_open(RULES_FD))
		return usage();
	if (reload_read(RULES_FD, &options.rules) < 0)
		return EXIT_FAILURE;
	(void)close(RULES_FD);
	/* Else it is not worth having until other rules come. */
	if (options.rules->settings.isolation != ISOLATION_SHARED)
		lean_drop_vdso();
	log_open("usherd", options.rules->settings.log_target);
	options.notify = notify_open();
	options.watchdog_us = watchdog_us();
	if (open_board(&board) < 0 || settle(args, options.rules) < 0)
		return EXIT_FAILURE;
	options.drop_acceptor = getuid() == 0;
	return keeper_run(&options);
}

int
main(int argc, char **argv)
{
	struct arguments args = { .serve = false };

	lean_begin(argc, argv);
	lean_join_data();
	if (!parse_arguments(argc, argv, &args))
		return usage();
	if (args.serve)
		lean_measure_vdso(); /* the rules may say that it is needed */
	else
		lean_drop_vdso();
	if (fd_sanitise_standard() < 0)
		return EXIT_FAILURE;
	signals_take();
	/*
	 * There is nothing to be flushed, and whoever waits for the port must
	 * not wait for anything else: LeakSanitizer, which looks at a process
	 * that exits, can be held up for good by children that end meanwhile.
	 */
	_exit(args.serve ? serve(&args) : inetd_run(args.inetd));
}
