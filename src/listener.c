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

#include "alone.h"
#include "bury.h"
#include "children.h"
#include "confine.h"
#include "crew.h"
#include "fd.h"
#include "handover.h"
#include "lean.h"
#include "lobby.h"
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

/* How long to go on trying when there are no processes to be had. */
#define LEAVING_MS 800

/* In memory that children do not inherit: they cannot look at it. */
struct acceptor {
	struct door door; /* first: see evict() */
	struct children children;
	struct lobby lobby;
	struct session leaver; /* see dismiss() */
	int64_t busy_until_us;
	int64_t search_us; /* when to look for any that ended */
	struct pollfd polls[LISTENERS_MAX + 1]; /* and the lobby */
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

static bool
owns(const struct acceptor *a, const struct connection *slot)
{
	return scoreboard_owner(slot) == a->door.generation->board->self;
}

/*
 * One from the lobby goes without ever having had a process.  If somebody has
 * written over its slot, that is not ours to give back.
 */
static void
dismiss(struct acceptor *a, struct lobby_guest *guest, enum end end)
{
	struct session *s = &a->leaver;
	bool ours = owns(a, guest->slot);

	lobby_recall(guest, a->door.generation, s);
	children_dismiss(&a->children, guest->child);
	lobby_leave(&a->lobby, guest);
	session_stop(s, end);
	if (!ours || session_parting(s) == PART_RESET)
		close_reset(s->client);
	else
		(void)close(s->client);
	if (ours)
		session_finish(s, end);
}

/* Makes room: the one that has been undecided for longest has to go. */
static void
evict(struct door *door)
{
	struct acceptor *a = (struct acceptor *)door;
	struct child *child;

	while ((child = children_oldest(&a->children)) != NULL) {
		struct connection *slot;

		if (child->guest != NULL) {
			dismiss(a, child->guest, END_LIMIT);
			return;
		}
		slot = scoreboard_slot(door->generation->board, child->slot);
		children_decided(&a->children, child);
		if (atomic_load(&slot->pid) != child->pid ||
		    atomic_load(&slot->state) != CONN_PENDING)
			continue;
		atomic_store(&slot->evict, 1);
		(void)kill(child->pid, SIGTERM);
		return;
	}
}

/*
 * In the child: nothing of the acceptor's stays open but what it needs.  What
 * clients have got is behind the listeners: see fill_gaps().
 */
_Noreturn static void
be_child(struct session *session, bool others)
{
	signals_obey(0);
	(void)fd_close_range(LISTENERS_FD, session->client - 1);
	if (others)
		(void)fd_close_from(session->client + 1);
	alone_run(session);
}

/* Not on the stack, whose next page is to be a child's alone. */
static struct session newcomer;

/* A process for the newcomer.  Its pid, or -errno, and a pause. */
static pid_t
start_process(struct acceptor *a)
{
	struct door *door = &a->door;
	bool others = a->lobby.n > 0;
	pid_t pid = process_fork(&newcomer.slot->pid);

	if (pid == 0)
		be_child(&newcomer, others);
	if (pid > 0)
		return pid;
	complaints_say(&door->complaints,
	    "cannot start a process for a connection, "
	    "trying again",
	    (int)-pid);
	door_pause(door);
	return pid;
}

/*
 * A client that was accepted is not lost when there is no process for it now:
 * it is held until after the pause, and nobody else is accepted meanwhile.
 */
static void
start_newcomer(struct acceptor *a)
{
	struct door *door = &a->door;
	pid_t pid = start_process(a);

	door->holding = pid < 0;
	if (pid < 0) {
		door->held = newcomer;
		return;
	}
	(void)close(newcomer.client);
	if (children_add(&a->children, pid,
		scoreboard_index(door->generation->board, newcomer.slot)) < 0)
		complaints_say(&door->complaints,
		    "too many children to keep count of", ENOSPC);
}

/*
 * Its bytes have come, or it is time to do without.  Whoever looks at the slot
 * has to know that this process was not there when it was taken.
 */
static void
start_guest(struct acceptor *a, struct lobby_guest *guest)
{
	pid_t pid;

	if (!owns(a, guest->slot)) {
		dismiss(a, guest, END_ERROR);
		return;
	}
	lobby_recall(guest, a->door.generation, &newcomer);
	newcomer.slot->since_us = clock_us();
	pid = start_process(a);
	if (pid < 0) {
		lobby_defer(&a->lobby, guest,
		    (struct deadline){ a->door.paused_until_us });
		return;
	}
	children_start(&a->children, guest->child, pid);
	lobby_leave(&a->lobby, guest);
	(void)close(newcomer.client);
}

static bool
has_spoken(int client)
{
	struct pollfd fd = { .fd = client, .events = POLLIN | POLLRDHUP };

	return poll(&fd, 1, 0) != 0;
}

/* Into the lobby, where there is room and something to wait for. */
static bool
seat(struct acceptor *a)
{
	struct lobby *lobby = &a->lobby;
	struct deadline until;
	struct lobby_guest *guest;

	if (newcomer.client < lobby->epoll || lobby->n == lobby->size ||
	    !session_begins_later(&newcomer, &until) ||
	    has_spoken(newcomer.client))
		return false;
	guest = lobby_enter(lobby, &newcomer, until);
	if (guest == NULL)
		return false;
	guest->child = children_admit(&a->children,
	    scoreboard_index(a->door.generation->board, newcomer.slot));
	if (guest->child != NULL) {
		guest->child->guest = guest;
		return true;
	}
	lobby_leave(lobby, guest);
	return false;
}

static void
receive(struct acceptor *a)
{
	a->door.holding = false;
	if (!seat(a))
		start_newcomer(a);
}

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
			receive(a);
	}
}

/* The one that is held gets another try. */
static void
retry(struct acceptor *a)
{
	newcomer = a->door.held;
	if (newcomer.slot != NULL || door_readmit(&a->door, &newcomer) > 0)
		receive(a);
}

/* Some at a time: others come meanwhile. */
static void
call_guests(struct acceptor *a, bool spoken)
{
	struct lobby_guest *guests[LOBBY_BATCH], *guest;
	size_t n = spoken ? lobby_spoken(&a->lobby, guests) : 0;
	int64_t now_us = clock_us();

	for (size_t i = 0; i < n; i++)
		start_guest(a, guests[i]);
	for (; n < LOBBY_BATCH; n++) {
		guest = lobby_late(&a->lobby, now_us);
		if (guest == NULL)
			return;
		start_guest(a, guest);
	}
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

	fds[a->door.n] = (struct pollfd){
		.fd = a->lobby.n > 0 ? a->lobby.epoll : -1,
		.events = POLLIN,
	};
	return deadline_first(until, lobby_due(&a->lobby));
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

	if (door->holding && clock_us() >= door->paused_until_us)
		retry(a);
	for (size_t i = 0; ready > 0 && i < door->n; i++)
		if (fds[i].fd >= 0 && fds[i].revents != 0)
			accept_from(a, &door->listeners[i]);
	if (a->lobby.n > 0)
		call_guests(a, ready > 0 && fds[door->n].revents != 0);
	if (ready > 0) {
		a->busy_until_us = clock_us() + BUSY_US;
		reap_leaving(a);
		reap(a);
	}
}

/* A terminal has told everybody to end. */
static void
end_lobby(struct acceptor *a)
{
	struct lobby_guest *guest;

	while ((guest = lobby_late(&a->lobby, INT64_MAX)) != NULL)
		dismiss(a, guest, END_KILLED);
}

/* Others accept from now on; whoever is here lives on in its own process. */
static void
leave_lobby(struct acceptor *a)
{
	struct deadline until = deadline_after(clock_us(), LEAVING_MS);
	struct lobby_guest *guest;

	while ((guest = lobby_late(&a->lobby, INT64_MAX)) != NULL) {
		start_guest(a, guest);
		if (clock_us() >= a->door.paused_until_us)
			continue;
		if (deadline_passed(until, clock_us()))
			return; /* who is left is the keeper's to bury */
		(void)wait_any(
		    NULL, 0, (struct deadline){ a->door.paused_until_us });
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
		if (signals.interrupted)
			end_lobby(a);
		signals.terminate = 0; /* or children would be born stopped */
		serve_once(a);
		if (!signals.child || clock_us() < a->search_us)
			continue;
		reap(a);
		lean_trim(); /* the signal's frame was large */
	}
	signals.terminate = 0;
	if (signals.interrupted)
		end_lobby(a);
	leave_lobby(a);
}

/*
 * No client gets a number below the listeners', for a child closes by number
 * what it does not need; and no child has any use for what is put there.
 */
static void
fill_gaps(void)
{
	for (int fd = STDERR_FILENO + 1; fd < LISTENERS_FD; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)dup3(STDIN_FILENO, fd, O_CLOEXEC);
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
	if (acceptor == NULL) {
		log_errno(LOG_ERR, "cannot start accepting", ENOMEM);
		_exit(1);
	}
	fill_gaps();
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
		.make_room = evict,
	};
	door_open(&acceptor->door);
	lean_run(serve_each_alone);
}
