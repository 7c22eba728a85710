/*
 * cage.c - tries from inside the sandbox what must not work, and what must.
 *
 * A program of its own, not a unit test, because it is linked as usherd and
 * usher-relay are: what a libc asks of the kernel depends on which it is.
 * Each row runs in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage.h"
#include "fd.h"
#include "line.h"

#define SKIPPED 77
#define NOT_HERE (-1000) /* not in this kernel */
#define RUN_AS_RELAY "relay" /* argv[1] after the exec */
#define RUN_AS_HEIR "heir" /* the same; then the number of a trial */
#define THINGS_FD 60 /* where an heir finds what we have */

struct things have;

static int
listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (struct sockaddr *)&at, len);
	listen(listener, 100);
	getsockname(listener, (struct sockaddr *)&at, &len);
	*ret_port = ntohs(at.sin_port);
	return listener;
}

static void
listen_to_a_name(void)
{
	socklen_t len = sizeof(have.abstract_name.sun_family);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	have.abstract_name.sun_family = AF_UNIX;
	bind(listener, (struct sockaddr *)&have.abstract_name, len);
	have.abstract_len = sizeof(have.abstract_name);
	getsockname(listener, (struct sockaddr *)&have.abstract_name,
	    &have.abstract_len);
	listen(listener, 100);
}

/* Somebody who is outside of every cage, as long as we are there. */
static pid_t
start_stranger(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* The program beside us that is linked where usher-relay is. */
static int
open_heir(const char *name)
{
	char path[4096];
	struct line line = LINE(path);

	line_text(&line, name);
	line_text(&line, "-relay");
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void
prepare(char **argv)
{
	char name[] = "/tmp/usher-cage-XXXXXX";
	int32_t owner;

	/* A file there would leave files without a limit. */
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	have.relay_exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	have.heir_exe = open_heir(argv[0]);
	have.other_exe = open("/bin/true", O_RDONLY | O_CLOEXEC);
	have.file = mkstemp(name);
	unlink(name);
	socketpair(AF_UNIX, SOCK_STREAM, 0, have.ends);
	listen_somewhere(&have.allowed_port);
	listen_somewhere(&have.other_port);
	listen_to_a_name();
	scoreboard_open(&have.board, NULL, -1, &owner);
	have.epoll = epoll_create1(EPOLL_CLOEXEC);
	have.stranger = start_stranger();
	have.relay_argv[0] = argv[0];
	have.relay_argv[1] = (char *)(uintptr_t)RUN_AS_RELAY;
}

static int
enter(enum cage cage)
{
	const struct sandbox_spec spec = {
		.relay_exe = cage == HEIR ? have.heir_exe : have.relay_exe,
		.ports = &have.allowed_port,
		.n_ports = 1,
		.bind = cage == BINDER,
		.local = cage == LOCAL,
		.shared = cage == WORKER || cage == MANY,
	};
	int parts = sandbox_acceptor(&spec), r;

	if (parts < 0 || (cage != RELAY && cage != MANY))
		return parts;
	r = sandbox_relay(cage == MANY);
	return r < 0 ? r : parts;
}

static void
say(const char *a, const char *b, int number)
{
	char buffer[256];
	struct line line = LINE(buffer);

	line_text(&line, a);
	line_text(&line, b);
	line_int(&line, number);
	line_char(&line, '\n');
	(void)!write(STDOUT_FILENO, line.text, line.len);
}

/* All that is open stays so, for the program that comes next. */
static void
leave_things(void)
{
	const int fds[] = { have.relay_exe, have.other_exe, have.epoll };
	int things = memfd_create("things", 0);

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fd_set_cloexec(fds[i], 0);
	(void)!write(things, &have, sizeof(have));
	(void)lseek(things, 0, SEEK_SET);
	(void)dup2(things, THINGS_FD);
}

static int
act_as_heir(const struct trial *trial)
{
	char number[16];
	struct line line = LINE(number);
	char *argv[] = { have.relay_argv[0], (char *)(uintptr_t)RUN_AS_HEIR,
		number, NULL };

	line_int(&line, trial - trials);
	return (int)syscall(SYS_execveat, have.heir_exe, "", argv,
	    have.no_environment, AT_EMPTY_PATH);
}

/* After that exec. */
static int
be_heir(char **argv)
{
	size_t i = (size_t)atoi(argv[2]);

	if (read(THINGS_FD, &have, sizeof(have)) != (ssize_t)sizeof(have) ||
	    i >= trials_count)
		return 254;
	have.relay_argv[0] = argv[0];
	have.relay_argv[1] = argv[1];
	errno = 0;
	return trials[i].act() >= 0 ? 0 : errno ? errno : EIO;
}

/* Runs a trial; returns 0, an errno or SIGNALLED(...); NOT_HERE if skipped. */
static int
try(const struct trial *trial)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		int parts;

		socketpair(
		    AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, have.stream);
		if (trial->cage == HEIR)
			leave_things();
		parts = enter(trial->cage);

		if (parts < 0 || (parts & trial->parts) != trial->parts)
			_exit(255);
		errno = 0;
		if (trial->cage == HEIR)
			_exit(act_as_heir(trial) >= 0 ? 0 : 253);
		_exit(trial->act() >= 0 ? 0 : errno ? errno : EIO);
	}
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		return SIGNALLED(WTERMSIG(status));
	return WEXITSTATUS(status) == 255 ? NOT_HERE : WEXITSTATUS(status);
}

static bool
run_all(void)
{
	bool good = true;

	for (size_t i = 0; i < trials_count; i++) {
		const struct trial *trial = &trials[i];
		int r = try(trial);

		if (r == NOT_HERE) {
			say("not in this kernel, or this build: ", trial->name,
			    0);
		} else if (r != trial->expected) {
			good = false;
			say(trial->name, ": ", r);
			say("  expected: ", "", trial->expected);
		}
	}
	return good;
}

/* After the exec: what usher-relay does first has to be let. */
static int
be_relay(void)
{
	static struct scoreboard again;
	int fd, mapped = -1;

	(void)prctl(PR_SET_NAME, "usher-relay");
	for (fd = 3; fd < 64 && mapped < 0; fd++)
		mapped = scoreboard_map(&again, fd);
	if (sandbox_relay(false) < 0)
		return 1;
	return mapped == 0 ? 0 : 2;
}

int
main(int argc, char **argv)
{
	int probe;

	signal(SIGTERM, SIG_DFL);
	if (argc == 2 && strcmp(argv[1], RUN_AS_RELAY) == 0)
		return be_relay();
	if (argc == 3 && strcmp(argv[1], RUN_AS_HEIR) == 0)
		_exit(be_heir(argv));
	prepare(argv);
	fd_set_cloexec(have.board.fd, 0);
	probe = fork();
	if (probe == 0)
		_exit(enter(ACCEPTOR) > 0 ? 0 : 1);
	waitpid(probe, &probe, 0);
	if (probe != 0) {
		say("there is no sandbox", "", 0);
		return SKIPPED;
	}
	return run_all() ? 0 : 1;
}
