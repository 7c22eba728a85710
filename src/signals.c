#include "signals.h"

#include <stddef.h>

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
	default:
		signals.terminate = 1;
	}
}

static void
set_all(void (*handler)(int), void (*pipe_handler)(int), int how)
{
	struct sigaction action = { .sa_handler = handler };
	sigset_t set;

	sigemptyset(&set);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
		sigaddset(&set, handled[i]);
		(void)sigaction(handled[i], &action, NULL);
	}
	action.sa_handler = pipe_handler;
	(void)sigaction(SIGPIPE, &action, NULL);
	(void)sigprocmask(how, &set, NULL);
}

void
signals_take(void)
{
	set_all(note, SIG_IGN, SIG_BLOCK);
}

void
signals_release(void)
{
	set_all(SIG_DFL, SIG_DFL, SIG_UNBLOCK);
}
