#include "signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SIGNALS 64

struct signal_flags signals;

static const int handled[] = { SIGTERM, SIGINT, SIGCHLD, SIGHUP };

static void
note(int number)
{
	switch (number) {
	case SIGCHLD:
		signals.child = 1;
		break;
	case SIGHUP:
		signals.reload = 1;
		break;
	case SIGINT:
		if (!signals.terminate)
			signals.terminate = INTERRUPTED;
		break;
	default:
		signals.terminate = TERMINATED;
	}
}

static void
set_all(void (*handler)(int), void (*pipe_handler)(int), bool block)
{
	struct sigaction action = { .sa_handler = handler };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
		if (block)
			sigaddset(&blocked, handled[i]);
		(void)sigaction(handled[i], &action, NULL);
	}
	action.sa_handler = pipe_handler;
	(void)sigaction(SIGPIPE, &action, NULL);
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
	forget_inherited();
	set_all(note, SIG_IGN, true);
}

void
signals_release(void)
{
	set_all(SIG_DFL, SIG_DFL, false);
}
