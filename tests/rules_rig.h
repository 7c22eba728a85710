/*
 * rules_rig.h - what tests of rules share: reading them from a string.
 */
#ifndef TESTS_RULES_RIG_H
#define TESTS_RULES_RIG_H

#include "rules.h"

/* Reads text as the file "r"; mistakes are zeroed first. */
int rules_try_with(const char *text, size_t n, rules_resolve *resolver,
    struct mistakes *mistakes, struct rules **ret);

/* The same with "db" being two addresses and "many" as many as can be. */
int rules_try(const char *text, struct mistakes *mistakes, struct rules **ret);

/* The rules in normal form, to be freed. */
char *rules_text(const struct rules *rules);

#endif
