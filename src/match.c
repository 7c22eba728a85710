#include "match.h"

#include <string.h>

#include "byte.h"

static bool
equal_folded(const char *pattern, const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (byte_lower((uint8_t)name[i]) != (uint8_t)pattern[i])
			return false;
	return true;
}

bool
match_name(const struct name_pattern *pattern, const char *name, size_t n)
{
	if (n > 0 && name[n - 1] == '.')
		n--;
	if (n == 0)
		return false;
	if (pattern->any)
		return true;
	if (!pattern->suffix)
		return n == pattern->len &&
		    equal_folded(pattern->text, name, n);
	/* The pattern begins with the dot, so a label stands before it. */
	return n > pattern->len &&
	    equal_folded(pattern->text, name + n - pattern->len, pattern->len);
}

static struct answer
from_bool(bool yes)
{
	return yes ? answer_yes() : answer_no();
}

/* Either may be the one that becomes true. */
static struct answer
either(struct answer a, struct answer b)
{
	if (a.verdict == ANSWER_YES || b.verdict == ANSWER_YES)
		return answer_yes();
	if (a.verdict == ANSWER_NO)
		return b;
	if (b.verdict == ANSWER_NO)
		return a;
	return answer_more(a.need < b.need ? a.need : b.need);
}

/* Both must hold: a no of either decides, so the nearer one is waited for. */
static struct answer
both(struct answer a, struct answer b)
{
	if (a.verdict == ANSWER_NO || b.verdict == ANSWER_NO)
		return answer_no();
	if (a.verdict == ANSWER_YES)
		return b;
	if (b.verdict == ANSWER_YES)
		return a;
	return answer_more(a.need < b.need ? a.need : b.need);
}

static struct answer
negate(struct answer a)
{
	if (a.verdict == ANSWER_MORE)
		return a;
	return from_bool(a.verdict == ANSWER_NO);
}

static struct answer
ask_protocol(const struct value *value, struct facts *facts)
{
	switch (value->protocol.kind) {
	case PROTOCOL_ANY:
		return facts->n > 0 ? answer_yes() : answer_more(1);
	case PROTOCOL_SILENT:
		if (facts->n > 0)
			return answer_no();
		return facts->final ? answer_yes() : answer_more(1);
	case PROTOCOL_NAMED:
		break;
	}
	return facts_protocol(facts, value->protocol.protocol);
}

static struct answer
ask_server_name(const struct value *value, struct facts *facts)
{
	struct answer tls = facts_tls(facts);

	if (tls.verdict != ANSWER_YES)
		return tls;
	return from_bool(facts->hello.has_name &&
	    match_name(&value->name, facts->hello.name, facts->hello.name_len));
}

static struct answer
ask_alpn(const struct value *value, struct facts *facts)
{
	struct answer tls = facts_tls(facts);

	if (tls.verdict != ANSWER_YES)
		return tls;
	return from_bool(tls_offers_alpn(facts->bytes, facts->n, &facts->hello,
	    value->text.text, value->text.len));
}

static struct answer
ask_tls_version(const struct value *value, struct facts *facts)
{
	struct answer tls = facts_tls(facts);

	if (tls.verdict != ANSWER_YES)
		return tls;
	return from_bool(facts->hello.version == value->tls_version);
}

static struct answer
ask_http_host(const struct value *value, struct facts *facts)
{
	struct answer found = facts_host(facts);
	struct answer second = facts_http2(facts);

	if (found.verdict == ANSWER_YES)
		return from_bool(match_name(&value->name,
		    (const char *)facts->bytes + facts->host_at.at,
		    facts->host_at.len));
	if (second.verdict == ANSWER_YES)
		return from_bool(match_name(&value->name, facts->request.host,
		    facts->request.host_len));
	return either(found, second);
}

static bool
begins_with(const struct value *value, const char *path, size_t n)
{
	return n >= value->text.len &&
	    memcmp(path, value->text.text, value->text.len) == 0;
}

static struct answer
ask_http_path(const struct value *value, struct facts *facts)
{
	struct answer found = facts_path(facts);
	struct answer second = facts_http2(facts);

	if (found.verdict == ANSWER_YES)
		return from_bool(begins_with(value,
		    (const char *)facts->bytes + facts->path_at.at,
		    facts->path_at.len));
	if (second.verdict == ANSWER_YES)
		return from_bool(begins_with(
		    value, facts->request.path, facts->request.path_len));
	return either(found, second);
}

static struct answer
ask_payload(const struct value *value, const struct facts *facts)
{
	const struct payload_pattern *p = &value->payload;
	size_t i;

	for (i = 0; i < p->len && p->offset + i < facts->n; i++)
		if ((facts->bytes[p->offset + i] & p->mask[i]) != p->bytes[i])
			return answer_no();
	if (i == p->len)
		return answer_yes();
	return answer_more(p->offset + i + 1);
}

static bool
is_local(const struct value *value, const struct addr *local)
{
	struct addr there = *local, wanted = value->local.host;

	if (value->local.port != 0 && addr_port(local) != value->local.port)
		return false;
	if (!value->local.has_host)
		return there.any.sa_family != AF_UNIX;
	addr_unmap(&there);
	addr_unmap(&wanted);
	if (there.any.sa_family != wanted.any.sa_family)
		return false;
	if (there.any.sa_family == AF_INET)
		return there.v4.sin_addr.s_addr == wanted.v4.sin_addr.s_addr;
	return there.any.sa_family == AF_INET6 &&
	    memcmp(&there.v6.sin6_addr, &wanted.v6.sin6_addr, 16) == 0;
}

static struct answer
ask_value(
    enum condition_kind kind, const struct value *value, struct facts *facts)
{
	switch (kind) {
	case COND_PROTOCOL:
		return ask_protocol(value, facts);
	case COND_SERVER_NAME:
		return ask_server_name(value, facts);
	case COND_ALPN:
		return ask_alpn(value, facts);
	case COND_TLS_VERSION:
		return ask_tls_version(value, facts);
	case COND_HTTP_HOST:
		return ask_http_host(value, facts);
	case COND_HTTP_PATH:
		return ask_http_path(value, facts);
	case COND_PAYLOAD:
		return ask_payload(value, facts);
	case COND_FROM:
		return from_bool(network_holds(&value->from, facts->client));
	case COND_LOCAL:
		return from_bool(is_local(value, facts->local));
	case COND_SOCKET:
		return from_bool(strcmp(value->text.text, facts->socket) == 0);
	case COND_KINDS:
		break;
	}
	return answer_no();
}

/*
 * The values are ORed, the excluded ones ANDed to that.  With nothing but
 * exclusions everything else is meant.
 */
struct answer
match_condition(const struct condition *condition, struct facts *facts)
{
	struct answer wanted = answer_no(), allowed = answer_yes();
	bool any_wanted = false;

	for (size_t i = 0; i < condition->n; i++) {
		const struct value *value = &condition->values[i];
		struct answer a = ask_value(condition->kind, value, facts);

		if (a.verdict == ANSWER_MORE && facts->final)
			a = answer_no();
		if (value->negated) {
			allowed = both(allowed, negate(a));
		} else {
			any_wanted = true;
			wanted = either(wanted, a);
		}
	}
	return any_wanted ? both(wanted, allowed) : allowed;
}

struct answer
match_service(const struct service *service, struct facts *facts)
{
	struct answer all = answer_yes();

	for (size_t i = 0; i < service->n_conditions; i++) {
		all =
		    both(all, match_condition(&service->conditions[i], facts));
		if (all.verdict == ANSWER_NO)
			return all;
	}
	return all;
}

/* One service's turn.  Returns whether that settles it. */
static bool
ask(const struct service *service, struct facts *facts, struct decision *ret)
{
	struct answer a = match_service(service, facts);

	if (a.verdict == ANSWER_YES)
		*ret = (struct decision){ DECIDED_SERVICE, service, 0 };
	else if (a.verdict == ANSWER_MORE)
		*ret = (struct decision){ UNDECIDED, NULL, a.need };
	return a.verdict != ANSWER_NO;
}

/*
 * Only once it is certain which name there is: before, those that ask for a
 * name may still become a yes, in their order.
 */
static bool
can_walk(const struct match_index *index, struct facts *facts,
    struct match_walk *ret)
{
	struct answer tls;

	if (index == NULL)
		return false;
	tls = facts_tls(facts);
	if (tls.verdict == ANSWER_MORE && !facts->final)
		return false;
	if (tls.verdict == ANSWER_YES && facts->hello.has_name)
		match_index_walk(
		    index, facts->hello.name, facts->hello.name_len, ret);
	else
		match_index_walk(index, NULL, 0, ret);
	return true;
}

struct decision
match_decide(const struct rules *rules, const struct match_index *index,
    struct facts *facts)
{
	struct decision d = { DECIDED_NONE, NULL, 0 };
	struct match_walk walk;
	uint32_t i;

	if (can_walk(index, facts, &walk)) {
		while ((i = match_index_next(&walk)) != UINT32_MAX)
			if (ask(&rules->services[i], facts, &d))
				break;
		return d;
	}
	for (i = 0; i < rules->n_services; i++)
		if (ask(&rules->services[i], facts, &d))
			break;
	return d;
}

static bool
needs_bytes(enum condition_kind kind)
{
	switch (kind) {
	case COND_PROTOCOL:
	case COND_SERVER_NAME:
	case COND_ALPN:
	case COND_TLS_VERSION:
	case COND_HTTP_HOST:
	case COND_HTTP_PATH:
	case COND_PAYLOAD:
		return true;
	case COND_FROM:
	case COND_LOCAL:
	case COND_SOCKET:
	case COND_KINDS:
		break;
	}
	return false;
}

/*
 * A service all of whose conditions ask for bytes says neither yes nor no
 * before there are some.
 */
static bool
may_be_early(const struct service *service)
{
	for (size_t i = 0; i < service->n_conditions; i++)
		if (!needs_bytes(service->conditions[i].kind))
			return true;
	return service->n_conditions == 0;
}

bool
match_may_be_early(const struct rules *rules)
{
	for (size_t i = 0; i < rules->n_services; i++)
		if (may_be_early(&rules->services[i]))
			return true;
	return rules->n_services == 0;
}

bool
match_needs_local(const struct rules *rules)
{
	for (size_t i = 0; i < rules->n_services; i++) {
		const struct service *service = &rules->services[i];

		for (size_t k = 0; k < service->n_conditions; k++)
			if (service->conditions[k].kind == COND_LOCAL)
				return true;
	}
	return false;
}
