/*
 * pass.h - "pass": the client's socket itself goes to another process.
 *
 * One message per connection on a SOCK_SEQPACKET unix socket: the descriptor
 * as SCM_RIGHTS, and as payload a PROXY version 2 header (see proxy.h) that
 * says who the client is.  Nothing of the stream has been read.
 */
#ifndef USHER_PASS_H
#define USHER_PASS_H

#include "addr.h"
#include "deadline.h"
#include "proxy.h"

/*
 * Passes client, which stays the caller's, to whoever listens at to, before
 * the deadline.  Returns 0 or -errno: nobody is there, or does not take it.
 */
int pass_socket(const struct addr *to, int client, const struct addr *from,
    const struct addr *local, const struct proxy_extras *extras,
    struct deadline until);

#endif
