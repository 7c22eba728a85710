#include "signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SIGNALS 64

struct signal_flags signals;

static volatile pid_t master; /* see signals_obey() */
static volatile uid_t self; /* a sandbox may not let us ask */

static const int handled[] = { SIGTERM, SIGINT, SIGCHLD, SIGHUP };

static bool
may_terminate(const siginfo_t *info)
{
	return master == 0 || info->si_pid == master || info->si_uid != self;
}

static void
note(int number, siginfo_t *info, void *context)
{
	(void)context;
	switch (number) {
	case SIGCHLD:
		signals.child = 1;
		break;
	case SIGHUP:
		signals.reload = 1;
		break;
	case SIGINT:
		signals.everybody = 1;
		if (!signals.terminate)
			signals.terminate = INTERRUPTED;
		break;
	default:
		if (!may_terminate(info))
			return;
		signals.terminate = TERMINATED;
		if (master != 0 && info->si_pid != master)
			signals.everybody = 1;
	}
}

static void
set_all(const struct sigaction *action, void (*pipe_handler)(int), bool block)
{
	struct sigaction pipe_action = { .sa_handler = pipe_handler };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigemptyset(&pipe_action.sa_mask);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
		if (block)
			sigaddset(&blocked, handled[i]);
		(void)sigaction(handled[i], action, NULL);
	}
	(void)sigaction(SIGPIPE, &pipe_action, NULL);
	/* All of it: what was inherited would go on to programs we start. */
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/*
 * What whoever started us ignored stays ignored across exec, real-time
 * signals too, which the C library keeps to itself: ask the kernel.
 */
static void
forget_inherited(void)
{
	static const uint64_t defaults[8]; /* SIG_DFL, no flags, no mask */

	for (int number = 1; number <= KERNEL_SIGNALS; number++)
		(void)syscall(SYS_rt_sigaction, number, defaults, NULL,
		    KERNEL_SIGNALS / 8);
}

void
signals_take(void)
{
	struct sigaction action = {
		.sa_sigaction = note,
		.sa_flags = SA_SIGINFO,
	};

	sigemptyset(&action.sa_mask);
	forget_inherited();
	set_all(&action, SIG_IGN, true);
}

void
signals_obey(pid_t pid)
{
	if (pid != 0)
		self = getuid();
	master = pid;
}

void
signals_release(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigemptyset(&action.sa_mask);
	set_all(&action, SIG_DFL, false);
}
