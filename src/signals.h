/*
 * signals.h - signals as flags that are looked at between two waits.
 *
 * The one idea: everything is blocked but for the waits (see waits.h), and a
 * handler sets a flag and does nothing else.
 */
#ifndef USHER_SIGNALS_H
#define USHER_SIGNALS_H

#include <signal.h>

struct signal_flags {
	/*
	 * 0, or INTERRUPTED, or TERMINATED.  A terminal interrupts the whole
	 * process group: then the acceptor waits to be told by the keeper.
	 */
	volatile sig_atomic_t terminate;
	/*
	 * SIGINT, or a SIGTERM that is not the master's: everybody is to end,
	 * and not just this process to retire.  Who acts on it sets it back.
	 */
	volatile sig_atomic_t everybody;
	volatile sig_atomic_t child; /* SIGCHLD */
	volatile sig_atomic_t reload; /* SIGHUP */
};

enum {
	INTERRUPTED = 1, /* SIGINT */
	TERMINATED = 2, /* SIGTERM */
};

extern struct signal_flags signals;

/*
 * Installs the handlers, blocks their signals and ignores SIGPIPE; all other
 * signals are as a new program expects them, whatever was inherited.
 */
void signals_take(void);

/*
 * From now on SIGTERM counts only if master has sent it, or another user, who
 * could do worse.  0: whoever has sent it, as at first.
 */
void signals_obey(pid_t master);

/* Puts mask and dispositions back to what a new program expects. */
void signals_release(void);

#endif
