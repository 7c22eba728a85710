/*
 * explain.c - why a connection goes where it goes.
 */
#include "explain.h"

#include <string.h>

#include "explain_inner.h"
#include "rules_keys.h"

/* What a condition says to the first n bytes only. */
static enum verdict
say(const struct condition *condition, const struct facts *facts, size_t n)
{
	struct facts shorter = *facts;

	shorter.n = n;
	shorter.final = facts->final && n == facts->n;
	facts_update(&shorter);
	return match_condition(condition, &shorter).verdict;
}

/* The least prefix that is a no; an answer never changes back. */
static size_t
deciding_byte(const struct condition *condition, const struct facts *facts)
{
	size_t low = 0, high = facts->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (say(condition, facts, middle) == ANSWER_NO)
			high = middle;
		else
			low = middle + 1;
	}
	return low == 0 ? SIZE_MAX : low - 1;
}

void
explain_service(const struct service *service, const struct facts *facts,
    struct reason *ret)
{
	struct facts copy = *facts;

	facts_update(&copy);
	ret->answer = match_service(service, &copy);
	ret->condition = NULL;
	ret->byte = SIZE_MAX;
	for (size_t i = 0; i < service->n_conditions; i++) {
		const struct condition *c = &service->conditions[i];

		if (match_condition(c, &copy).verdict != ret->answer.verdict ||
		    (ret->answer.verdict == ANSWER_YES &&
			c->kind != COND_PROTOCOL && i > 0))
			continue;
		ret->condition = c;
		if (ret->answer.verdict == ANSWER_NO)
			ret->byte = deciding_byte(c, &copy);
		return;
	}
}

static void
say_client(const struct addr *addr, struct line *text)
{
	if (addr->len == 0)
		line_text(text, "not known");
	else
		addr_write(text, addr);
}

const char *
explain_http(struct facts *facts, bool host, size_t *ret_n)
{
	struct answer found = host ? facts_host(facts) : facts_path(facts);
	struct span span = host ? facts->host_at : facts->path_at;
	const struct http2_request *request = facts_request(facts);

	if (found.verdict == ANSWER_YES) {
		*ret_n = span.len;
		return (const char *)facts->bytes + span.at;
	}
	if (request == NULL || !(host ? request->has_host : request->has_path))
		return NULL;
	*ret_n = host ? request->host_len : request->path_len;
	return host ? request->host : request->path;
}

static void
say_http(struct facts *facts, bool host, struct line *text)
{
	const char *part;
	size_t n;

	part = explain_http(facts, host, &n);
	if (part == NULL) {
		line_text(text,
		    host ? "no host of an HTTP request" :
			   "no path of an HTTP request");
		return;
	}
	line_text(text, host ? "the host is \"" : "the path is \"");
	line_escaped(text, part, n);
	line_char(text, '"');
}

/* What the condition looked at. */
static void
say_subject(const struct reason *reason, struct facts *facts, struct line *text)
{
	const struct tls_hello *hello;

	switch (reason->condition->kind) {
	case COND_SERVER_NAME:
	case COND_ALPN:
	case COND_TLS_VERSION:
		hello = facts_hello(facts);
		if (hello == NULL) {
			line_text(text, "no whole TLS ClientHello");
			break;
		}
		if (reason->condition->kind != COND_SERVER_NAME) {
			line_text(text, "the ClientHello offers others");
			break;
		}
		line_text(text,
		    hello->has_name ? "the name is \"" :
				      "TLS without a usable name");
		if (hello->has_name) {
			line_escaped(text, hello->name, hello->name_len);
			line_char(text, '"');
		}
		break;
	case COND_HTTP_HOST:
	case COND_HTTP_PATH:
		say_http(
		    facts, reason->condition->kind == COND_HTTP_HOST, text);
		break;
	case COND_FROM:
		line_text(text, "the client is ");
		say_client(facts->client, text);
		break;
	case COND_LOCAL:
		line_text(text, "it reached ");
		say_client(facts->local, text);
		break;
	case COND_SOCKET:
		line_text(text, "the socket is ");
		line_value(text, facts->socket, strlen(facts->socket));
		break;
	default:
		line_text(text, "does not fit");
		break;
	}
}

static void
say_byte(
    const struct reason *reason, const struct facts *facts, struct line *text)
{
	uint8_t byte;

	if (reason->byte >= facts->n)
		return;
	byte = facts->bytes[reason->byte];
	line_text(text, ", decided by byte ");
	line_uint(text, reason->byte);
	line_text(text, " (0x");
	line_hex(text, byte);
	if (byte > 0x20 && byte < 0x7f) {
		line_text(text, " '");
		line_char(text, (char)byte);
		line_char(text, '\'');
	}
	line_char(text, ')');
}

void
explain_reason(
    const struct reason *reason, struct facts *facts, struct line *text)
{
	if (reason->condition == NULL) {
		if (reason->answer.verdict == ANSWER_YES)
			line_text(text, "no condition");
		return;
	}
	line_text(text, key_of_condition(reason->condition->kind)->name);
	switch (reason->answer.verdict) {
	case ANSWER_YES:
		line_text(text, ": fits");
		break;
	case ANSWER_NO:
		line_text(text, ": ");
		say_subject(reason, facts, text);
		say_byte(reason, facts, text);
		break;
	case ANSWER_MORE:
		line_text(text, ": could still fit, from ");
		line_uint(text, reason->answer.need);
		line_text(
		    text, reason->answer.need == 1 ? " byte on" : " bytes on");
		break;
	}
}

void
explain_target(const struct service *service, struct line *text)
{
	switch (service->target) {
	case GO_BACKEND:
		for (size_t i = 0; i < service->n_backends; i++) {
			if (i > 0)
				line_char(text, ' ');
			addr_write(text, &service->backends[i]);
		}
		break;
	case GO_EXEC:
		for (size_t i = 0; service->argv[i] != NULL; i++) {
			if (i > 0)
				line_char(text, ' ');
			line_text(text, service->argv[i]);
		}
		break;
	case GO_PASS:
		addr_write(text, &service->pass);
		break;
	case GO_CLOSE:
		line_text(text, "close");
		break;
	case GO_RESET:
		line_text(text, "reset");
		break;
	}
}

struct decision
explain_decide(const struct rules *rules, const struct facts *facts, bool final)
{
	struct facts copy = *facts;

	copy.final |= final;
	facts_update(&copy);
	return match_decide(rules, NULL, &copy);
}

bool
explain_is_reject(const struct service *service)
{
	return service->target == GO_CLOSE || service->target == GO_RESET;
}

const char *
explain_verdict(enum verdict verdict)
{
	if (verdict == ANSWER_MORE)
		return "more";
	return verdict == ANSWER_YES ? "yes" : "no";
}
