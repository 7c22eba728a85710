/*
 * explain_json.c - the explanation as one JSON object.
 */
#include "explain.h"
#include "explain_inner.h"
#include "json.h"

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
	if (d->kind == DECIDED_NONE || explain_is_reject(d->service))
		return "close";
	return "route";
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
		    explain_verdict(reason.answer.verdict));
		json_text(out, buffer);
		putc('}', out);
	}
	putc(']', out);
}

static struct decision
decide(
    const struct rules *rules, const struct facts *facts, bool final, bool gone)
{
	if (gone)
		return (struct decision){ .kind = DECIDED_NONE };
	return explain_decide(rules, facts, final);
}

void
explain_print_json(
    FILE *out, const struct rules *rules, const struct facts *given, bool gone)
{
	struct facts facts = *given;
	struct decision now = decide(rules, given, false, gone);
	struct decision end = decide(rules, given, true, gone);

	facts_update(&facts);
	fprintf(out, "{\"verdict\":\"%s\",\"gone\":%s,", verdict_of(&now),
	    gone ? "true" : "false");
	print_json_target(out, &now);
	fputs(",\"protocol\":", out);
	json_text(out, gone && facts.n == 0 ? NULL : protocol_name(&facts));
	print_json_hello(out, &facts);
	fputs(",\"at_timeout\":{", out);
	print_json_target(out, &end);
	fprintf(out, "},\"bytes\":%zu", facts.n);
	print_json_services(out, rules, &facts);
	fputs("}\n", out);
}
