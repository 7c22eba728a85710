/*
 * rules_overlap.h - which values of a condition another one holds.
 *
 * The one idea: what is not certain is answered with false, so that nobody is
 * told that a service is unreachable when it is not.  Whether a value is
 * negated is not looked at.
 */
#ifndef USHER_RULES_OVERLAP_H
#define USHER_RULES_OVERLAP_H

#include <stdbool.h>

#include "rules.h"

/* Every connection that matches b matches a too. */
bool value_covers(
    enum condition_kind kind, const struct value *a, const struct value *b);

/* No connection can match both. */
bool value_apart(
    enum condition_kind kind, const struct value *a, const struct value *b);

#endif
