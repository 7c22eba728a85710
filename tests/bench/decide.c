/*
 * decide.c - processor time of one decision, in a process by itself.
 *
 *   decide [FACTOR]
 *
 * Each case is decided many times over and the quickest batch counts, so
 * that what else the machine does is left out.  Exits 1 if one took longer
 * than FACTOR times its budget.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "match.h"
#include "rules.h"

#define BATCHES 60
#define BATCH 200
#define TEXT_MAX (256 * 1024)

enum flight { SSH, TLS };

static const struct budget {
	const char *what;
	unsigned services; /* by name; the last of them is the one */
	enum flight flight;
	size_t hello; /* bytes of the ClientHello */
	double us;
} budgets[] = {
	{ "2 KB hello, 50 services", 50, TLS, 2048, 5 },
	{ "2 KB hello, 1000 services", 999, TLS, 2048, 20 },
	{ "ssh banner, 50 services", 50, SSH, 0, 5 },
	{ "ssh banner, 1000 services", 999, SSH, 0, 20 },
};

static int64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

/* Names of one length, so that their lengths do not tell them apart. */
static struct rules *
make_rules(unsigned services)
{
	static char text[TEXT_MAX];
	struct rules_source source = { .name = "decide", .text = text };
	struct mistakes mistakes = { 0 };
	struct rules *rules;
	unsigned i;
	FILE *out = fmemopen(text, sizeof(text), "w");

	if (!out)
		fail("fmemopen");
	for (i = 0; i < services; i++)
		fprintf(out,
		    "[s%u]\nserver-name = host%04u.example.net\n"
		    "backend = 127.0.0.1:22\n",
		    i, services - 1 - i);
	fprintf(out,
	    "[rest]\nprotocol = ssh silent\n"
	    "backend = 127.0.0.1:22\n");
	source.len = (size_t)ftell(out);
	fclose(out);
	if (rules_parse(&source, 1, NULL, &mistakes, &rules) < 0) {
		fprintf(stderr, "decide: %s\n", mistakes.list[0].message);
		exit(1);
	}
	return rules;
}

static struct decision
decide(const struct rules *rules, const struct match_index *index,
    const struct greeting *greeting)
{
	static const struct addr nobody;
	struct facts facts = { .bytes = greeting->bytes,
		.n = greeting->len,
		.client = &nobody,
		.local = &nobody,
		.socket = "" };

	facts_update(&facts);
	return match_decide(rules, index, &facts);
}

/* Microseconds of the quickest batch. */
static double
measure(const struct rules *rules, const struct match_index *index,
    const struct greeting *greeting)
{
	int64_t best = INT64_MAX, took;
	int batch, i;

	for (batch = 0; batch < BATCHES; batch++) {
		took = -cpu_ns();
		for (i = 0; i < BATCH; i++)
			decide(rules, index, greeting);
		took += cpu_ns();
		if (took < best)
			best = took;
	}
	return (double)best / BATCH / 1e3;
}

static bool
keeps(const struct budget *budget, double factor)
{
	struct rules *rules = make_rules(budget->services);
	struct match_index *index = match_index_new(rules);
	struct greeting greeting;
	const char *want = "rest";
	char last[16];
	struct decision decision;
	double us;

	if (budget->flight == SSH) {
		greeting_ssh(&greeting, "client");
	} else {
		greeting_tls(&greeting, "host0000.example.net", budget->hello);
		snprintf(last, sizeof(last), "s%u", budget->services - 1);
		want = last;
	}
	decision = decide(rules, index, &greeting);
	if (decision.kind != DECIDED_SERVICE ||
	    strcmp(decision.service->name, want) != 0) {
		fprintf(stderr, "decide: %s: not %s\n", budget->what, want);
		return false;
	}
	us = measure(rules, index, &greeting);
	printf("%-28s %7.2f us of %.0f\n", budget->what, us, budget->us);
	rules_free(rules);
	return us <= budget->us * factor;
}

int
main(int argc, char **argv)
{
	double factor = argc > 1 ? strtod(argv[1], NULL) : 1;
	bool kept = true;
	size_t i;

	for (i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++)
		kept &= keeps(&budgets[i], factor);
	return kept ? 0 : 1;
}
