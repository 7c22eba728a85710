/*
 * explain_inner.h - what both forms of an explanation are made of.
 */
#ifndef USHER_EXPLAIN_INNER_H
#define USHER_EXPLAIN_INNER_H

#include "explain.h"

/* What is decided about facts; final: if nothing more comes. */
struct decision explain_decide(
    const struct rules *rules, const struct facts *facts, bool final);

/* Whether the service only ends connections. */
bool explain_is_reject(const struct service *service);

/* "yes", "no" or "more". */
const char *explain_verdict(enum verdict verdict);

#endif
