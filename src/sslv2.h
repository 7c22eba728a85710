/*
 * sslv2.h - the ClientHello in the form of SSL 2.0, that old clients begin
 * with even where they offer TLS.
 *
 * Defined in RFC 5246 appendix E.2; it has neither a name nor ALPN.
 */
#ifndef USHER_SSLV2_H
#define USHER_SSLV2_H

#include <stddef.h>
#include <stdint.h>

#include "answer.h"

/*
 * Yes once its head is there, whose lengths must fill the record exactly:
 * what comes after it may have any value.
 */
struct answer sslv2_recognise(const uint8_t *bytes, size_t n);

#endif
