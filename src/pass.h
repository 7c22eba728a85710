/*
 * pass.h - "pass": the client's socket itself goes to another process.
 *
 * One message per connection on a SOCK_SEQPACKET unix socket: the descriptor
 * as SCM_RIGHTS, and as payload a PROXY version 2 header (see proxy.h) that
 * says who the client is.  Nothing of the stream has been read.
 */
#ifndef USHER_PASS_H
#define USHER_PASS_H

#include <stdbool.h>

#include "addr.h"
#include "deadline.h"
#include "proxy.h"
#include "waits.h"

/* Start with zeros but for the first part. */
struct pass {
	const struct addr *to; /* who listens there gets it */
	struct deadline until;
	int client; /* stays the caller's */
	const struct addr *from, *local;
	const struct proxy_extras *extras;

	int receiver; /* the socket to them, once begun */
	bool begun;
};

/*
 * Passes the client on.  Returns 0; -EINPROGRESS if it has to wait as await
 * says and to be called again; or -errno: nobody is there, or does not take
 * it before the deadline.
 */
int pass_step(struct pass *pass, struct await *await);

/* Gives up between two steps. */
void pass_abandon(struct pass *pass);

#endif
