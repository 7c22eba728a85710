#include "listener.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "alone.h"
#include "bury.h"
#include "children.h"
#include "confine.h"
#include "crew.h"
#include "fd.h"
#include "handover.h"
#include "lean.h"
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
 * there are the longer it is until the next search.
 */
#define SEARCH_US_EACH 20
/* So many while clients come: others will be known to have left. */
#define SEARCH_BUSY 4

/* In memory that children do not inherit: they cannot look at it. */
struct acceptor {
	struct door door; /* first: see evict() */
	struct children children;
	int64_t busy_until_us;
	int64_t search_us; /* when to look for any that ended */
	struct pollfd polls[LISTENERS_MAX];
};

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
static void
reap(struct acceptor *a)
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

/* Makes room: the one that has been undecided for longest has to go. */
static void
evict(struct door *door)
{
	struct acceptor *a = (struct acceptor *)door;
	struct child *child;

	while ((child = children_oldest(&a->children)) != NULL) {
		struct connection *slot =
		    scoreboard_slot(door->generation->board, child->slot);
		bool pending = atomic_load(&slot->pid) == child->pid &&
		    atomic_load(&slot->state) == CONN_PENDING;

		children_decided(&a->children, child);
		if (!pending)
			continue;
		atomic_store(&slot->evict, 1);
		(void)kill(child->pid, SIGTERM);
		return;
	}
}

/* In the child: nothing of the acceptor's stays open but what it needs. */
_Noreturn static void
be_child(struct session *session)
{
	signals_obey(0);
	/* Which number it got depends on what else was free. */
	if (session->client > LISTENERS_FD)
		(void)fd_close_range(LISTENERS_FD, session->client - 1);
	else
		(void)fd_close_from(LISTENERS_FD);
	alone_run(session);
}

/*
 * A client that was accepted is not lost when there is no process for it now:
 * it is held until after the pause, and nobody else is accepted meanwhile.
 */
static void
start_session(struct acceptor *a, struct session *session)
{
	struct door *door = &a->door;
	pid_t pid = process_fork(&session->slot->pid);

	if (pid == 0)
		be_child(session);
	door->holding = pid < 0;
	if (pid < 0) {
		complaints_say(&door->complaints,
		    "cannot start a process for a connection, "
		    "trying again",
		    (int)-pid);
		door->held = *session;
		door_pause(door);
		return;
	}
	(void)close(session->client);
	if (children_add(&a->children, pid,
		scoreboard_index(door->generation->board, session->slot)) < 0)
		complaints_say(&door->complaints,
		    "too many children to keep count of", ENOSPC);
}

/* Not on the stack, whose next page is to be a child's alone. */
static struct session newcomer;

static void
accept_from(struct acceptor *a, const struct listener *listener)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int r;

		newcomer = (struct session){ .generation = NULL };
		r = door_accept(&a->door, listener, &newcomer);
		if (r == 0)
			return;
		if (r > 0)
			start_session(a, &newcomer);
	}
}

/* The one that is held gets another try. */
static void
retry(struct acceptor *a)
{
	struct session session = a->door.held;

	if (session.slot != NULL || door_readmit(&a->door, &session) > 0)
		start_session(a, &session);
}

/* Which sockets to listen to now, and how long at most. */
static struct deadline
plan(const struct acceptor *a, struct pollfd *fds)
{
	const struct door *door = &a->door;
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
		ready = rest_wait(fds, door->n, until, door->generation->board);
	else
		ready =
		    wait_undisturbed(fds, door->n, deadline_first(until, busy));

	if (door->holding && clock_us() >= door->paused_until_us)
		retry(a);
	for (size_t i = 0; ready > 0 && i < door->n; i++)
		if (fds[i].fd >= 0 && fds[i].revents != 0)
			accept_from(a, &door->listeners[i]);
	if (ready > 0) {
		a->busy_until_us = clock_us() + BUSY_US;
		reap_leaving(a);
		reap(a);
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
		signals.terminate = 0; /* or children would be born stopped */
		serve_once(a);
		if (!signals.child || clock_us() < a->search_us)
			continue;
		reap(a);
		lean_trim(); /* the signal's frame was large */
	}
}

void
listener_run(
    const struct generation *g, const struct listener *listeners, size_t n)
{
	/* Retired by the keeper, also by its death; not by a child. */
	signals_obey(getppid());
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != atomic_load(&g->board->head->keeper))
		_exit(0);
	if (g->rules->settings.isolation == ISOLATION_SHARED)
		crew_run(g, listeners, n);
	lean_drop_vdso();
	/* Once, and every child is born restricted. */
	if (confine(g->rules, g->relay_exe, &g->board->head->told) < 0)
		_exit(1);
	acceptor = process_memory(sizeof(*acceptor));
	if (acceptor == NULL) {
		log_errno(LOG_ERR, "cannot start accepting", ENOMEM);
		_exit(1);
	}
	acceptor->door = (struct door){
		.generation = g,
		.listeners = listeners,
		.n = n,
		.make_room = evict,
	};
	door_open(&acceptor->door);
	lean_run(serve_each_alone);
}
