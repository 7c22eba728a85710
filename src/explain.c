#include "explain.h"

#include <string.h>

#include "http.h"

#include "json.h"

static const char *const key_names[COND_KINDS] = {
	[COND_PROTOCOL] = "protocol",
	[COND_SERVER_NAME] = "server-name",
	[COND_ALPN] = "alpn",
	[COND_TLS_VERSION] = "tls-version",
	[COND_HTTP_HOST] = "http-host",
	[COND_HTTP_PATH] = "http-path",
	[COND_PAYLOAD] = "payload",
	[COND_FROM] = "from",
	[COND_LOCAL] = "local",
	[COND_SOCKET] = "socket",
};

static const char *const verdict_names[] = {
	[ANSWER_NO] = "no",
	[ANSWER_YES] = "yes",
	[ANSWER_MORE] = "more",
};

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
	line_text(text, key_names[reason->condition->kind]);
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

static struct decision
decide(const struct rules *rules, const struct facts *facts, bool final)
{
	struct facts copy = *facts;

	copy.final |= final;
	facts_update(&copy);
	return match_decide(rules, NULL, &copy);
}

static bool
is_reject(const struct service *service)
{
	return service->target == GO_CLOSE || service->target == GO_RESET;
}

static void
print_bytes(FILE *out, const struct facts *facts)
{
	enum { SHOWN = 48, ROW = 16 };
	size_t n = facts->n < SHOWN ? facts->n : SHOWN;

	for (size_t row = 0; row < n; row += ROW) {
		fprintf(out, "  %04zx ", row);
		for (size_t i = row; i < row + ROW; i++)
			if (i < n)
				fprintf(out, " %02x", facts->bytes[i]);
			else
				fputs("   ", out);
		fputs("  ", out);
		for (size_t i = row; i < row + ROW && i < n; i++) {
			uint8_t byte = facts->bytes[i];

			putc(byte >= 0x20 && byte < 0x7f ? byte : '.', out);
		}
		putc('\n', out);
	}
	if (facts->n > n)
		fprintf(out, "  ... and %zu more\n", facts->n - n);
}

/* "tls", "silent", or NULL where nothing is known. */
static const char *
protocol_name(const struct facts *facts)
{
	const struct protocol *known;

	if (facts->n == 0)
		return "silent";
	known = protocol_of(facts->bytes, facts->n);
	return known == NULL ? NULL : known->name;
}

static void
print_hello(FILE *out, struct facts *facts)
{
	const struct tls_hello *hello = facts_hello(facts);
	struct tls_alpn_name name;
	struct tls_alpn at;

	if (hello == NULL)
		return;
	fprintf(out, "server name  %s\n",
	    hello->has_name ? hello->name : "none that can be used");
	if (hello->version >= 0x0301)
		fprintf(out, "tls version  1.%u at most\n",
		    hello->version - 0x0301u);
	else
		fputs("tls version  SSL 3.0 at most\n", out);
	if (hello->n_alpn == 0)
		return;
	fputs("alpn        ", out);
	for (at = hello->alpn;
	     tls_alpn_next(facts->bytes, facts->n, &at, &name);) {
		char buffer[4 * TLS_ALPN_MAX + 3];
		struct line text = LINE(buffer);

		line_value(&text, name.text, name.len);
		fprintf(out, " %s", buffer);
	}
	putc('\n', out);
}

static void
print_http(FILE *out, struct facts *facts)
{
	struct span span;

	if (http_find_host(facts->bytes, facts->n, &span).verdict ==
	    ANSWER_YES) {
		fputs("http host    ", out);
		json_string(out, facts->bytes + span.at, span.len);
		putc('\n', out);
	}
	if (http_find_path(facts->bytes, facts->n, &span).verdict ==
	    ANSWER_YES) {
		fputs("http path    ", out);
		json_string(out, facts->bytes + span.at, span.len);
		putc('\n', out);
	}
}

static void
print_services(FILE *out, const struct rules *rules, struct facts *facts)
{
	int width = 0;

	for (size_t i = 0; i < rules->n_services; i++) {
		int n = (int)strlen(rules->services[i].name);

		width = n > width ? n : width;
	}
	for (size_t i = 0; i < rules->n_services; i++) {
		char buffer[1024];
		struct line text = LINE(buffer);
		struct reason reason;

		explain_service(&rules->services[i], facts, &reason);
		explain_reason(&reason, facts, &text);
		fprintf(out, "  %-*s  %-4s  %s\n", width,
		    rules->services[i].name,
		    verdict_names[reason.answer.verdict], buffer);
	}
}

static void
print_decision(FILE *out, const struct decision *d, bool at_timeout)
{
	char buffer[4096];
	struct line text = LINE(buffer);

	fputs(at_timeout ? "at the timeout: " : "now: ", out);
	switch (d->kind) {
	case DECIDED_SERVICE:
		explain_target(d->service, &text);
		fprintf(out, "%s, %s%s\n", d->service->name,
		    is_reject(d->service) ? "reject = " : "", buffer);
		break;
	case DECIDED_NONE:
		fputs("closed, for no rule fits\n", out);
		break;
	case UNDECIDED:
		fprintf(out, "wait for more (at least %zu bytes)\n", d->need);
		break;
	}
}

void
explain_print(FILE *out, const struct rules *rules, const struct facts *given)
{
	struct facts facts = *given;
	struct decision now = decide(rules, given, false);
	struct decision end = decide(rules, given, true);
	const char *protocol = protocol_name(&facts);

	facts_update(&facts);
	fprintf(out, "first bytes  %zu\n", facts.n);
	print_bytes(out, &facts);
	fprintf(out, "protocol     %s\n",
	    protocol == NULL ? "none that is known" : protocol);
	print_hello(out, &facts);
	print_http(out, &facts);
	fputs("services, in order:\n", out);
	print_services(out, rules, &facts);
	print_decision(out, &now, false);
	if (now.kind == UNDECIDED)
		print_decision(out, &end, true);
}

static void
print_json_target(FILE *out, const struct decision *d)
{
	char buffer[8192];
	struct line text = LINE(buffer);

	fputs("\"service\":", out);
	if (d->kind != DECIDED_SERVICE) {
		fputs("null,\"target\":null", out);
		return;
	}
	json_text(out, d->service->name);
	fputs(",\"target\":", out);
	explain_target(d->service, &text);
	json_text(out, buffer);
}

static const char *
verdict_of(const struct decision *d)
{
	if (d->kind == UNDECIDED)
		return "wait";
	if (d->kind == DECIDED_NONE || is_reject(d->service))
		return "close";
	return "route";
}

static void
print_json_hello(FILE *out, struct facts *facts)
{
	const struct tls_hello *hello = facts_hello(facts);
	struct tls_alpn_name name;
	struct tls_alpn at;
	const char *comma = "";

	fputs(",\"server_name\":", out);
	json_text(out, hello != NULL && hello->has_name ? hello->name : NULL);
	fputs(",\"alpn\":[", out);
	if (hello != NULL) {
		at = hello->alpn;
		while (tls_alpn_next(facts->bytes, facts->n, &at, &name)) {
			fputs(comma, out);
			json_string(out, name.text, name.len);
			comma = ",";
		}
	}
	putc(']', out);
}

static void
print_json_services(FILE *out, const struct rules *rules, struct facts *facts)
{
	fputs(",\"services\":[", out);
	for (size_t i = 0; i < rules->n_services; i++) {
		char buffer[1024];
		struct line text = LINE(buffer);
		struct reason reason;

		explain_service(&rules->services[i], facts, &reason);
		explain_reason(&reason, facts, &text);
		fputs(i > 0 ? ",{\"name\":" : "{\"name\":", out);
		json_text(out, rules->services[i].name);
		fprintf(out, ",\"answer\":\"%s\",\"reason\":",
		    verdict_names[reason.answer.verdict]);
		json_text(out, buffer);
		putc('}', out);
	}
	putc(']', out);
}

void
explain_print_json(
    FILE *out, const struct rules *rules, const struct facts *given)
{
	struct facts facts = *given;
	struct decision now = decide(rules, given, false);
	struct decision end = decide(rules, given, true);

	facts_update(&facts);
	fprintf(out, "{\"verdict\":\"%s\",", verdict_of(&now));
	print_json_target(out, &now);
	fputs(",\"protocol\":", out);
	json_text(out, protocol_name(&facts));
	print_json_hello(out, &facts);
	fputs(",\"at_timeout\":{", out);
	print_json_target(out, &end);
	fprintf(out, "},\"bytes\":%zu", facts.n);
	print_json_services(out, rules, &facts);
	fputs("}\n", out);
}
