/*
 * explain.h - why a connection goes where it goes.
 *
 * The one idea: the same questions as match.h asks, asked again with shorter
 * and shorter prefixes, so that the byte which decided can be named.
 */
#ifndef USHER_EXPLAIN_H
#define USHER_EXPLAIN_H

#include <stdio.h>

#include "line.h"
#include "match.h"

/* What one service says, and why. */
struct reason {
	struct answer answer;
	const struct condition *condition; /* whose answer it is; or NULL */
	size_t byte; /* no: index of the byte that decided; or SIZE_MAX */
};

/* Asks service; facts is left as it was. */
void explain_service(const struct service *service, const struct facts *facts,
    struct reason *ret);

/*
 * The reason as a phrase, "protocol: does not fit, decided by byte 0 (0x16)".
 * Looks into facts, as facts_hello() does.
 */
void explain_reason(
    const struct reason *reason, struct facts *facts, struct line *text);

/*
 * The host, or the path, of an HTTP request of either version: *ret_n bytes
 * from a stranger; NULL if there is none.
 */
const char *explain_http(struct facts *facts, bool host, size_t *ret_n);

/* Where a service leads: "127.0.0.1:22", a program, "close", "reset". */
void explain_target(const struct service *service, struct line *text);

/*
 * The whole of it, for people and as one JSON object.  gone: the client left
 * before there was a decision, which then comes to nothing.
 */
void explain_print(
    FILE *out, const struct rules *rules, const struct facts *facts, bool gone);
void explain_print_json(
    FILE *out, const struct rules *rules, const struct facts *facts, bool gone);

#endif
