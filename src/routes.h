/*
 * routes.h - asks the kernel which way a packet would go (rtnetlink(7)).
 *
 * The one idea: rules and tables are not read and understood here, but asked
 * for an answer: the kernel looks a packet up that nobody has sent, with all
 * that it would apply to a real one, and says where it ends.
 */
#ifndef USHER_ROUTES_H
#define USHER_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

struct route_question {
	const struct addr *to; /* an IP address; its port is nothing */
	const struct addr *from; /* NULL: ours, whichever */
	int device; /* it came in there; 0: it is sent from here */
	uint32_t mark;
};

struct route_answer {
	bool local; /* it is for this host */
	int device; /* where it goes out */
};

/*
 * 0 or -errno; then it is the kernel's word about the packet (-ENETUNREACH,
 * -EHOSTUNREACH, -EINVAL, ...), or -EAFNOSUPPORT, -EPERM, -EPROTO where it
 * cannot be asked at all.
 */
int routes_ask(const struct route_question *question, struct route_answer *ret);

/* An "ip rule" by mark, or for what is sent from this host's loopback. */
struct route_rule {
	uint32_t mark; /* 0: it has none */
	bool from_loopback;
	uint32_t table;
};

/*
 * The rules of AF_INET or AF_INET6 that are either.  Returns how many, at
 * most max, or -errno.
 */
int routes_rules(int family, struct route_rule *ret, size_t max);

/* Whether in this table all is local: 1, 0 or -errno. */
int routes_table_is_local(int family, uint32_t table);

#endif
