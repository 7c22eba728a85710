/*
 * http2.h - the host and the path of the first request on a cleartext HTTP/2
 * connection, whose client knows beforehand that the server speaks it.
 *
 * The one idea: the client sends its preface, some frames about itself and its
 * first header block without waiting for an answer, so that is all to be read.
 *
 * Defined in RFC 9113 sections 3.4 (preface), 4.1, 6 (frames) and 8.3.
 */
#ifndef USHER_HTTP2_H
#define USHER_HTTP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "hostname.h"

#define HTTP2_PATH_MAX 1023

struct http2_request {
	/* :authority, or else host: usable as hostname.h has it, no port. */
	bool has_host;
	size_t host_len;
	char host[HOSTNAME_MAX + 1]; /* NUL-terminated */
	/*
	 * Up to "?" or "#", as http_find_path() has it; what is beyond
	 * HTTP2_PATH_MAX is cut off.  One with a blank or a control byte, or
	 * without anything, counts as none.
	 */
	bool has_path;
	size_t path_len;
	char path[HTTP2_PATH_MAX + 1]; /* NUL-terminated */
};

/* The whole preface: row "http2". */
struct answer http2_recognise(const uint8_t *bytes, size_t n);

/*
 * Yes, and only then *ret, once the first header block is complete and in
 * order; no if it will not come or cannot be decoded.  As with HTTP/1, after
 * HTTP_MAX bytes without it there is none.
 */
struct answer http2_find(
    const uint8_t *bytes, size_t n, struct http2_request *ret);

#endif
