/*
 * facts.h - what is known of a connection when it is decided upon.
 *
 * The one idea: services ask the same questions again and again.  Each is
 * answered once for as many bytes as there are, when it is asked first.
 *
 * Pure: no I/O, no allocation, no logging.
 */
#ifndef USHER_FACTS_H
#define USHER_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "answer.h"
#include "http2.h"
#include "protocol.h"
#include "span.h"
#include "tls.h"

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

	bool tls_asked, host_asked, path_asked, http2_asked;
	uint64_t protocols_asked; /* bit i: protocols[i] */
	struct answer tls, host, path, http2;
	struct tls_hello hello; /* valid if tls is a yes */
	struct span host_at, path_at; /* HTTP/1; valid if that is a yes */
	struct http2_request request; /* valid if http2 is a yes */
	struct answer protocols[PROTOCOLS_MAX];
};

/* Forgets what was worked out from fewer bytes. */
void facts_update(struct facts *facts);

/*
 * tls_parse(), http_find_host(), http_find_path(), http2_find(), and any
 * protocol's recognise(), each asked but once.
 */
struct answer facts_tls(struct facts *facts);
struct answer facts_host(struct facts *facts);
struct answer facts_path(struct facts *facts);
struct answer facts_http2(struct facts *facts);
struct answer facts_protocol(
    struct facts *facts, const struct protocol *protocol);

/* The ClientHello if there is a whole one, or NULL. */
const struct tls_hello *facts_hello(struct facts *facts);

/* The first request of cleartext HTTP/2 if there is a whole one, or NULL. */
const struct http2_request *facts_request(struct facts *facts);

#endif
