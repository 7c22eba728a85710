#include "requests.h"

#include <poll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "bury.h"
#include "fd.h"
#include "launch.h"
#include "log.h"

/* Its process is gone, and nobody knows how: it was not our child. */
static void
end_stray(struct connection *slot, void *arg)
{
	enum end end = slot->end;

	bury_slot(arg, slot, end == END_NONE ? END_KILLED : end, slot->error);
}

static bool
is_asked(int requests)
{
	struct pollfd p = { .fd = requests, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

/*
 * A slot is ours while its program is asked for.  If nobody asks, it was
 * somebody who was broken into who has written that it is.
 */
static void
disown_slots(int requests, const struct generation *g)
{
	struct scoreboard *board = g->board;
	uint32_t high = atomic_load(&board->head->high);

	for (uint32_t i = 0; i < high && i < SCOREBOARD_SLOTS; i++) {
		struct connection *slot = scoreboard_slot(board, i);

		if (atomic_load(&slot->pid) == getpid() && !is_asked(requests))
			bury_slot(g, slot, END_ERROR, 0);
	}
}

void
requests_mend(int requests, const struct generation *g)
{
	/* What is shared may have been written over. */
	atomic_store(&g->board->head->keeper, getpid());
	(void)scoreboard_mend(g->board, end_stray, (void *)(uintptr_t)g);
	disown_slots(requests, g);
}

/* Not one of the sockets that all processes share, nor a file. */
static bool
is_stream(int client)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(client, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM;
}

/* Everything in the request may be a lie: the child may have been broken. */
static void
run_program(const struct generation *g, const struct launch_request *request,
    int client)
{
	const struct service *service = bury_service(g, request->row);
	struct connection *slot;
	int r;

	if (request->slot >= SCOREBOARD_SLOTS || !is_stream(client))
		return;
	slot = scoreboard_slot(g->board, request->slot);
	/* If the child was killed since, it has been seen to. */
	if (!scoreboard_claim(slot, request->pid) &&
	    atomic_load(&slot->pid) != getpid())
		return;
	if (service == NULL || service->target != GO_EXEC) {
		log_event(LOG_WARNING,
		    "a connection asked for a program that is in no rule");
		bury_slot(g, slot, END_ERROR, 0);
		return;
	}
	slot->end = END_BACKEND_CLOSED;
	r = launch_program(g->board, service, client, slot);
	if (r < 0)
		bury_slot(g, slot, END_ERROR, -r);
}

enum heard
requests_hear(int requests, const struct generation *g)
{
	struct launch_request request;
	__attribute__((cleanup(fd_close_at_once))) int client = -1;
	ssize_t n = fd_receive(requests, &request, sizeof(request), &client);

	if (n == sizeof(request))
		run_program(g, &request, client);
	if (n == 0)
		return HEARD_END;
	if (n == LAUNCH_INQUIRY)
		return HEARD_INQUIRY;
	return n == 1 ? HEARD_READY : HEARD_OTHER;
}
