#include "session.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "dial.h"
#include "fd.h"
#include "handover.h"
#include "launch.h"
#include "log.h"
#include "match.h"
#include "pass.h"
#include "peek.h"
#include "proxy.h"
#include "reach.h"
#include "relay.h"
#include "signals.h"
#include "waits.h"

/* How long a rejected client may go on sending before it is cut off. */
#define LINGER_MS 1000

/* When a connection counts as one that stays, and gets a lean relay. */
#define STAYS_AFTER_MS 200

/* The first bytes; in bss, so only what a client sends is ever touched. */
static uint8_t first_bytes[PEEK_MAX];

static enum end
stopped(const struct session *s)
{
	return atomic_load(&s->slot->evict) ? END_LIMIT : END_KILLED;
}

/* What a failed read or wait on the undecided client means. */
static enum end
lost(const struct session *s, int error)
{
	return error == -EINTR ? stopped(s) : END_GONE;
}

/* Asked for only where somebody wants to know: it is a system call. */
static void
learn_local(struct session *s)
{
	struct addr *local = &s->local;

	if (local->len != 0)
		return;
	local->len = sizeof(struct sockaddr_un);
	if (getsockname(s->client, &local->any, &local->len) < 0)
		local->len = 0;
	else
		addr_unmap(local);
	endpoint_from(&s->slot->local, local);
}

/*
 * Until when to wait with what there is: silence has its own, shorter limit,
 * and both count from accept, whatever trickles in.
 */
static struct deadline
inspect_until(const struct session *s, size_t n)
{
	const struct settings *settings = &s->generation->rules->settings;
	int64_t start = s->slot->start_us;
	struct deadline until = deadline_after(start, settings->inspect_ms);

	if (n > 0)
		return until;
	return deadline_first(
	    until, deadline_after(start, settings->silence_ms));
}

/* Looks and asks until the rules have an answer.  END_NONE: they have. */
static enum end
decide(struct session *s, struct peek *peek, struct facts *facts,
    const struct service **ret)
{
	for (;;) {
		struct decision d;
		int r;

		facts->n = peek->n;
		facts->final |= peek->eof || peek->n == peek->size;
		facts_update(facts);
		d = match_decide(
		    s->generation->rules, s->generation->index, facts);
		if (d.kind == DECIDED_SERVICE) {
			*ret = d.service;
			return END_NONE;
		}
		if (d.kind == DECIDED_NONE)
			return END_NO_RULE;

		r = peek_more(peek, d.need, inspect_until(s, peek->n),
		    &signals.terminate);
		if (r < 0)
			return lost(s, r);
		if (peek->eof && peek->n == 0)
			return END_GONE;
		facts->final = r == 0;
	}
}

/* For the log and the status: what the client turned out to be. */
static void
note_facts(struct session *s, struct facts *facts)
{
	const struct protocol *known = protocol_of(facts->bytes, facts->n);
	const struct tls_hello *hello = facts_hello(facts);
	struct connection *slot = s->slot;
	struct line alpn = LINE(slot->alpn);
	struct line protocol = LINE(slot->protocol);
	struct tls_alpn_name name;
	struct tls_alpn at;

	if (known != NULL)
		line_text(&protocol, known->name);
	else if (facts->n == 0 && facts->final)
		line_text(&protocol, "silent");
	if (hello == NULL)
		return;
	if (hello->has_name)
		memcpy(slot->server_name, hello->name, hello->name_len + 1);
	s->n_alpn = hello->n_alpn;
	at = hello->alpn;
	if (tls_alpn_next(facts->bytes, facts->n, &at, &name))
		line_escaped(&alpn, name.text, name.len);
}

static enum end
reject(struct session *s, enum target how)
{
	if (how == GO_RESET)
		close_reset(fd_take(&s->client));
	else
		close_in_order(fd_take(&s->client), LINGER_MS);
	return END_REJECTED;
}

static enum end
unreachable(struct session *s, int error)
{
	s->slot->error = (int16_t)-error;
	switch (error) {
	case -EINTR:
		return stopped(s);
	case -ECANCELED:
		return END_CLIENT_RESET;
	case -ETIMEDOUT:
		return END_CONNECT_TIMEOUT;
	case -EPERM: /* ours, not the backend's */
	case -EAFNOSUPPORT:
	case -EADDRNOTAVAIL:
		return END_ERROR;
	default:
		return END_REFUSED;
	}
}

/*
 * Whoever stays gets keepalive too; the client's, as the settings have it,
 * came from accept.
 */
static void
watch_peers(const struct session *s, const struct service *service,
    const struct relay *relay)
{
	const struct rules *rules = s->generation->rules;
	int64_t keepalive_ms = service->limits.keepalive_ms;

	if (relay->down.from >= 0)
		(void)dial_keepalive(relay->down.from, keepalive_ms);
	if (relay->up.from >= 0 &&
	    keepalive_ms != rules->settings.limits.keepalive_ms)
		(void)dial_keepalive(relay->up.from, keepalive_ms);
}

/* Becomes usher-relay.  Comes back only if that fails. */
static void
become_relay(
    struct session *s, const struct service *service, struct relay *relay)
{
	const struct generation *g = s->generation;
	char client[ADDR_TEXT_MAX];
	struct line text = LINE(client);
	struct handover h = {
		.slot = scoreboard_index(g->board, s->slot),
		.log_kind = log_kind(),
		.log = service->limits.log,
		.hide_client = g->rules->settings.hide_clients,
		.options = relay->options,
	};
	const char *const names[3] = { service->name, client,
		s->slot->backend };
	int r;

	/* What ps shows is there for everybody on this machine. */
	if (h.hide_client)
		line_char(&text, '-');
	else
		addr_write(&text, &s->from);
	watch_peers(s, service, relay);
	r = handover_exec(g->relay_exe, &h, relay, names);
	log_errno(LOG_WARNING, "cannot run usher-relay", -r);
}

static enum end
relay_to(struct session *s, const struct service *service, int backend)
{
	const struct generation *g = s->generation;
	struct relay_options options = {
		.idle_ms = service->limits.idle_ms,
		.half_close_ms = service->limits.half_close_ms,
		.stays_after_ms = g->relay_exe < 0 ? -1 : STAYS_AFTER_MS,
	};
	struct relay relay;
	enum end end = RELAY_STAYS;

	relay_init(&relay, s->client, backend, s->slot, &options, NULL);
	if (g->relay_exe < 0)
		watch_peers(s, service, &relay);
	if (g->relay_exe < 0 || !g->rules->settings.relay_at_once)
		end = relay_run(&relay, &signals.terminate);
	while (end == RELAY_STAYS) {
		become_relay(s, service, &relay);
		relay.options.stays_after_ms = -1;
		end = relay_run(&relay, &signals.terminate);
	}
	if (end == END_KILLED)
		end = stopped(s);
	relay_finish(&relay, end);
	s->client = -1;
	return end;
}

/* The only ALPN name offered, or NULL: with several, who knows which. */
static const char *
only_alpn(const struct session *s)
{
	return s->n_alpn == 1 ? s->slot->alpn : NULL;
}

static enum end
go_to_backend(struct session *s, const struct service *service)
{
	const struct reach reach = {
		.service = service,
		.board = s->generation->board,
		.slot = s->slot,
		.client = s->client,
		.from = &s->from,
		.local = &s->local,
		.alpn = only_alpn(s),
		.stop = &signals.terminate,
	};
	int backend;

	if (service->proxy_protocol != 0)
		learn_local(s);
	backend = reach_backend(&reach);
	if (backend < 0)
		return unreachable(s, backend);
	return relay_to(s, service, backend);
}

/* The keeper takes over, slot and all: it must not be given back here. */
static enum end
ask_for_program(struct session *s, const struct service *service)
{
	const struct generation *g = s->generation;
	const struct launch_request request = {
		.row = s->slot->service,
		.slot = scoreboard_index(g->board, s->slot),
		.pid = getpid(),
	};
	struct line text = LINE(s->slot->backend);
	int r;

	line_text(&text, service->argv[0]);
	r = launch_ask(g->keeper, &request, s->client);
	if (r < 0) {
		s->slot->error = (int16_t)-r;
		return END_ERROR;
	}
	/* Unless it has begun already, and the slot is the program's. */
	scoreboard_pass(
	    s->slot, request.pid, atomic_load(&g->board->head->keeper));
	s->handed_over = true;
	return END_NONE;
}

static enum end
pass_on(struct session *s, const struct service *service)
{
	const struct proxy_extras extras = {
		.authority = s->slot->server_name,
		.alpn = only_alpn(s),
	};
	struct line text = LINE(s->slot->backend);
	int r;

	addr_write(&text, &service->pass);
	learn_local(s);
	r = pass_socket(&service->pass, s->client, &s->from, &s->local, &extras,
	    deadline_after(clock_us(), service->limits.connect_ms));
	if (r < 0)
		return unreachable(s, r);
	(void)close(fd_take(&s->client));
	return END_BACKEND_CLOSED;
}

static enum end
go(struct session *s, const struct service *service)
{
	switch (service->target) {
	case GO_BACKEND:
		return go_to_backend(s, service);
	case GO_EXEC:
		return ask_for_program(s, service);
	case GO_PASS:
		return pass_on(s, service);
	case GO_CLOSE:
	case GO_RESET:
		break;
	}
	return reject(s, service->target);
}

/* Takes the PROXY header, and nothing after it, off the stream. */
static enum end
take_header(
    struct session *s, struct peek *peek, const struct proxy_header *header)
{
	struct endpoint client;
	size_t left = header->len;

	while (left > 0) {
		ssize_t n = recv(s->client, peek->bytes, left, MSG_DONTWAIT);

		if (n <= 0)
			return END_GONE;
		left -= (size_t)n;
	}
	peek_end(peek);
	/* Its FIN counts anew: nothing before it is nobody, not silence. */
	peek->n = 0;
	peek->eof = false;
	if (!header->known)
		return END_NONE;
	s->from = header->source;
	s->local = header->destination;
	endpoint_from(&s->slot->local, &s->local);
	endpoint_from(&client, &s->from);
	scoreboard_source_move(s->generation->board, s->slot, &client);
	if (scoreboard_source_count(s->generation->board, &client) >
	    s->generation->rules->settings.max_per_source)
		return END_LIMIT;
	return END_NONE;
}

/* A trusted sender that does not begin with a header is not served. */
static enum end
expect_header(struct session *s, struct peek *peek)
{
	struct proxy_header header;
	struct deadline until = inspect_until(s, 1);

	for (;;) {
		struct answer a = proxy_parse(peek->bytes, peek->n, &header);
		int r;

		if (a.verdict == ANSWER_YES)
			return take_header(s, peek, &header);
		if (a.verdict == ANSWER_NO || peek->n == peek->size ||
		    (peek->eof && peek->n > 0))
			break;
		r = peek_more(peek, a.need, until, &signals.terminate);
		if (r < 0)
			return lost(s, r);
		if (peek->eof && peek->n == 0)
			return END_GONE;
		if (r == 0)
			break;
	}
	s->slot->error = EPROTO;
	return END_ERROR;
}

/* This one is counted already. */
static bool
is_over_limit(const struct session *s, const struct service *service)
{
	const struct tally *tally =
	    scoreboard_tally(s->generation->board, s->slot->service);

	return service->limits.max_connections != 0 &&
	    atomic_load(&tally->connections) > service->limits.max_connections;
}

static enum end
serve(struct session *s, const struct service **ret_service)
{
	const struct generation *g = s->generation;
	struct peek peek = {
		.client = s->client,
		.bytes = first_bytes,
		.size = sizeof(first_bytes),
	};
	struct facts facts = {
		.bytes = first_bytes,
		.client = &s->from,
		.local = &s->local,
		.socket = s->socket,
	};
	enum end end = END_NONE;

	if (proxy_expected(&g->rules->settings, &s->from))
		end = expect_header(s, &peek);
	if (end != END_NONE)
		return end;
	if (g->needs_local)
		learn_local(s);
	end = decide(s, &peek, &facts, ret_service);
	s->slot->wait_us = clock_us() - s->slot->start_us;
	note_facts(s, &facts);
	if (end != END_NONE)
		return end;
	peek_end(&peek);
	scoreboard_decided(
	    g->board, s->slot, g->rows[*ret_service - g->rules->services]);
	if (is_over_limit(s, *ret_service))
		return END_LIMIT;
	return go(s, *ret_service);
}

/* The client is closed as its end deserves, if it has not been yet. */
static void
close_client(struct session *s, enum end end)
{
	if (s->client < 0)
		return;
	if (end == END_LIMIT)
		close_reset(fd_take(&s->client));
	else if (end == END_GONE)
		(void)close(fd_take(&s->client));
	else
		close_in_order(fd_take(&s->client), LINGER_MS);
}

void
session_run(struct session *s)
{
	const struct settings *settings = &s->generation->rules->settings;
	const struct service *service = NULL;
	enum end end = serve(s, &service);

	if (s->handed_over)
		_exit(0);
	close_client(s, end);
	s->slot->end = (uint8_t)end;
	log_end(s->generation->board, s->slot,
	    service == NULL ? settings->limits.log : service->limits.log,
	    settings->hide_clients);
	_exit(0);
}
