#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "bury.h"
#include "deadline.h"
#include "generation.h"
#include "handover.h"
#include "idleness.h"
#include "inquiry.h"
#include "launch.h"
#include "log.h"
#include "notify.h"
#include "reload.h"
#include "report.h"
#include "requests.h"
#include "rest.h"
#include "signals.h"
#include "succession.h"
#include "waits.h"

#define SECOND_US INT64_C(1000000)

/* How often systemd hears the counts, and lost connections are looked for. */
#define REPORT_EVERY_US (10 * SECOND_US)

/* How long a retiring acceptor may take before the exit goes on without. */
#define RETIRE_MS 1000
_Static_assert(RETIRE_MS > LISTENER_RETIRES_MS, "nobody waits for it");

struct keeper {
	const struct keeper_options *options;
	struct generation *current;
	struct succession succession;
	int requests; /* our end of where children ask */
	struct reload reload;
	struct inquiry inquiry;
	struct report report;
	struct idleness idleness;
	int64_t report_due_us, watchdog_due_us;
	bool idle; /* time to go */
};

/* Returns whether there may be more to hear. */
static bool
hear(struct keeper *k)
{
	enum heard heard = requests_hear(k->requests, k->current);

	if (heard == HEARD_READY) {
		succession_complete(&k->succession);
		report_ready(&k->report, k->current);
	} else if (heard == HEARD_INQUIRY) {
		inquiry_start(
		    &k->inquiry, k->options->dump_path, k->options->config);
	}
	return heard != HEARD_END;
}

/*
 * New rules: a new acceptor; the old one goes when this one accepts.  The
 * rules are ours.
 */
static void
adopt_rules(struct keeper *k, struct rules *rules)
{
	const struct keeper_options *o = k->options;
	struct generation *old = k->current;
	struct generation *g = generation_new(o->board, o->relay_exe, rules);

	if (g == NULL) {
		log_errno(LOG_ERR, "cannot use the new rules", ENOMEM);
		rules_free(rules);
		return;
	}
	succession_prepare(&k->succession);
	k->current = g;
	succession_start(&k->succession, g, k->requests);
	generation_free(old);
}

/*
 * Children that have ended: acceptors, "usher dump", programs, and whatever
 * an acceptor has left behind.
 */

static void
finish_reload(struct keeper *k, int status)
{
	struct rules *rules;

	if (reload_finish(&k->reload, status, &rules) == 0) {
		adopt_rules(k, rules);
		log_event(LOG_INFO, "reloaded the rules");
	} else {
		log_event(LOG_ERR, "the rules stay as they were");
		report_ready(&k->report, k->current);
	}
}

static void
reap(struct keeper *k)
{
	int status;
	pid_t pid;

	signals.child = 0;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == atomic_load(&k->reload.pid))
			finish_reload(k, status);
		/* A signal may have told the whole group to stop. */
		else if (succession_reap(
			     &k->succession, pid, signals.terminate) ||
		    !inquiry_finish(&k->inquiry, pid))
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
		report_ready(&k->report, k->current);
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

static void
keep_time(struct keeper *k)
{
	int64_t now_us = clock_us(), idle_us = exit_idle_us(k);

	succession_keep_time(&k->succession, k->current, k->requests);
	if (k->options->watchdog_us > 0 && now_us >= k->watchdog_due_us) {
		notify_send("WATCHDOG=1");
		k->watchdog_due_us = now_us + k->options->watchdog_us / 2;
	}
	if (now_us >= k->report_due_us) {
		k->report_due_us = clock_us() + REPORT_EVERY_US;
		report_counts(&k->report, k->current);
		requests_mend(k->requests, k->current);
	}
	if (idle_us >= 0 && now_us >= k->idleness.due_us)
		k->idle =
		    idleness_look(&k->idleness, k->options->board, idle_us);
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

	if (k->succession.due_us != 0)
		sooner(&until, k->succession.due_us);
	if (signals.child)
		sooner(&until, clock_us() + SECOND_US);
	if (k->succession.retire_due_us != 0)
		sooner(&until, k->succession.retire_due_us);
	if (k->options->watchdog_us > 0)
		sooner(&until, k->watchdog_due_us);
	if (exit_idle_us(k) >= 0)
		sooner(&until, k->idleness.due_us);
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
	succession_dismiss(&k->succession);
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
	pid_t acceptor;

	notify_send("STOPPING=1");
	succession_end(&k->succession);
	while ((acceptor = atomic_load(&k->succession.acceptor)) > 0) {
		int status = 0;
		pid_t pid = waitpid(acceptor, &status, WNOHANG);

		if (pid > 0)
			(void)bury_process(k->current, pid, status);
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
	k->succession.listeners = options->listeners;
	k->succession.n = options->n;
	k->succession.drop = options->drop_acceptor;
	k->reload.out = k->reload.err = -1;
	k->inquiry.run.out = k->inquiry.run.err = -1;
	/* At once, for what an earlier usherd may have left. */
	k->report_due_us = clock_us();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = launch_listen();
	k->requests = r;
	if (r >= 0)
		k->current = generation_new(
		    options->board, options->relay_exe, options->rules);
	if (r < 0 || k->current == NULL) {
		log_errno(LOG_ERR, "cannot start", r < 0 ? -r : ENOMEM);
		return 1;
	}
	/* What an earlier one has left. */
	requests_mend(k->requests, k->current);
	succession_start(&k->succession, k->current, k->requests);
	keep(k);
	stop_accepting(k);
	hear_the_last(k);
	return 0;
}
