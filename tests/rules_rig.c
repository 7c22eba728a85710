/* rules_rig.c - rules from text and back; see rules_rig.h. */
#include "rules_rig.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *host;
	size_t n; /* at port 22 */
} known[] = {
	{ "db", 2 },
	{ "many", 16 },
	{ "crowd", RULES_BACKENDS_MAX },
	{ "mob", SIZE_MAX },
};

static size_t
count_addresses(const char *host)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(host, known[i].host) == 0)
			return known[i].n;
	return 0;
}

static int
resolve(const char *host, const char *port, struct addr *ret, size_t max,
    char *why, size_t why_size)
{
	size_t n = count_addresses(host);

	(void)port;
	n = n < max ? n : max;
	if (n == 0) {
		snprintf(why, why_size, "no such host");
		return -ENOENT;
	}
	for (size_t i = 0; i < n; i++) {
		char text[] = "192.0.2.1:22";

		text[8] = (char)('1' + i % 9);
		ck_assert_int_eq(
		    addr_parse(text, strlen(text), false, &ret[i]), 0);
	}
	return (int)n;
}

int
rules_try_with(const char *text, size_t n, rules_resolve *resolver,
    struct mistakes *mistakes, struct rules **ret)
{
	struct rules_source source = { "r", text, n };

	memset(mistakes, 0, sizeof(*mistakes));
	return rules_parse(&source, 1, resolver, mistakes, ret);
}

int
rules_try(const char *text, struct mistakes *mistakes, struct rules **ret)
{
	return rules_try_with(text, strlen(text), resolve, mistakes, ret);
}

/* The rules in normal form, to be freed. */
char *
rules_text(const struct rules *rules)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(rules_write(out, rules), 0);
	fclose(out);
	return text;
}
