#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "bury.h"
#include "complaints.h"
#include "deadline.h"
#include "fd.h"
#include "handover.h"
#include "launch.h"
#include "line.h"
#include "log.h"
#include "match.h"
#include "notify.h"
#include "process.h"
#include "reach.h"
#include "reload.h"
#include "rest.h"
#include "signals.h"
#include "waits.h"

#define SECOND_US INT64_C(1000000)

/* How often systemd hears the counts, and lost connections are looked for. */
#define REPORT_EVERY_US (10 * SECOND_US)

/* An acceptor that dies sooner than this is not replaced at once. */
#define ACCEPTOR_LIVES_US SECOND_US

/* How often idleness is looked at within exit-idle-time. */
#define IDLE_LOOKS 4

/* How long a retiring acceptor may take before the exit goes on without. */
#define RETIRE_MS 1000

/* nobody, everywhere. */
#define NOBODY 65534

struct keeper {
	const struct keeper_options *options;
	struct generation *current;
	_Atomic int32_t acceptor, retiring;
	int64_t acceptor_since_us, acceptor_due_us; /* due: 0, or start then */
	int64_t retire_due_us; /* 0, or tell the old one again then */
	int requests; /* our end of where children ask */
	struct reload reload;
	struct complaints complaints;
	int64_t report_due_us, watchdog_due_us, idle_due_us;
	uint32_t reported; /* connections, at the last report */
	uint64_t idle_total; /* connections ever, at the last look */
	unsigned idle_looks; /* looks since anything happened */
	bool idle; /* time to go */
};

/*
 * Generations.
 */

static void
generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	rules_free((struct rules *)g->rules);
	match_index_free(g->index);
	free(g->rows);
	free(g);
}

/* The rules are the generation's on success. */
static struct generation *
generation_new(const struct keeper *k, struct rules *rules)
{
	struct generation *g = calloc(1, sizeof(*g));
	bool all = true;

	if (g == NULL)
		return NULL;
	g->rows = calloc(rules->n_services + 1, sizeof(*g->rows));
	if (g->rows == NULL) {
		free(g);
		return NULL;
	}
	for (size_t i = 0; i < rules->n_services; i++) {
		g->rows[i] = scoreboard_service(
		    k->options->board, rules->services[i].name);
		all = all && g->rows[i] != CONN_NO_SERVICE;
	}
	if (!all)
		log_event(LOG_WARNING,
		    "usher status cannot tell all services apart: the "
		    "runtime directory is full, or there were too many");
	g->rules = rules;
	g->index = match_index_new(rules);
	g->needs_local = match_needs_local(rules);
	g->board = k->options->board;
	g->relay_exe = k->options->relay_exe;
	g->keeper = KEEPER_FD;
	return g;
}

_Noreturn static void
be_acceptor(const struct keeper *k, const struct generation *g)
{
	const struct keeper_options *o = k->options;
	int r;

	(void)close(k->requests);
	if (o->drop_acceptor) {
		r = process_drop(NOBODY, NOBODY, reach_needs_right(g->rules));
		if (r < 0) {
			log_errno(LOG_ERR, "cannot give up root", -r);
			_exit(1);
		}
	}
	listener_run(g, o->listeners, o->n);
}

static void
start_acceptor(struct keeper *k)
{
	const struct settings *settings = &k->current->rules->settings;
	pid_t pid;

	for (size_t i = 0; i < k->options->n; i++)
		door_prepare(k->options->listeners[i].fd, settings);
	k->acceptor_since_us = clock_us();
	k->acceptor_due_us = 0;
	/* It asks whose it is: see mend(). */
	atomic_store(&k->options->board->head->keeper, getpid());
	pid = process_fork(&k->acceptor);
	if (pid == 0)
		be_acceptor(k, k->current);
	if (pid > 0)
		return;
	atomic_store(&k->acceptor, 0);
	complaints_say(&k->complaints,
	    "cannot start the acceptor, trying again", (int)-pid);
	k->acceptor_due_us = clock_us() + SECOND_US;
}

static void
retire(_Atomic int32_t *pid)
{
	if (atomic_load(pid) > 0)
		(void)kill(atomic_load(pid), SIGTERM);
}

/* The one before, whose successor accepts. */
static void
retire_old(struct keeper *k)
{
	retire(&k->retiring);
	k->retire_due_us = clock_us() + SECOND_US;
}

/* New rules: a new acceptor; the old one goes when this one accepts. */
static void
adopt_rules(struct keeper *k, struct rules *rules)
{
	struct generation *old = k->current;
	struct generation *g = generation_new(k, rules);

	if (g == NULL) {
		log_errno(LOG_ERR, "cannot use the new rules", ENOMEM);
		rules_free(rules);
		return;
	}
	retire(&k->retiring);
	atomic_store(&k->retiring, atomic_load(&k->acceptor));
	k->current = g;
	start_acceptor(k);
	generation_free(old);
}

/*
 * What systemd is told.
 */

static void
write_number(struct line *text, uint64_t n, const char *thing)
{
	line_uint(text, n);
	line_char(text, ' ');
	line_text(text, thing);
	if (n != 1)
		line_char(text, 's');
}

static void
write_status(const struct keeper *k, struct line *text)
{
	const struct scoreboard_head *head = k->options->board->head;

	line_text(text, "STATUS=");
	write_number(text, k->current->rules->n_services, "service");
	line_text(text, ", ");
	write_number(text, atomic_load(&head->connections), "connection");
	line_text(text, ", ");
	line_uint(text, atomic_load(&head->pending));
	line_text(text, " undecided");
}

static void
report_counts(struct keeper *k)
{
	uint32_t n = atomic_load(&k->options->board->head->connections);
	char buffer[128];
	struct line text = LINE(buffer);

	k->report_due_us = clock_us() + REPORT_EVERY_US;
	if (n == k->reported && n == 0)
		return;
	k->reported = n;
	write_status(k, &text);
	notify_send(buffer);
}

static void
report_ready(struct keeper *k)
{
	char buffer[128];
	struct line text = LINE(buffer);

	line_text(&text, "READY=1\n");
	write_status(k, &text);
	notify_send(buffer);
	k->reported = atomic_load(&k->options->board->head->connections);
}

/*
 * What children ask for.
 */

/* Its process is gone, and nobody knows how: it was not our child. */
static void
end_stray(struct connection *slot, void *arg)
{
	enum end end = slot->end;

	const struct keeper *k = arg;

	bury_slot(
	    k->current, slot, end == END_NONE ? END_KILLED : end, slot->error);
}

static bool
is_asked(const struct keeper *k)
{
	struct pollfd p = { .fd = k->requests, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

/*
 * A slot is ours while its program is asked for.  If nobody asks, it was
 * somebody who was broken into who has written that it is.
 */
static void
disown_slots(struct keeper *k)
{
	struct scoreboard *board = k->options->board;
	uint32_t high = atomic_load(&board->head->high);

	for (uint32_t i = 0; i < high && i < SCOREBOARD_SLOTS; i++) {
		struct connection *slot = scoreboard_slot(board, i);

		if (atomic_load(&slot->pid) == getpid() && !is_asked(k))
			bury_slot(k->current, slot, END_ERROR, 0);
	}
}

static void
mend(struct keeper *k)
{
	/* What is shared may have been written over. */
	atomic_store(&k->options->board->head->keeper, getpid());
	(void)scoreboard_mend(k->options->board, end_stray, k);
	disown_slots(k);
}

/* Not one of the sockets that all processes share, nor a file. */
static bool
is_stream(int client)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(client, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM;
}

/* Everything in the request may be a lie: the child may have been broken. */
static void
run_program(struct keeper *k, const struct launch_request *request, int client)
{
	const struct service *service = bury_service(k->current, request->row);
	struct connection *slot;
	int r;

	if (request->slot >= SCOREBOARD_SLOTS || !is_stream(client))
		return;
	slot = scoreboard_slot(k->options->board, request->slot);
	/* If the child was killed since, it has been seen to. */
	if (!scoreboard_claim(slot, request->pid) &&
	    atomic_load(&slot->pid) != getpid())
		return;
	if (service == NULL || service->target != GO_EXEC) {
		log_event(LOG_WARNING,
		    "a connection asked for a program that is in no rule");
		bury_slot(k->current, slot, END_ERROR, 0);
		return;
	}
	slot->end = END_BACKEND_CLOSED;
	r = launch_program(k->options->board, service, client, slot);
	if (r < 0)
		bury_slot(k->current, slot, END_ERROR, -r);
}

/* Returns whether there may be more to hear. */
static bool
hear(struct keeper *k)
{
	struct launch_request request;
	__attribute__((cleanup(fd_close_at_once))) int client = -1;
	ssize_t n = fd_receive(k->requests, &request, sizeof(request), &client);

	if (n == sizeof(request)) {
		run_program(k, &request, client);
	} else if (n == 1) {
		/* The acceptor accepts. */
		retire_old(k);
		report_ready(k);
	}
	return n != 0;
}

/*
 * Children that have ended: acceptors, "usher dump", programs, and whatever
 * an acceptor has left behind.
 */

static void
bury_acceptor(struct keeper *k)
{
	int64_t now_us = clock_us();

	atomic_store(&k->acceptor, 0);
	/* Told to stop together with us, by a signal to the whole group. */
	if (signals.terminate)
		return;
	log_event(LOG_ERR, "the acceptor has died, starting another");
	k->acceptor_due_us = now_us;
	if (now_us - k->acceptor_since_us < ACCEPTOR_LIVES_US)
		k->acceptor_due_us += SECOND_US;
}

static void
finish_reload(struct keeper *k, int status)
{
	struct rules *rules;

	if (reload_finish(&k->reload, status, &rules) == 0) {
		adopt_rules(k, rules);
		log_event(LOG_INFO, "reloaded the rules");
	} else {
		log_event(LOG_ERR, "the rules stay as they were");
		report_ready(k);
	}
}

static void
reap(struct keeper *k)
{
	int status;
	pid_t pid;

	signals.child = 0;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == atomic_load(&k->acceptor))
			bury_acceptor(k);
		else if (pid == atomic_load(&k->retiring))
			atomic_store(&k->retiring, 0);
		else if (pid == atomic_load(&k->reload.pid))
			finish_reload(k, status);
		else
			(void)bury_process(k->current, pid, status);
	}
	if (pid < 0 && errno != ECHILD)
		signals.child = 1; /* somebody may still be there */
}

static void
start_reload(struct keeper *k)
{
	int r;

	if (atomic_load(&k->reload.pid) != 0)
		return; /* the flag stays: again, when this one is done */
	signals.reload = 0;
	if (k->options->dump_path == NULL) {
		log_event(LOG_ERR, "cannot reload: there is no usher to ask");
		return;
	}
	notify_reloading();
	r = reload_start(
	    &k->reload, k->options->dump_path, k->options->dump_argv);
	if (r < 0) {
		log_errno(LOG_ERR, "cannot run usher dump", -r);
		report_ready(k);
	}
}

/*
 * Time.
 */

static int64_t
exit_idle_us(const struct keeper *k)
{
	int64_t ms = k->current->rules->settings.exit_idle_ms;

	if (ms == RULES_OFF)
		ms = k->options->exit_idle_ms;
	return ms == RULES_OFF ? -1 : ms * 1000;
}

static uint64_t
connections_ever(const struct scoreboard *board)
{
	uint64_t sum = atomic_load(&board->head->unserved.total);
	uint32_t rows = atomic_load(&board->head->rows);

	for (uint32_t i = 0; i < rows && i < SCOREBOARD_SERVICES; i++)
		sum += atomic_load(&board->services[i].total);
	return sum;
}

/* Idle is: no connection now, and none that came and went since. */
static void
look_for_idleness(struct keeper *k)
{
	struct scoreboard *board = k->options->board;
	uint64_t total = connections_ever(board);
	int64_t period_us = exit_idle_us(k);

	if (period_us < 0)
		return;
	k->idle_due_us = clock_us() + period_us / IDLE_LOOKS + 1;
	if (total != k->idle_total ||
	    atomic_load(&board->head->connections) != 0)
		k->idle_looks = 0;
	else
		k->idle_looks++;
	k->idle_total = total;
	k->idle = k->idle_looks > IDLE_LOOKS;
}

static void
keep_time(struct keeper *k)
{
	int64_t now_us = clock_us();

	if (k->acceptor_due_us != 0 && now_us >= k->acceptor_due_us)
		start_acceptor(k);
	if (k->retire_due_us != 0 && now_us >= k->retire_due_us) {
		k->retire_due_us = 0;
		if (atomic_load(&k->retiring) != 0)
			retire_old(k);
	}
	if (k->options->watchdog_us > 0 && now_us >= k->watchdog_due_us) {
		notify_send("WATCHDOG=1");
		k->watchdog_due_us = now_us + k->options->watchdog_us / 2;
	}
	if (now_us >= k->report_due_us) {
		report_counts(k);
		mend(k);
	}
	if (exit_idle_us(k) >= 0 && now_us >= k->idle_due_us)
		look_for_idleness(k);
}

static void
sooner(struct deadline *until, int64_t at_us)
{
	*until = deadline_first(*until, (struct deadline){ at_us });
}

/* A keeper with nothing going on sleeps for good. */
static struct deadline
next_due(const struct keeper *k)
{
	const struct scoreboard_head *head = k->options->board->head;
	struct deadline until = { DEADLINE_NEVER };

	if (k->acceptor_due_us != 0)
		sooner(&until, k->acceptor_due_us);
	if (signals.child)
		sooner(&until, clock_us() + SECOND_US);
	if (k->retire_due_us != 0)
		sooner(&until, k->retire_due_us);
	if (k->options->watchdog_us > 0)
		sooner(&until, k->watchdog_due_us);
	if (exit_idle_us(k) >= 0)
		sooner(&until, k->idle_due_us);
	if (k->options->notify || atomic_load(&head->connections) != 0)
		sooner(&until, k->report_due_us);
	return until;
}

/*
 * We hold the other end as well, so nobody can have closed it: it was shut
 * down, by somebody without a sandbox or who has left it.  Whoever is there
 * now cannot ask any more; those who come will have another one.
 */
static void
renew_requests(struct keeper *k)
{
	int r;

	log_event(LOG_ERR,
	    "a connection's process has cut the others off from "
	    "us: starting a new acceptor");
	(void)close(k->requests);
	r = launch_listen();
	if (r < 0)
		log_errno(LOG_ERR, "no program can be run", -r);
	k->requests = r < 0 ? -1 : r;
	retire(&k->acceptor);
}

static void
keep(struct keeper *k)
{
	while (!signals.terminate && !k->idle) {
		struct pollfd p = { .fd = k->requests, .events = POLLIN };

		if (rest_wait(&p, 1, next_due(k), k->options->board) > 0 &&
		    !hear(k))
			renew_requests(k);
		if (signals.child)
			reap(k);
		if (signals.reload)
			start_reload(k);
		keep_time(k);
	}
}

/* Connections live on; only whoever accepts has to go. */
static void
stop_accepting(struct keeper *k)
{
	struct deadline until = deadline_after(clock_us(), RETIRE_MS);

	notify_send("STOPPING=1");
	retire(&k->acceptor);
	retire(&k->retiring);
	while (atomic_load(&k->acceptor) > 0) {
		pid_t pid = waitpid(atomic_load(&k->acceptor), NULL, WNOHANG);

		if (pid != 0 || deadline_passed(until, clock_us()))
			break;
		(void)wait_any(NULL, 0, until);
	}
}

/*
 * Who is undecided may still turn out to want a program, and only we can run
 * it.  All who could ask have the other end open.
 */
static void
hear_the_last(struct keeper *k)
{
	const struct rules *rules = k->current->rules;
	struct deadline until =
	    deadline_after(clock_us(), rules->settings.inspect_ms + RETIRE_MS);
	bool more = launch_is_wanted(rules);

	(void)close(KEEPER_FD);
	while (more && !deadline_passed(until, clock_us())) {
		struct pollfd p = { .fd = k->requests, .events = POLLIN };

		if (wait_any(&p, 1, until) > 0)
			more = hear(k);
	}
}

int
keeper_run(const struct keeper_options *options)
{
	static struct keeper keeper;
	struct keeper *k = &keeper;
	int r;

	k->options = options;
	k->reload.out = k->reload.err = -1;
	/* At once, for what an earlier usherd may have left. */
	k->report_due_us = clock_us();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = launch_listen();
	k->requests = r;
	if (r >= 0)
		k->current = generation_new(k, options->rules);
	if (r < 0 || k->current == NULL) {
		log_errno(LOG_ERR, "cannot start", r < 0 ? -r : ENOMEM);
		return 1;
	}
	/* What an earlier one has left. */
	mend(k);
	start_acceptor(k);
	keep(k);
	stop_accepting(k);
	hear_the_last(k);
	return 0;
}
