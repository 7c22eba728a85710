#include "inetd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "alone.h"
#include "arena.h"
#include "confine.h"
#include "deadline.h"
#include "fd.h"
#include "handover.h"
#include "keeper.h"
#include "launch.h"
#include "lean.h"
#include "listener.h"
#include "log.h"
#include "match.h"
#include "process.h"
#include "programs.h"
#include "reach.h"
#include "reload.h"
#include "signals.h"

/* inetd "wait": how long to stay for the next connection, if not set. */
#define STAY_MS 60000

#define NOBODY 65534

enum {
	DONE = 0,
	FAILED = 1,
	USAGE = 2,
};

/* What usher is asked with, before the file. */
static char words[3][8] = { "usher", "dump", "-c" };

/* Reads them as they are; what only usher can read, it reads for us. */
static int
read_rules(char *file, const char *usher, struct rules **ret)
{
	char *argv[] = { words[0], words[1], words[2], file, NULL };
	struct reload reload = { .out = -1, .err = -1 };
	FD_AUTO int fd = open(file, O_RDONLY | O_CLOEXEC);
	int r, status;

	if (fd < 0) {
		r = -errno;
		log_errno(LOG_ERR, file, -r);
		return r;
	}
	r = reload_try(fd, ret);
	if (r == 0)
		return 0;
	r = reload_start(&reload, usher, argv);
	if (r < 0) {
		log_errno(LOG_ERR, "cannot run usher dump", -r);
		return r;
	}
	if (waitpid(atomic_load(&reload.pid), &status, 0) < 0)
		return -errno;
	return reload_finish(&reload, status, ret);
}

/*
 * Super-servers put the client on 1 and 2 as well, where a stray message
 * would be sent to it.
 */
static void
free_standard(void)
{
	struct stat client, other;
	FD_AUTO int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 2; fd >= 0; fd--) {
		if (null < 0 || fstat(0, &client) < 0 || fstat(fd, &other) < 0)
			return;
		if (client.st_dev == other.st_dev &&
		    client.st_ino == other.st_ino)
			(void)dup2(null, fd);
	}
}

/* -1: relays in this process then. */
static int
open_relay(const char *path)
{
	int found = open(path, O_RDONLY | O_CLOEXEC);

	if (found < 0 || found == RELAY_EXE_FD)
		return found;
	(void)dup3(found, RELAY_EXE_FD, O_CLOEXEC);
	(void)close(found);
	return RELAY_EXE_FD;
}

LEAN_ASIDE char inetd_usher[PROGRAMS_PATH_MAX];
LEAN_ASIDE char inetd_path[PROGRAMS_PATH_MAX];

static int
serve_listening(
    struct rules *rules, struct scoreboard *board, int relay_exe, char *file)
{
	static const struct listener listener = { LISTENERS_FD, "" };
	char *argv[] = { words[0], words[1], words[2], file, NULL };
	struct keeper_options options = {
		.rules = rules,
		.listeners = &listener,
		.n = 1,
		.board = board,
		.relay_exe = relay_exe,
		.dump_path = inetd_usher,
		.dump_argv = argv,
		.drop_acceptor = getuid() == 0,
		.exit_idle_ms = STAY_MS,
	};

	programs_beside("usher", inetd_usher);
	(void)fd_set_nonblock(LISTENERS_FD, 1);
	return keeper_run(&options);
}

static const struct service *
service_of_row(const struct generation *generation, uint16_t row)
{
	const struct rules *rules = generation->rules;

	for (size_t i = 0; i < rules->n_services; i++)
		if (generation->rows[i] == row &&
		    rules->services[i].target == GO_EXEC)
			return &rules->services[i];
	return NULL;
}

/* Runs the program to its end, and writes the connection's line. */
static void
keep_program(const struct session *session, uint16_t row, int client)
{
	const struct rules *rules = session->generation->rules;
	const struct service *service =
	    service_of_row(session->generation, row);
	struct connection *slot = session->slot;
	int status = 0, r;

	if (service == NULL)
		return;
	slot->end = END_BACKEND_CLOSED;
	r = launch_program(session->generation->board, service, client, slot);
	(void)close(client);
	if (r < 0) {
		slot->end = END_ERROR;
		slot->error = (int16_t)-r;
	} else if (waitpid(atomic_load(&slot->pid), &status, 0) > 0 &&
	    WIFSIGNALED(status)) {
		slot->end = END_KILLED;
	}
	log_connection(session->generation->board, slot, service->limits.log,
	    rules->settings.hide_clients);
}

/*
 * Programs are run by a process that is in no sandbox; there is no keeper
 * here, so it is this one, and a child of it is the session.  Returns in the
 * child; the other waits for a request, or for the child to be done with.
 */
static int
fork_session(struct session *session)
{
	struct launch_request request;
	FD_AUTO int requests = launch_listen();
	int client = -1;
	pid_t pid;

	if (requests < 0)
		return requests;
	pid = process_fork(&session->slot->pid);
	if (pid <= 0)
		return pid;
	/* To be ended as any process; the session goes on without. */
	signals_release();
	(void)close(session->client);
	(void)close(KEEPER_FD);
	if (fd_receive(requests, &request, sizeof(request), &client) ==
		sizeof(request) &&
	    client >= 0)
		keep_program(session, request.row, client);
	(void)waitpid(pid, NULL, 0);
	_exit(DONE);
}

static int
prepare_session(struct session *session, struct generation *generation)
{
	const struct rules *rules = generation->rules;
	struct endpoint source;

	for (size_t i = 0; i < rules->n_services; i++)
		generation->rows[i] = scoreboard_service(
		    generation->board, rules->services[i].name);
	endpoint_from(&source, &session->from);
	session->slot = scoreboard_take(generation->board, 1, &source);
	if (session->slot == NULL)
		return -ENOSPC;
	atomic_store(&session->slot->pid, getpid());
	session->slot->start_us = clock_us();
	(void)fd_set_nonblock(session->client, 1);
	door_prepare(session->client, &rules->settings);
	if (!launch_is_wanted(rules))
		return 0;
	generation->keeper = KEEPER_FD;
	return fork_session(session);
}

static int
serve_connection(struct rules *rules, struct scoreboard *board, int relay_exe)
{
	struct generation generation = {
		.rules = rules,
		.rows = arena_alloc(
		    rules->arena, (rules->n_services + 1) * sizeof(uint16_t)),
		.needs_local = match_needs_local(rules),
		.board = board,
		.relay_exe = relay_exe,
		.keeper = -1,
	};
	struct session session = {
		.generation = &generation,
		.client = LISTENERS_FD,
		.from = { .len = sizeof(struct sockaddr_un) },
		.socket = "",
	};

	if (generation.rows == NULL)
		return FAILED;
	if (getpeername(session.client, &session.from.any, &session.from.len) <
	    0)
		return DONE; /* it is gone already */
	addr_unmap(&session.from);
	if (prepare_session(&session, &generation) < 0)
		return FAILED;
	if (getuid() == 0 &&
	    process_drop(NOBODY, NOBODY, reach_needs_right(rules)) < 0)
		return FAILED;
	if (confine(rules, relay_exe, &board->head->told) < 0)
		return FAILED;
	alone_run(&session);
}

/* Finds out whether standard input is a socket of ours, and of which kind. */
static int
look_at_standard(int *ret_listening)
{
	socklen_t len = sizeof(int);
	int type = 0;

	if (getsockopt(0, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_STREAM) {
		log_event(LOG_ERR,
		    "standard input is no stream socket: --inetd is "
		    "for systemd (Accept=yes), inetd, xinetd, tcpserver");
		return -EINVAL;
	}
	(void)getsockopt(0, SOL_SOCKET, SO_ACCEPTCONN, ret_listening, &len);
	return 0;
}

/*
 * Moves the socket to LISTENERS_FD.  What else the super-server has left open
 * is nothing to us, and may be in the way.
 */
static int
take_standard(void)
{
	int at, r = 0;

	(void)fd_close_from(STDERR_FILENO + 1);
	at = fcntl(0, F_DUPFD_CLOEXEC, LISTENERS_FD);
	if (at != LISTENERS_FD)
		r = at < 0 ? -errno : -EBUSY;
	free_standard();
	log_open("usherd", TARGET_AUTO);
	if (r < 0)
		log_errno(LOG_ERR, "cannot keep the socket", -r);
	return r;
}

int
inetd_run(char *file)
{
	static struct scoreboard board;
	char *path = inetd_path;
	struct rules *rules;
	int listening = 0, relay_exe, r;
	int32_t owner;

	if (look_at_standard(&listening) < 0)
		return USAGE;
	if (take_standard() < 0)
		return FAILED;
	programs_beside("usher", path);
	if (read_rules(file, path, &rules) < 0)
		return FAILED;
	if (rules->settings.log_target != TARGET_AUTO)
		log_open("usherd", rules->settings.log_target);
	programs_relay(path);
	relay_exe = open_relay(path);
	r = scoreboard_open(&board, NULL, BOARD_FD, &owner);
	if (r < 0) {
		log_errno(LOG_ERR, "cannot make the scoreboard", -r);
		return FAILED;
	}
	if (listening)
		return serve_listening(rules, &board, relay_exe, file);
	return serve_connection(rules, &board, relay_exe);
}
