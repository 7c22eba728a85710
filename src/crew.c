/*
 * crew.c - the acceptor where isolation = shared: it has workers.
 */
#include "crew.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "bury.h"
#include "complaints.h"
#include "confine.h"
#include "fd.h"
#include "lean.h"
#include "log.h"
#include "process.h"
#include "rest.h"
#include "signals.h"
#include "worker.h"

/* A worker that dies sooner than this is not replaced at once. */
#define LIVES_US INT64_C(1000000)

struct crew {
	const struct generation *generation;
	const struct listener *listeners;
	size_t n_listeners;
	struct worker_place place;
	struct complaints complaints;
	int wakes[WORKERS_MAX];
	_Atomic int32_t pids[WORKERS_MAX]; /* 0: to be started */
	int64_t since_us[WORKERS_MAX], due_us[WORKERS_MAX];
};

/* Those that this process may run on. */
static unsigned
count_processors(void)
{
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

static int
furnish(struct crew *c)
{
	struct worker_place *place = &c->place;

	place->n = count_processors();
	place->wakes = c->wakes;
	place->posts = mmap(NULL, place->n * sizeof(*place->posts),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (place->posts == MAP_FAILED)
		return -errno;
	for (unsigned i = 0; i < place->n; i++) {
		c->wakes[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (c->wakes[i] < 0)
			return -errno;
	}
	return 0;
}

_Noreturn static void
be_worker(const struct crew *c, unsigned i, pid_t parent)
{
	struct worker_place place = c->place;

	signals_obey(0);
	/* Retired by the end of its parent. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	place.self = i;
	c->generation->board->self = getpid();
	worker_run(c->generation, c->listeners, c->n_listeners, &place);
}

static void
start_worker(struct crew *c, unsigned i)
{
	pid_t parent = getpid(), pid;

	c->since_us[i] = clock_us();
	c->due_us[i] = 0;
	pid = process_fork(&c->pids[i]);
	if (pid == 0)
		be_worker(c, i, parent);
	if (pid > 0)
		return;
	atomic_store(&c->pids[i], 0);
	complaints_say(
	    &c->complaints, "cannot start a worker, trying again", (int)-pid);
	c->due_us[i] = c->since_us[i] + LIVES_US;
}

/* Starts those that are due; returns when the next one is. */
static struct deadline
start_workers(struct crew *c)
{
	struct deadline next = { DEADLINE_NEVER };
	int64_t now_us = clock_us();

	for (unsigned i = 0; i < c->place.n; i++) {
		if (atomic_load(&c->pids[i]) != 0)
			continue;
		if (c->due_us[i] <= now_us)
			start_worker(c, i);
		else
			next = deadline_first(
			    next, (struct deadline){ c->due_us[i] });
	}
	return next;
}

static void
bury(struct crew *c, pid_t pid, int status)
{
	for (unsigned i = 0; i < c->place.n; i++) {
		if (atomic_load(&c->pids[i]) != pid)
			continue;
		atomic_store(&c->pids[i], 0);
		/* The others go by these even before it has a successor. */
		atomic_store(&c->place.posts[i].oldest_us, 0);
		atomic_store(&c->place.posts[i].held_us, 0);
		c->due_us[i] = clock_us();
		if (c->due_us[i] - c->since_us[i] < LIVES_US)
			c->due_us[i] += LIVES_US;
	}
	if (WIFSIGNALED(status))
		log_event(LOG_ERR, "a worker has died, starting another");
	(void)bury_process(c->generation, pid, status);
}

static void
reap(struct crew *c)
{
	int status;
	pid_t pid;

	signals.child = 0;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		bury(c, pid, status);
}

LEAN_ASIDE struct crew crew_of_workers;

static void
lead(void)
{
	struct crew *c = &crew_of_workers;
	const struct generation *g = c->generation;

	(void)start_workers(c);
	(void)fd_send(g->keeper, "", 1, -1);
	while (signals.terminate != TERMINATED) {
		struct deadline next = start_workers(c);

		signals.terminate =
		    0; /* a terminal's is the keeper's to obey */
		(void)rest_wait(NULL, 0, next, g->board);
		if (signals.child)
			reap(c);
	}
}

void
crew_run(const struct generation *g, const struct listener *listeners, size_t n)
{
	struct crew *c = &crew_of_workers;
	int r;

	c->generation = g;
	c->listeners = listeners;
	c->n_listeners = n;
	r = furnish(c);
	if (r < 0)
		log_errno(LOG_ERR, "cannot start accepting", -r);
	/* Once, and every worker is born restricted. */
	if (r < 0 || confine(g->rules, g->relay_exe, &g->board->head->told) < 0)
		_exit(1);
	if (lean_has_vdso())
		clock_by_vdso();
	lean_run(lead);
}
