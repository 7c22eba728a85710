/*
 * way_back.h - whether a backend's answers to a client's address would come
 * back to this host's sockets, and if not, what is missing.
 */
#ifndef USHER_WAY_BACK_H
#define USHER_WAY_BACK_H

#include "addr.h"
#include "line.h"

/*
 * Looks for the way back from a backend with this IP address.  Returns 0 if
 * there is one; 1 with what is missing in why, commands included; or -errno
 * if the kernel cannot be asked.
 */
int way_back_look(const struct addr *backend, struct line *why);

/*
 * Whether this process, started as it was, may use addresses of others:
 * CAP_NET_RAW or CAP_NET_ADMIN is in force.
 */
bool way_back_is_permitted(void);

#endif
