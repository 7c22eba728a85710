#include "listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "children.h"
#include "confine.h"
#include "deadline.h"
#include "dial.h"
#include "fd.h"
#include "handover.h"
#include "log.h"
#include "process.h"
#include "proxy.h"
#include "rest.h"
#include "signals.h"
#include "waits.h"

/* Connections taken from one socket before the others get their turn. */
#define ACCEPT_BATCH 16

/* How long to leave the backlog alone when descriptors or memory are short,
 * or when connections of an earlier generation use up the limit. */
#define PAUSE_MS 100

/*
 * While clients come, a child that ends is no reason to wake up: it has seen
 * to its slot itself, and is reaped when the next client comes.
 */
#define BUSY_US 20000

/* A condition that lasts is not logged again before this. */
#define COMPLAIN_EVERY_US 60000000

struct acceptor {
	const struct generation *generation;
	const struct listener *listeners;
	size_t n;
	struct children children;
	int64_t paused_until_us, busy_until_us;
	int64_t complained_us;
	int complained_of;
	bool drained[LISTENERS_MAX]; /* all that came before us is accepted */
	bool holding; /* held has been accepted, and waits for a process */
	struct session held;
};

/* Logged once, not once per client. */
static void
complain(struct acceptor *a, const char *what, int error)
{
	int64_t now_us = clock_us();

	if (a->complained_of == error &&
	    now_us - a->complained_us < COMPLAIN_EVERY_US)
		return;
	a->complained_of = error;
	a->complained_us = now_us;
	log_errno(LOG_ERR, what, error);
}

static void
take_a_pause(struct acceptor *a)
{
	a->paused_until_us = clock_us() + PAUSE_MS * 1000;
}

/* A child that gave its slot back has said and counted everything itself. */
static void
bury(struct acceptor *a, pid_t pid, int status)
{
	const struct generation *g = a->generation;
	const struct settings *settings = &g->rules->settings;
	uint32_t index = children_remove(&a->children, pid);
	struct connection *slot;

	if (index == CHILDREN_NONE)
		return;
	slot = scoreboard_slot(g->board, index);
	if (!scoreboard_claim(slot, pid))
		return;
	log_violation(status);
	log_lost(g->board, slot, WIFSIGNALED(status) ? END_KILLED : END_ERROR,
	    0, settings->limits.log, settings->hide_clients);
}

static void
reap(struct acceptor *a)
{
	int status;
	pid_t pid;

	signals.child = 0;
	while (a->children.n > 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0)
		bury(a, pid, status);
}

/* Makes room: the one that has been undecided for longest has to go. */
static void
evict(struct acceptor *a)
{
	struct child *child;

	while ((child = children_oldest(&a->children)) != NULL) {
		struct connection *slot =
		    scoreboard_slot(a->generation->board, child->slot);
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

/* Turned away before it has a slot; still, it is counted and logged. */
static void
turn_away(const struct acceptor *a, int client, const struct endpoint *from,
    enum end end, int error)
{
	const struct generation *g = a->generation;
	const struct settings *settings = &g->rules->settings;
	struct connection record = {
		.service = CONN_NO_SERVICE,
		.end = (uint8_t)end,
		.start_us = clock_us(),
		.wait_us = -1,
		.connect_us = -1,
		.client = *from,
		.error = (int16_t)error,
	};
	struct tally *tally = scoreboard_tally(g->board, CONN_NO_SERVICE);

	close_reset(client);
	atomic_fetch_add(&tally->total, 1);
	atomic_fetch_add(&tally->ends[end], 1);
	log_connection(
	    g->board, &record, settings->limits.log, settings->hide_clients);
}

/* In the child: nothing of the acceptor's stays open but what it needs. */
_Noreturn static void
be_child(struct session *session)
{
	/* Which number it got depends on what else was free. */
	if (session->client > LISTENERS_FD)
		(void)fd_close_range(LISTENERS_FD, session->client - 1);
	else
		(void)fd_close_from(LISTENERS_FD);
	session_run(session);
}

/*
 * A client that was accepted is not lost when there is no process for it now:
 * it is held until after the pause, and nobody else is accepted meanwhile.
 */
static void
start_session(struct acceptor *a, const struct session *wanted)
{
	struct session session = *wanted;
	pid_t pid = process_fork(&session.slot->pid);

	a->holding = pid < 0;
	if (pid == 0)
		be_child(&session);
	if (pid < 0) {
		complain(a,
		    "cannot start a process for a connection, "
		    "trying again",
		    (int)-pid);
		a->held = session;
		take_a_pause(a);
		return;
	}
	(void)close(session.client);
	if (children_add(&a->children, pid,
		scoreboard_index(a->generation->board, session.slot)) < 0)
		complain(a, "too many children to keep count of", ENOSPC);
}

static void
admit(struct acceptor *a, int client, const struct listener *listener,
    const struct addr *from)
{
	const struct generation *g = a->generation;
	const struct settings *settings = &g->rules->settings;
	struct session session = {
		.generation = g,
		.client = client,
		.from = *from,
		.socket = listener->name,
	};
	struct endpoint source;

	endpoint_from(&source, from);
	if (scoreboard_source_count(g->board, &source) >=
		settings->max_per_source &&
	    !proxy_expected(settings, from)) {
		turn_away(a, client, &source, END_LIMIT, 0);
		return;
	}
	if (atomic_load(&g->board->head->pending) >= settings->max_pending)
		evict(a);
	session.slot = scoreboard_take(
	    g->board, settings->limits.max_connections, &source);
	if (session.slot == NULL) {
		/* Cannot be: the limit is looked at before accept(). */
		turn_away(a, client, &source, END_LIMIT, 0);
		return;
	}
	session.slot->start_us = clock_us();
	start_session(a, &session);
}

static bool
is_full(const struct acceptor *a)
{
	return atomic_load(&a->generation->board->head->connections) >=
	    a->generation->rules->settings.limits.max_connections;
}

/*
 * Errors that belong to the one connection that could not be accepted: the
 * next one may be fine.  accept(2) lists them.
 */
static bool
is_about_the_client(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPERM:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static void
accept_from(struct acceptor *a, const struct listener *listener)
{
	const struct settings *settings = &a->generation->rules->settings;
	bool *drained = &a->drained[listener - a->listeners];

	for (int i = 0; i < ACCEPT_BATCH && !is_full(a) && !a->holding; i++) {
		struct addr from = { .len = sizeof(struct sockaddr_un) };
		int client = accept4(listener->fd, &from.any, &from.len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (client >= 0) {
			/* It came before there was anything to inherit. */
			if (!*drained)
				listener_prepare(client, settings);
			addr_unmap(&from);
			admit(a, client, listener, &from);
		} else if (errno == EAGAIN) {
			*drained = true;
			return;
		} else if (!is_about_the_client(errno)) {
			complain(a, "cannot accept, trying again", errno);
			take_a_pause(a);
			return;
		}
	}
}

/* Which sockets to listen to now, and how long at most. */
static struct deadline
plan(const struct acceptor *a, struct pollfd *fds)
{
	int64_t now_us = clock_us();
	bool paused = now_us < a->paused_until_us, full = is_full(a);

	for (size_t i = 0; i < a->n; i++) {
		fds[i].fd =
		    paused || full || a->holding ? -1 : a->listeners[i].fd;
		fds[i].events = POLLIN;
	}
	if (paused)
		return (struct deadline){ a->paused_until_us };
	if (a->holding)
		return (struct deadline){ now_us };
	/* Who makes room may be nobody's child of ours: look again. */
	return deadline_after(now_us, full ? PAUSE_MS : -1);
}

static void
serve_once(struct acceptor *a, struct pollfd *fds)
{
	struct deadline until = plan(a, fds);
	struct deadline busy = { a->busy_until_us };
	int64_t now_us = clock_us();
	int ready;

	/* When there is no room, every end counts. */
	if (deadline_passed(busy, now_us) || is_full(a))
		ready = rest_wait(fds, a->n, until, a->generation->board);
	else
		ready =
		    wait_undisturbed(fds, a->n, deadline_first(until, busy));

	if (a->holding && clock_us() >= a->paused_until_us)
		start_session(a, &a->held);
	for (size_t i = 0; ready > 0 && i < a->n; i++)
		if (fds[i].fd >= 0 && fds[i].revents != 0)
			accept_from(a, &a->listeners[i]);
	if (ready > 0) {
		a->busy_until_us = clock_us() + BUSY_US;
		reap(a);
	}
}

void
listener_prepare(int listener, const struct settings *settings)
{
	int on = 1;

	/* A unix socket knows none of these, and needs none. */
	(void)setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)dial_keepalive(listener, settings->limits.keepalive_ms);
	(void)fd_set_urgent_inline(listener, 1);
}

void
listener_run(
    const struct generation *g, const struct listener *listeners, size_t n)
{
	struct acceptor a = {
		.generation = g,
		.listeners = listeners,
		.n = n,
	};
	struct pollfd fds[LISTENERS_MAX];
	int r;

	/* Retired by the keeper, also by its death. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != atomic_load(&g->board->head->keeper))
		_exit(0);
	/* Twice: a child that gave its slot back may not be reaped yet. */
	r = children_init(&a.children,
	    2 * g->rules->settings.limits.max_connections + ACCEPT_BATCH);
	if (r < 0) {
		log_errno(LOG_ERR, "cannot start accepting", -r);
		_exit(1);
	}
	/* Once, and every child is born restricted. */
	if (confine(g->rules, g->relay_exe, &g->board->head->told) < 0)
		_exit(1);
	(void)fd_send(g->keeper, "", 1, -1);
	while (signals.terminate != TERMINATED) {
		signals.terminate = 0; /* or children would be born stopped */
		serve_once(&a, fds);
		if (signals.child)
			reap(&a);
	}
	_exit(0);
}
