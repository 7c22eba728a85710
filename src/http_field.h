/*
 * http_field.h - the Host line among the header lines of an HTTP/1 request.
 *
 * Strict where servers disagree: a bare CR, a NUL, a blank before the colon or
 * a Host that goes on in the next line is an error.  Of several Host lines,
 * for which servers have to refuse the request, the first counts.
 *
 * Defined in RFC 9112 section 5.
 */
#ifndef USHER_HTTP_FIELD_H
#define USHER_HTTP_FIELD_H

#include "answer.h"
#include "cursor.h"
#include "span.h"

/*
 * From anywhere in the request line: the value of the first Host line, without
 * the blanks around it, once the first byte of the next line is there too.
 */
struct answer http_field_find_host(struct cursor *cursor, struct span *ret);

#endif
