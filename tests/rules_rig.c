/* rules_rig.c - rules from text and back; see rules_rig.h. */
#include "rules_rig.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "db" is two addresses, "many" is as many as are asked for; port 22. */
static int
resolve(const char *host, const char *port, struct addr *ret, size_t max,
    char *why, size_t why_size)
{
	size_t n = strcmp(host, "db") == 0 ? 2 : max;

	(void)port;
	if (strcmp(host, "db") != 0 && strcmp(host, "many") != 0) {
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
