/*
 * origin.h - what a connection from the client's own address takes.
 *
 * The one idea: a backend answers to the address that it sees, and that is
 * the client's.  Its answers have to be brought back to this machine's
 * sockets by a routing rule, and a table in which everything is local.  The
 * commands for that stand here once: "usher check", the log and the tests of
 * contrib/transparent speak of the same ones.
 */
#ifndef USHER_ORIGIN_H
#define USHER_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "line.h"

/* Of packets that are answers, and of the table that they find local. */
#define ORIGIN_MARK "0x443"
#define ORIGIN_TABLE_NUMBER 443

/* What can be missing; sums of them are asked for. */
enum origin_part {
	ORIGIN_RULE = 1, /* ip rule */
	ORIGIN_ROUTE = 2, /* ip route: the table */
	ORIGIN_MARKING = 4, /* what gives answers their mark */
	ORIGIN_VALID_MARK = 8, /* sysctl src_valid_mark is in the way */
	ORIGIN_RP_FILTER = 16, /* sysctl rp_filter is */
};

/*
 * Writes the commands for parts, with " && " between them, so that they can
 * be typed as they are.  backend: 127.0.0.0/8 and ::1 take others than the
 * rest.  table: that of a rule that is there already, or
 * ORIGIN_TABLE_NUMBER.  device: where its answers come in, for
 * ORIGIN_RP_FILTER.
 */
void origin_write_commands(struct line *out, const struct addr *backend,
    unsigned parts, uint32_t table, const char *device);

/* Whether it is 127.0.0.0/8 or ::1: what comes from there has no device. */
bool origin_is_loopback(const struct addr *backend);

/* How the right to do so is given; for "... needs CAP_NET_RAW: ". */
extern const char origin_right_hint[];

/* What "usher check" says of a backend before such commands. */
extern const char origin_no_way_back[];

#endif
