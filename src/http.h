/*
 * http.h - the request line and the Host of a first HTTP/1 request.
 *
 * The one idea: the answers come one after the other.  That it is HTTP shows
 * after a few bytes, the path at its end, the host when its line is over; each
 * is final as soon as it is given, and no answer waits for the next.
 *
 * Defined in RFC 9112 (sections 2.2, 3 and 5) and RFC 9110 (section 9).
 */
#ifndef USHER_HTTP_H
#define USHER_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "span.h"

/* What has not been said by then is not going to be heard: no. */
#define HTTP_MAX 65536

/*
 * Is it a request?  A method that only HTTP has and the "/" of a path are
 * enough.  Other methods in capitals and other targets (OPTIONS and CONNECT
 * are also words of RTSP, SIP, STOMP and NATS) need the " HTTP/1." that ends
 * the line.  A few empty lines may come before it.
 */
struct answer http_recognise(const uint8_t *bytes, size_t n);

/*
 * The path: *ret is what the client sent, up to "?", "#" or a blank; nothing
 * is decoded or made shorter, so "/a" and "/%61" and "/x/../a" are three
 * paths.  "*" for the whole server.  No also where there is none (CONNECT).
 */
struct answer http_find_path(const uint8_t *bytes, size_t n, struct span *ret);

/*
 * The host without its port, usable as hostname.h has it: from the target if
 * it names one, else from the first Host line.  No if that is not usable or
 * will not come, or if a header line before it is malformed.
 */
struct answer http_find_host(const uint8_t *bytes, size_t n, struct span *ret);

#endif
