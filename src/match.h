/*
 * match.h - which service a connection goes to.
 *
 * The one idea: rules are asked in file order and each answers yes, no or
 * more.  The first yes above which all said no wins at once; a more means
 * wait.  When nothing more will come, more counts as no.
 *
 * Pure: no I/O, no allocation, no logging.
 */
#ifndef USHER_MATCH_H
#define USHER_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "facts.h"
#include "match_index.h"
#include "rules.h"

enum decision_kind {
	DECIDED_SERVICE,
	DECIDED_NONE, /* no rule says yes */
	UNDECIDED, /* wait for need bytes, or the end */
};

struct decision {
	enum decision_kind kind;
	const struct service *service; /* DECIDED_SERVICE */
	size_t need; /* UNDECIDED: total bytes, more than there are */
};

/*
 * index is over the same rules, or NULL: then every service is asked, with
 * the same result.
 */
struct decision match_decide(const struct rules *rules,
    const struct match_index *index, struct facts *facts);

/* What one service, or one of its conditions, says. */
struct answer match_service(const struct service *service, struct facts *facts);
struct answer match_condition(
    const struct condition *condition, struct facts *facts);

/* Whether name (n bytes, any case, one trailing dot allowed) fits pattern. */
bool match_name(const struct name_pattern *pattern, const char *name, size_t n);

/*
 * Whether a connection may be decided before its client has sent anything:
 * false is certain, true means that match_decide() has to be asked.
 */
bool match_may_be_early(const struct rules *rules);

/* Whether any condition asks for the local address. */
bool match_needs_local(const struct rules *rules);

#endif
