/*
 * reload.h - new rules for a running usherd, by way of "usher dump".
 *
 * The one idea: whatever is large or may block, reading files and resolving
 * names, happens in another program.  It writes to two sealed-off memfds;
 * they are read when it has ended, so there is nothing to poll meanwhile.
 */
#ifndef USHER_RELOAD_H
#define USHER_RELOAD_H

#include <stdatomic.h>
#include <stdint.h>

#include "rules.h"

struct reload {
	_Atomic int32_t pid; /* 0: none under way */
	int out, err; /* memfds */
};

/*
 * Starts argv ("usher", "dump", ...), path being its file.  0 or -errno.
 */
int reload_start(struct reload *reload, const char *path, char *const argv[]);

/*
 * The program has ended with status (as from waitpid).  What it said on
 * standard error is logged line by line.  Returns 0 and the new rules, which
 * the caller frees, or -errno after logging why there are none.
 */
int reload_finish(struct reload *reload, int status, struct rules **ret);

/*
 * The program has ended, and was not asked for rules: the lines of what it
 * said on standard error that hold this text are logged, as warnings.
 */
void reload_quote(struct reload *reload, const char *text);

/* Reads a file whose addresses are numeric; does not complain.  0 or -errno. */
int reload_try(int fd, struct rules **ret);

/*
 * Reads what usher wrote, and so has checked, from a descriptor with a file
 * behind it.  0 or -errno, logged.
 */
int reload_read(int fd, struct rules **ret);

#endif
