/*
 * listener_guest.c - a client of the acceptor, from the door to its process.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "alone.h"
#include "complaints.h"
#include "fd.h"
#include "handover.h"
#include "listener_inner.h"
#include "process.h"
#include "signals.h"

static bool
owns(const struct acceptor *a, const struct connection *slot)
{
	return scoreboard_owner(slot) == a->door.generation->board->self;
}

/*
 * One from the lobby goes without ever having had a process, and nobody waits
 * for what it may still have to say.  If somebody has written over its slot,
 * that is not ours to give back.
 */
static void
dismiss(struct acceptor *a, struct lobby_guest *guest, enum end end)
{
	struct session *s = &a->dismissed;
	bool ours = owns(a, guest->slot);

	lobby_recall(guest, a->door.generation, s);
	children_dismiss(&a->children, guest->child);
	lobby_remove(&a->lobby, guest);
	session_stop(s, end);
	if (!ours || session_parting(s) == PART_RESET)
		close_reset(s->client);
	else
		(void)close(s->client);
	if (ours)
		session_finish(s, end);
}

/* Makes room: the one that has been undecided for longest has to go. */
void
listener_evict(struct door *door)
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
 * In the child: nothing of the acceptor's stays open but what it needs.  Other
 * clients' numbers are behind the listeners': see fill_gaps().
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

/*
 * Whoever is to have a process now.  Not on the stack, whose next page is to be
 * a child's alone.
 */
static struct session starting;

/* That process; others wait meanwhile.  Its pid, or -errno, and a pause. */
static pid_t
start_process(struct acceptor *a, bool others)
{
	struct door *door = &a->door;
	pid_t pid = process_fork(&starting.slot->pid);

	if (pid == 0)
		be_child(&starting, others);
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
	pid_t pid = start_process(a, a->lobby.n > 0);

	door->holding = pid < 0;
	if (pid < 0) {
		door->held = starting;
		return;
	}
	(void)close(starting.client);
	if (children_add(&a->children, pid,
		scoreboard_index(door->generation->board, starting.slot)) < 0)
		complaints_say(&door->complaints,
		    "too many children to keep count of", ENOSPC);
}

/*
 * Its bytes have come, or it is time to do without.  Whoever looks at the slot
 * has to know that this process was not there when it was taken.
 */
static bool
start_guest(struct acceptor *a, struct lobby_guest *guest)
{
	pid_t pid;

	if (!owns(a, guest->slot)) {
		dismiss(a, guest, END_ERROR);
		return true;
	}
	clock_tick(); /* of many, the last may come seconds later */
	lobby_recall(guest, a->door.generation, &starting);
	starting.slot->since_us = clock_us();
	pid = start_process(a, a->lobby.n > 1);
	if (pid < 0) {
		lobby_defer(&a->lobby, guest,
		    (struct deadline){ a->door.paused_until_us });
		return false;
	}
	children_start(&a->children, guest->child, pid);
	lobby_remove(&a->lobby, guest);
	(void)close(starting.client);
	return true;
}

/* Or left. */
static bool
has_spoken(int client)
{
	struct pollfd fd = { .fd = client, .events = POLLIN | POLLRDHUP };

	return poll(&fd, 1, 0) != 0;
}

static bool
may_wait(const struct lobby *lobby, struct deadline *ret)
{
	/* It nearly always has: then there is nothing to be worked out here. */
	return lobby->n < lobby->size && !has_spoken(starting.client) &&
	    session_begins_later(&starting, ret);
}

/* Into the lobby, where there is room and something to wait for. */
static bool
seat(struct acceptor *a)
{
	struct lobby *lobby = &a->lobby;
	struct deadline until;
	struct lobby_guest *guest;

	if (!may_wait(lobby, &until))
		return false;
	guest = lobby_enter(lobby, &starting, until);
	if (guest == NULL)
		return false;
	guest->child = children_admit(&a->children,
	    scoreboard_index(a->door.generation->board, starting.slot));
	if (guest->child != NULL) {
		guest->child->guest = guest;
		return true;
	}
	lobby_remove(lobby, guest);
	return false;
}

static void
receive(struct acceptor *a)
{
	a->door.holding = false;
	if (!seat(a))
		start_newcomer(a);
}

void
listener_accept(struct acceptor *a, const struct listener *listener)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int r;

		starting = (struct session){ .generation = NULL };
		r = door_accept(&a->door, listener, &starting);
		if (r == 0)
			return;
		if (r > 0)
			receive(a);
	}
}

/* The one that is held gets another try. */
void
listener_retry(struct acceptor *a)
{
	starting = a->door.held;
	if (starting.slot != NULL || door_readmit(&a->door, &starting) > 0)
		receive(a);
}

/* Some at a time: others come meanwhile. */
void
listener_call(struct acceptor *a, bool spoken)
{
	struct lobby_guest *guests[LOBBY_BATCH], *guest;
	size_t n = spoken ? lobby_spoken(&a->lobby, guests) : 0;
	int64_t now_us = clock_us();

	for (size_t i = 0; i < n; i++)
		if (!start_guest(a, guests[i]))
			return;
	for (; n < LOBBY_BATCH; n++) {
		guest = lobby_late(&a->lobby, now_us);
		if (guest == NULL || !start_guest(a, guest))
			return;
	}
}

void
listener_dismiss_all(struct acceptor *a)
{
	struct lobby_guest *guest;

	signals.everybody = 0;
	while ((guest = lobby_late(&a->lobby, INT64_MAX)) != NULL)
		dismiss(a, guest, END_KILLED);
}

/* As many as there are processes for. */
static void
start_those_left(struct acceptor *a)
{
	struct lobby_guest *guest;

	if (a->door.holding)
		listener_retry(a);
	do
		guest = lobby_late(&a->lobby, INT64_MAX);
	while (guest != NULL && start_guest(a, guest));
}

void
listener_start_all(struct acceptor *a)
{
	struct deadline until = deadline_after(clock_us(), LISTENER_RETIRES_MS);

	for (;;) {
		signals.terminate = 0; /* or they would be born stopped */
		start_those_left(a);
		if ((a->lobby.n == 0 && !a->door.holding) ||
		    deadline_passed(until, clock_us()))
			return;
		(void)wait_any(NULL, 0, deadline_after(clock_us(), PAUSE_MS));
		if (signals.everybody)
			listener_dismiss_all(a);
		/* Zombies count as processes. */
		a->search_us = a->busy_until_us = 0;
		listener_reap(a);
	}
}
