/*
 * listener.c - the acceptor: waits for clients, and reaps its children.
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "bury.h"
#include "confine.h"
#include "crew.h"
#include "fd.h"
#include "handover.h"
#include "lean.h"
#include "listener_inner.h"
#include "log.h"
#include "process.h"
#include "rest.h"
#include "signals.h"

/*
 * While clients come, a child that ends is no reason to wake up: it has seen
 * to its slot itself, and is reaped when the next client comes.
 */
#define BUSY_US 20000

/*
 * To find a child that has ended the kernel looks at all of them, so the more
 * there are (or are to be) the longer it is until the next search.
 */
#define SEARCH_US_EACH 20
/* So many while clients come: others will be known to have left. */
#define SEARCH_BUSY 4

/* A child that gave its slot back has said and counted everything itself. */
static void
bury(struct acceptor *a, pid_t pid, int status)
{
	const struct generation *g = a->door.generation;
	uint32_t index = children_remove(&a->children, pid);

	if (index != CHILDREN_NONE &&
	    bury_connection(g, scoreboard_slot(g->board, index), pid, status))
		log_violation(status);
}

/* Those of whom it is known: the kernel need not look for them. */
static void
reap_leaving(struct acceptor *a)
{
	struct child *child;
	int status = 0;
	pid_t pid;

	while ((child = children_leaving(&a->children)) != NULL) {
		pid = child->pid;
		if (waitpid(pid, &status, WNOHANG) == 0)
			return;
		bury(a, pid, status);
	}
}

/* Any, which is how those are found that died before they were done. */
void
listener_reap(struct acceptor *a)
{
	int64_t now_us = clock_us();
	uint32_t left = now_us < a->busy_until_us ? SEARCH_BUSY : UINT32_MAX;
	int status;
	pid_t pid;

	if (now_us < a->search_us)
		return;
	signals.child = 0;
	while (left > 0 && a->children.n > 0 &&
	    (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bury(a, pid, status);
		left--;
	}
	if (left == 0)
		signals.child = 1; /* there may be more, for later */
	a->search_us =
	    clock_us() + BUSY_US + (int64_t)a->children.n * SEARCH_US_EACH;
}

/* Which listeners to wait for now, and how long at most. */
static struct deadline
plan_door(const struct door *door, struct pollfd *fds)
{
	int64_t now_us = clock_us();
	bool paused = now_us < door->paused_until_us;
	bool full = door_is_full(door);

	for (size_t i = 0; i < door->n; i++) {
		fds[i].fd = paused || full || door->holding ?
		    -1 :
		    door->listeners[i].fd;
		fds[i].events = POLLIN;
	}
	if (paused)
		return (struct deadline){ door->paused_until_us };
	/* Who makes room may be nobody's child of ours: look again. */
	if (full)
		return deadline_after(now_us, PAUSE_MS);
	return deadline_after(now_us, door->holding ? 0 : -1);
}

static struct deadline
plan(const struct acceptor *a, struct pollfd *fds)
{
	struct deadline until = plan_door(&a->door, fds);
	bool calls = a->lobby.n > 0 && clock_us() >= a->door.paused_until_us;

	fds[a->door.n] = (struct pollfd){
		.fd = calls ? a->lobby.epoll : -1,
		.events = POLLIN,
	};
	return calls ? deadline_first(until, lobby_due(&a->lobby)) : until;
}

/* Until when no child that ends is a reason to wake up. */
static struct deadline
undisturbed(const struct acceptor *a)
{
	if (signals.child && a->search_us > a->busy_until_us)
		return (struct deadline){ a->search_us };
	return (struct deadline){ a->busy_until_us };
}

static void
serve_once(struct acceptor *a)
{
	struct pollfd *fds = a->polls;
	struct door *door = &a->door;
	struct deadline until = plan(a, fds);
	struct deadline busy = undisturbed(a);
	int64_t now_us = clock_us();
	int ready;

	if (signals.child)
		until =
		    deadline_first(until, (struct deadline){ a->search_us });
	/* When there is no room, every end counts. */
	if (deadline_passed(busy, now_us) || door_is_full(door))
		ready =
		    rest_wait(fds, door->n + 1, until, door->generation->board);
	else
		ready = wait_undisturbed(
		    fds, door->n + 1, deadline_first(until, busy));

	if (signals.terminate)
		return; /* children would be born stopped */
	if (door->holding && clock_us() >= door->paused_until_us)
		listener_retry(a);
	/* Before others are let in, for whom they might have to make room. */
	if (a->lobby.n > 0 && clock_us() >= door->paused_until_us)
		listener_call(a, ready > 0 && fds[door->n].revents != 0);
	for (size_t i = 0; ready > 0 && i < door->n; i++)
		if (fds[i].fd >= 0 && fds[i].revents != 0)
			listener_accept(a, &door->listeners[i]);
	if (ready > 0) {
		a->busy_until_us = clock_us() + BUSY_US;
		reap_leaving(a);
		listener_reap(a);
	}
}

/* Begins anew on a stack that takes little to be copied: see lean.h. */
static struct acceptor *acceptor;

/* A process for each connection. */
static void
serve_each_alone(void)
{
	struct acceptor *a = acceptor;
	const struct generation *g = a->door.generation;
	/* Twice: a child that gave its slot back may not be reaped yet. */
	int r = children_init(&a->children,
	    2 * g->rules->settings.limits.max_connections + ACCEPT_BATCH,
	    SCOREBOARD_SLOTS);

	if (r < 0) {
		log_errno(LOG_ERR, "cannot start accepting", -r);
		_exit(1);
	}
	g->board->self = getpid();
	lean_trim();
	clock_tick();
	(void)fd_send(g->keeper, "", 1, -1);
	while (signals.terminate != TERMINATED) {
		if (signals.everybody)
			listener_dismiss_all(a);
		signals.terminate = 0; /* or children would be born stopped */
		serve_once(a);
		if (!signals.child || clock_us() < a->search_us)
			continue;
		listener_reap(a);
		lean_trim(); /* the signal's frame was large */
	}
	signals.terminate = 0;
	if (signals.everybody)
		listener_dismiss_all(a);
	listener_start_all(a);
}

/*
 * No client gets a number below the listeners', for a child closes by number
 * what it does not need; and no child has any use for what is put there.
 */
static int
fill_gaps(void)
{
	for (int fd = STDERR_FILENO + 1; fd < LISTENERS_FD; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    dup3(STDIN_FILENO, fd, O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

/* All who may be undecided, unless that is too much of what confine() leaves.
 */
static uint32_t
count_seats(const struct generation *g)
{
	uint32_t most = g->rules->settings.max_pending;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (most > limit.rlim_max / 2)
		most = (uint32_t)(limit.rlim_max / 2);
	return most;
}

void
listener_run(
    const struct generation *g, const struct listener *listeners, size_t n)
{
	int r;

	/* Retired by the keeper, also by its death; not by a child. */
	signals_obey(getppid());
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != atomic_load(&g->board->head->keeper))
		_exit(0);
	if (g->rules->settings.isolation == ISOLATION_SHARED)
		crew_run(g, listeners, n);
	lean_drop_vdso();
	acceptor = process_memory(sizeof(*acceptor));
	r = acceptor == NULL ? -ENOMEM : fill_gaps();
	if (r < 0) {
		log_errno(LOG_ERR, "cannot start accepting", -r);
		_exit(1);
	}
	r = lobby_init(&acceptor->lobby, count_seats(g));
	if (r < 0)
		log_errno(LOG_WARNING, "silent clients get processes too", -r);
	/* Once, and every child is born restricted. */
	if (confine(g->rules, g->relay_exe, &g->board->head->told) < 0)
		_exit(1);
	acceptor->door = (struct door){
		.generation = g,
		.listeners = listeners,
		.n = n,
		.make_room = listener_evict,
	};
	door_open(&acceptor->door);
	lean_run(serve_each_alone);
}
