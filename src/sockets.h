/*
 * sockets.h - the sockets that usher serve listens at.
 *
 * The one idea: they come from whoever started us, or are bound here; never
 * both, so that it is said when somebody asked for both.  Mistakes are said
 * on standard error.
 */
#ifndef USHER_SOCKETS_H
#define USHER_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "handover.h"
#include "listener.h"
#include "rules.h"

/* Above every number in handover.h, where descriptors wait for their place. */
#define ASIDE_FD (LISTENERS_FD + LISTENERS_MAX)

/* Zeroed is none.  They live until the exec: nothing is given back. */
struct sockets {
	int fds[LISTENERS_MAX]; /* from ASIDE_FD on, non-blocking, CLOEXEC */
	char *names[LISTENERS_MAX]; /* FileDescriptorName=, or "" */
	size_t n;
	bool passed; /* by systemd or the like */
	bool by_rules; /* bound because of listen = */
};

/* Whether there is room for one after n; else says so. */
bool sockets_have_room(size_t n);

/*
 * Takes what was passed; or else binds the n addresses that were asked for;
 * or else those of the rules.  Returns 0, or -1 after saying why not; with
 * nothing to take, that is no failure, ret->n is 0.
 */
int sockets_take(struct sockets *ret, const struct addr *asked, size_t n,
    const struct rules *rules);

/* Says which services lead back to one of these sockets, if any. */
void sockets_warn_of_loops(
    const struct sockets *sockets, const struct rules *rules);

#endif
