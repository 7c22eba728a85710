#include "succession.h"

#include <signal.h>
#include <syslog.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"
#include "process.h"
#include "reach.h"

#define SECOND_US INT64_C(1000000)

/* An acceptor that dies sooner than this is not replaced at once. */
#define LIVES_US SECOND_US

/* nobody, everywhere. */
#define NOBODY 65534

_Noreturn static void
be_acceptor(
    const struct succession *s, const struct generation *g, int requests)
{
	int r;

	(void)close(requests);
	if (s->drop) {
		r = process_drop(NOBODY, NOBODY, reach_needs_right(g->rules));
		if (r < 0) {
			log_errno(LOG_ERR, "cannot give up root", -r);
			_exit(1);
		}
	}
	listener_run(g, s->listeners, s->n);
}

void
succession_start(struct succession *s, const struct generation *g, int requests)
{
	pid_t pid;

	for (size_t i = 0; i < s->n; i++)
		door_prepare(s->listeners[i].fd, &g->rules->settings);
	s->since_us = clock_us();
	s->due_us = 0;
	/* It asks whose it is: see requests_mend(). */
	atomic_store(&g->board->head->keeper, getpid());
	pid = process_fork(&s->acceptor);
	if (pid == 0)
		be_acceptor(s, g, requests);
	if (pid > 0)
		return;
	atomic_store(&s->acceptor, 0);
	complaints_say(&s->complaints,
	    "cannot start the acceptor, trying again", (int)-pid);
	s->due_us = clock_us() + SECOND_US;
}

/* Its number is ours alone to know, and its end ours to reap. */
static void
retire(_Atomic int32_t *pid)
{
	if (atomic_load(pid) > 0)
		(void)kill(atomic_load(pid), SIGTERM);
}

void
succession_prepare(struct succession *s)
{
	retire(&s->retiring);
	atomic_store(&s->retiring, atomic_load(&s->acceptor));
}

void
succession_complete(struct succession *s)
{
	retire(&s->retiring);
	s->retire_due_us = clock_us() + SECOND_US;
}

void
succession_dismiss(struct succession *s)
{
	retire(&s->acceptor);
}

void
succession_end(struct succession *s)
{
	retire(&s->acceptor);
	retire(&s->retiring);
}

static void
replace(struct succession *s)
{
	int64_t now_us = clock_us();

	log_event(LOG_ERR, "the acceptor has died, starting another");
	s->due_us = now_us;
	if (now_us - s->since_us < LIVES_US)
		s->due_us += SECOND_US;
}

bool
succession_reap(struct succession *s, pid_t pid, bool ending)
{
	if (pid == atomic_load(&s->acceptor)) {
		atomic_store(&s->acceptor, 0);
		if (!ending)
			replace(s);
		return true;
	}
	if (pid != atomic_load(&s->retiring))
		return false;
	atomic_store(&s->retiring, 0);
	return true;
}

void
succession_keep_time(
    struct succession *s, const struct generation *g, int requests)
{
	int64_t now_us = clock_us();

	if (s->due_us != 0 && now_us >= s->due_us)
		succession_start(s, g, requests);
	if (s->retire_due_us != 0 && now_us >= s->retire_due_us) {
		s->retire_due_us = 0;
		if (atomic_load(&s->retiring) != 0)
			succession_complete(s);
	}
}
