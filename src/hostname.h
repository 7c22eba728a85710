/*
 * hostname.h - what a name that a client asks for may look like.
 *
 * The one idea: names are hostile, and nothing but letters, digits, "-", "_"
 * and "." ever goes from one to a rule, a log, an environment or a header.
 * That is a check of bytes: a usable name need not exist nor obey the DNS.
 */
#ifndef USHER_HOSTNAME_H
#define USHER_HOSTNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

#define HOSTNAME_MAX 255 /* bytes, with a trailing dot if there is one */

/* 1 to HOSTNAME_MAX such bytes, and not dots alone. */
bool hostname_is_usable(const uint8_t *text, size_t len);

/*
 * The host of an authority, "HOST", "HOST:PORT" or "[IPv6]:PORT" (RFC 3986
 * section 3.2), as a part of text; an IPv6 address keeps its brackets.  False
 * if that is not usable; user information makes it so, too.
 */
bool hostname_of_authority(const uint8_t *text, size_t len, struct span *ret);

#endif
