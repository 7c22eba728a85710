/*
 * alone.c - one client in a process of its own, which becomes usher-relay if
 * the client stays.
 */
#include "alone.h"

#include <syslog.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "handover.h"
#include "log.h"
#include "relay.h"
#include "sandbox.h"
#include "signals.h"

static enum end
stopped(const struct session *s)
{
	return atomic_load(&s->slot->evict) ? END_LIMIT : END_KILLED;
}

/* Becomes usher-relay.  Comes back only if that fails. */
static void
become_relay(struct session *s, struct relay *relay)
{
	const struct generation *g = s->generation;
	const struct limits *limits = session_limits(s);
	char client[ADDR_TEXT_MAX], backend[ADDR_TEXT_MAX];
	struct line text = LINE(client), to = LINE(backend);
	struct handover h = {
		.slot = scoreboard_index(g->board, s->slot),
		.log_kind = log_kind(),
		.log = limits->log,
		.hide_client = g->rules->settings.hide_clients,
		.caged = sandbox_is_for_heirs(),
		.options = relay->options,
	};
	const char *const names[3] = { s->service->name, client, backend };
	int r;

	/* What ps shows is there for everybody on this machine. */
	if (h.hide_client)
		line_char(&text, '-');
	else
		addr_write(&text, &s->from);
	scoreboard_write_backend(g->board, s->slot, &to);
	session_watch_peers(s, relay->down.from);
	r = handover_exec(g->relay_exe, &h, relay, names);
	log_errno(LOG_WARNING, "cannot run usher-relay", -r);
}

static int64_t
stays_after_ms(const struct generation *g)
{
	if (g->relay_exe < 0)
		return -1;
	return g->rules->settings.relay_at_once ? 0 : STAYS_AFTER_MS;
}

static enum end
relay_to(struct session *s, int backend)
{
	const struct generation *g = s->generation;
	const struct relay_options options =
	    session_relay_options(s, stays_after_ms(g));
	struct relay relay;
	enum end end;

	relay_init_alone(&relay, s->client, backend, s->slot, &options, NULL);
	session_begin_relay(s, &relay);
	if (g->relay_exe < 0)
		session_watch_peers(s, backend);
	end = relay_run(&relay, &signals.terminate);
	while (end == RELAY_STAYS) {
		become_relay(s, &relay);
		relay.options.stays_after_ms = -1;
		end = relay_run(&relay, &signals.terminate);
	}
	if (end == END_KILLED)
		end = stopped(s);
	relay_finish(&relay, end);
	s->client = -1;
	return end;
}

/* The client is closed as its end deserves. */
static void
part(struct session *s)
{
	switch (session_parting(s)) {
	case PART_CLOSED:
		(void)close(fd_take(&s->client));
		break;
	case PART_RESET:
		close_reset(fd_take(&s->client));
		break;
	case PART_IN_ORDER:
		close_in_order(fd_take(&s->client), PARTING_MS);
	}
}

void
alone_run(struct session *s)
{
	struct await await;
	int backend = -1;
	enum session_next next;
	enum end end;

	/*
	 * The first access writes: a read would have the kernel map the pages
	 * around for reading, and then this one again for writing.
	 */
	(void)atomic_fetch_or(&s->slot->evict, 0);
	clock_tick();
	next = session_start(s, &await, &backend);

	while (next == SESSION_WAITS) {
		if (await_poll(&await, &signals.terminate) < 0) {
			session_stop(s, stopped(s));
			next = SESSION_ENDS;
		} else {
			next = session_step(s, &await, &backend);
		}
	}
	if (next == SESSION_HANDED_ON)
		_exit(0);
	if (next == SESSION_RELAYS) {
		end = relay_to(s, backend);
	} else {
		end = s->end;
		part(s);
	}
	log_be_patient(LOG_PATIENCE_MS);
	session_finish(s, end);
	_exit(0);
}
