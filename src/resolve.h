/*
 * resolve.h - names as numbers, by whatever /etc/nsswitch.conf says.
 *
 * Only usher resolves, once, before the port is served: a name that changes
 * its address later is seen at the next reload.
 */
#ifndef USHER_RESOLVE_H
#define USHER_RESOLVE_H

#include "rules.h"

/*
 * The resolver for rules_parse(): each address once, in the order that
 * getaddrinfo(3) gives.  -ENOMEM, or -ENOENT for everything else that is wrong.
 */
rules_resolve resolve_name;

/*
 * Whom programs run as becomes UID:GID, which is what usherd can read.
 * Returns 0, -ENOMEM, or -ENOENT with the service in *ret whose user there
 * is not.
 */
int resolve_users(struct rules *rules, const struct service **ret);

#endif
