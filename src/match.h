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

#include "addr.h"
#include "answer.h"
#include "http2.h"
#include "match_index.h"
#include "rules.h"
#include "tls.h"

#define MATCH_PROTOCOLS_MAX 64

/*
 * All that may be asked about a connection.  The caller fills in the first
 * part and calls facts_update() whenever bytes, n or final have changed; the
 * second part remembers what has been worked out since.
 */
struct facts {
	const uint8_t *bytes; /* the client's stream so far */
	size_t n;
	bool final; /* nothing more will come */
	const struct addr *client;
	const struct addr *local; /* the address the client reached */
	const char *socket; /* the listening socket's name, or "" */

	bool tls_asked, http2_asked;
	uint64_t protocols_asked; /* bit i: protocols[i] */
	struct answer tls, http2;
	struct tls_hello hello; /* valid if tls is a yes */
	struct http2_request request; /* valid if http2 is a yes */
	struct answer protocols[MATCH_PROTOCOLS_MAX];
};

/* Forgets what was worked out from fewer bytes. */
void facts_update(struct facts *facts);

/* The ClientHello if there is a whole one, or NULL. */
const struct tls_hello *facts_hello(struct facts *facts);

/* The first request of cleartext HTTP/2 if there is a whole one, or NULL. */
const struct http2_request *facts_request(struct facts *facts);

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

/* Whether any condition asks for the local address. */
bool match_needs_local(const struct rules *rules);

#endif
