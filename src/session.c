#include "session.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "match.h"
#include "proxy.h"
#include "pump.h"
#include "session_inner.h"

_Static_assert(PUMP_SCRATCH >= PEEK_MAX, "first bytes need more room");

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

/* For the log and the status: what the client turned out to be. */
static void
note_facts(struct session *s, struct facts *facts)
{
	const struct protocol *known = protocol_of(facts->bytes, facts->n);
	const struct tls_hello *hello = facts_hello(facts);
	struct connection *slot = s->slot;
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
		scoreboard_set_name(s->generation->board, slot, hello->name,
		    (uint8_t)hello->name_len);
	at = hello->alpn;
	if (!tls_alpn_next(facts->bytes, facts->n, &at, &name))
		return;
	s->one_alpn = scoreboard_set_alpn(
			  s->generation->board, slot, name.text, name.len) &&
	    hello->n_alpn == 1;
}

/* This one is counted already. */
static bool
is_over_limit(const struct session *s)
{
	const struct tally *tally =
	    scoreboard_tally(s->generation->board, s->slot->service);
	uint32_t limit = s->service->limits.max_connections;

	return limit != 0 && atomic_load(&tally->connections) > limit;
}

static enum session_next
decided(struct session *s, const struct service *service, struct facts *facts,
    struct await *await, int *backend)
{
	const struct generation *g = s->generation;

	s->slot->wait_us = clock_us() - s->slot->start_us;
	note_facts(s, facts);
	if (service == NULL)
		return session_over(s, END_NO_RULE);
	s->service = service;
	peek_end(&s->peek);
	scoreboard_decided(
	    g->board, s->slot, g->rows[service - g->rules->services]);
	if (is_over_limit(s))
		return session_over(s, END_LIMIT);
	return session_go(s, await, backend);
}

/* The facts from the bytes that there are. */
static void
gather(const struct session *s, bool final, struct facts *facts)
{
	const struct peek *peek = &s->peek;

	facts->bytes = peek->bytes;
	facts->n = peek->n;
	facts->final = final || peek->eof || peek->n == peek->size;
	facts->client = &s->from;
	facts->local = &s->local;
	facts->socket = s->socket;
	facts_update(facts);
}

/* The client left without a decision; still, something may be known of it. */
static enum session_next
gone(struct session *s)
{
	struct facts facts;

	s->slot->wait_us = clock_us() - s->slot->start_us;
	if (s->peek.n > 0 && peek_again(&s->peek)) {
		gather(s, false, &facts);
		note_facts(s, &facts);
	}
	return session_over(s, END_GONE);
}

/* What the rules say to them. */
static struct decision
ask(const struct session *s, bool final, struct facts *facts)
{
	gather(s, final, facts);
	return match_decide(s->generation->rules, s->generation->index, facts);
}

/* Looks and asks until the rules have an answer; need: what they want. */
static enum session_next
decide(struct session *s, size_t need, struct facts *facts, struct await *await,
    int *backend)
{
	struct decision d;
	int r;

	for (;;) {
		r = peek_step(
		    &s->peek, need, inspect_until(s, s->peek.n), await);
		if (r == -EINPROGRESS)
			return SESSION_WAITS;
		if (r < 0 || (s->peek.eof && s->peek.n == 0))
			return gone(s);
		d = ask(s, r == 0, facts);
		if (d.kind != UNDECIDED)
			return decided(s, d.service, facts, await, backend);
		need = d.need;
	}
}

/* Some rules need not see a byte. */
static enum session_next
start_deciding(struct session *s, struct await *await, int *backend)
{
	struct facts facts;
	struct decision d;

	s->stage = SESSION_UNDECIDED;
	if (s->generation->needs_local)
		session_learn_local(s);
	d = ask(s, false, &facts);
	if (d.kind != UNDECIDED)
		return decided(s, d.service, &facts, await, backend);
	return decide(s, d.need, &facts, await, backend);
}

static enum session_next
go_on_deciding(struct session *s, struct await *await, int *backend)
{
	struct facts facts; /* not kept from one step to the next */

	return decide(s, s->peek.n + 1, &facts, await, backend);
}

/* Takes the PROXY header, and nothing after it, off the stream. */
static enum end
take_header(struct session *s, const struct proxy_header *header)
{
	struct peek *peek = &s->peek;
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
	peek->n = peek->shown = 0;
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
static enum session_next
expect_header(struct session *s, size_t need, struct await *await, int *backend)
{
	struct peek *peek = &s->peek;
	struct proxy_header header;
	struct answer a = { ANSWER_MORE, need };
	enum end end;
	int r = 1;

	while (r > 0 && a.verdict == ANSWER_MORE) {
		if (peek->n == peek->size || (peek->eof && peek->n > 0))
			break;
		r = peek_step(peek, a.need, inspect_until(s, 1), await);
		if (r == -EINPROGRESS)
			return SESSION_WAITS;
		if (r < 0 || (peek->eof && peek->n == 0))
			return session_over(s, END_GONE);
		a = proxy_parse(peek->bytes, peek->n, &header);
	}
	if (a.verdict != ANSWER_YES) {
		s->slot->error = EPROTO;
		return session_over(s, END_ERROR);
	}
	end = take_header(s, &header);
	if (end != END_NONE)
		return session_over(s, end);
	return start_deciding(s, await, backend);
}

static void
begin(struct session *s)
{
	s->peek = (struct peek){
		.client = s->client,
		.bytes = pump_scratch(),
		.size = PEEK_MAX,
		.edge = s->edge,
	};
}

/* Apart, for what it needs of the stack is seldom needed. */
static __attribute__((noinline)) bool
is_early(struct session *s)
{
	struct facts facts;

	begin(s);
	if (s->generation->needs_local)
		session_learn_local(s);
	return ask(s, false, &facts).kind != UNDECIDED;
}

bool
session_begins_later(struct session *s, struct deadline *ret)
{
	bool header = proxy_expected(&s->generation->rules->settings, &s->from);

	if (!header && s->generation->may_be_early && is_early(s))
		return false;
	*ret = inspect_until(s, header);
	return true;
}

enum session_next
session_start(struct session *s, struct await *await, int *backend)
{
	await_init(await);
	begin(s);
	if (!proxy_expected(&s->generation->rules->settings, &s->from))
		return start_deciding(s, await, backend);
	s->stage = SESSION_HEADER;
	return expect_header(s, 1, await, backend);
}

enum session_next
session_step(struct session *s, struct await *await, int *backend)
{
	switch (s->stage) {
	case SESSION_HEADER:
		return expect_header(s, s->peek.n + 1, await, backend);
	case SESSION_UNDECIDED:
		return go_on_deciding(s, await, backend);
	default:
		return session_go_on(s, await, backend);
	}
}

enum session_parting
session_parting(const struct session *s)
{
	if (s->end == END_LIMIT ||
	    (s->end == END_REJECTED && s->service->target == GO_RESET))
		return PART_RESET;
	if (s->end == END_GONE || s->end == END_BACKEND_CLOSED)
		return PART_CLOSED;
	return PART_IN_ORDER;
}

const struct limits *
session_limits(const struct session *s)
{
	return s->service != NULL ? &s->service->limits :
				    &s->generation->rules->settings.limits;
}

void
session_finish(struct session *s, enum end end)
{
	s->slot->end = (uint8_t)end;
	log_end(s->generation->board, s->slot, session_limits(s)->log,
	    s->generation->rules->settings.hide_clients);
}
