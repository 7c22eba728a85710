/*
 * explain_text.c - the explanation for people.
 */
#include <string.h>

#include "explain.h"
#include "explain_inner.h"
#include "json.h"

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

/* With where its bytes are defined, for who wants to look further. */
static void
print_protocol(FILE *out, const struct facts *facts)
{
	const struct protocol *known = protocol_of(facts->bytes, facts->n);

	fputs("protocol     ", out);
	if (known != NULL)
		fprintf(out, "%s: %s (%s)\n", known->name, known->summary,
		    known->source);
	else
		fputs(facts->n == 0 ? "silent\n" : "none that is known\n", out);
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
	const char *part;
	size_t n;

	part = explain_http(facts, true, &n);
	if (part != NULL) {
		fputs("http host    ", out);
		json_string(out, part, n);
		putc('\n', out);
	}
	part = explain_http(facts, false, &n);
	if (part != NULL) {
		fputs("http path    ", out);
		json_string(out, part, n);
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
		    explain_verdict(reason.answer.verdict), buffer);
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
		    explain_is_reject(d->service) ? "reject = " : "", buffer);
		break;
	case DECIDED_NONE:
		fputs("closed, for no rule fits\n", out);
		break;
	case UNDECIDED:
		fprintf(out, "wait for more (at least %zu byte%s)\n", d->need,
		    d->need == 1 ? "" : "s");
		break;
	}
}

void
explain_print(
    FILE *out, const struct rules *rules, const struct facts *given, bool gone)
{
	struct facts facts = *given;
	struct decision now = explain_decide(rules, given, false);
	struct decision end = explain_decide(rules, given, true);

	facts_update(&facts);
	fprintf(out, "first bytes  %zu\n", facts.n);
	if (gone && facts.n == 0) {
		fputs("now: closed, for the client is gone\n", out);
		return;
	}
	print_bytes(out, &facts);
	print_protocol(out, &facts);
	print_hello(out, &facts);
	print_http(out, &facts);
	fputs("services, in order:\n", out);
	print_services(out, rules, &facts);
	if (gone) {
		fputs("now: closed, for the client is gone\n", out);
		return;
	}
	print_decision(out, &now, false);
	if (now.kind == UNDECIDED)
		print_decision(out, &end, true);
}
