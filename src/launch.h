/*
 * launch.h - "exec": a program of the administrator's on the client's socket.
 *
 * The one idea: the child that read hostile bytes is restricted for good and
 * must not start programs.  It sends the client's socket and a number to the
 * keeper, which trusts neither: it looks the service up in its own rules.
 */
#ifndef USHER_LAUNCH_H
#define USHER_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "rules.h"
#include "scoreboard.h"

/* What goes over generation->keeper, with the client's socket. */
struct launch_request {
	uint16_t row; /* the service's, in the scoreboard */
	uint32_t slot;
	int32_t pid; /* of the child, whose slot it is until then */
};

/* Whether a service runs a program. */
bool launch_is_wanted(const struct rules *rules);

/*
 * In the keeper: makes where requests come from, and returns its end, CLOEXEC,
 * which the caller owns; the children's is at KEEPER_FD.  -errno.
 */
int launch_listen(void);

/*
 * In the child: asks the keeper to run the service's program on client.
 * The slot is the keeper's once it hears of that.  0 or -errno; -EAGAIN: the
 * keeper has much to do, and can be asked again in a moment.
 */
int launch_ask(int keeper, const struct launch_request *request, int client);

/*
 * In the child: asks the keeper to find out why a connection from the
 * client's own address has failed; see inquiry.h.  It is no loss if it cannot
 * hear that now.  The message is as long as no other.
 */
#define LAUNCH_INQUIRY 2
void launch_inquire(int keeper);

/*
 * In the keeper: starts service->argv with client as its standard input and
 * output.  Environment, descriptors and signals are as usher.conf(5) says.
 * The slot's pid is the program's from then on.  client stays the caller's.
 * Returns 0 or -errno.
 */
int launch_program(const struct scoreboard *board,
    const struct service *service, int client, struct connection *slot);

#endif
