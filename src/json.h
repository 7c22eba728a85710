/*
 * json.h - the two things that are easy to get wrong in JSON by hand.
 */
#ifndef USHER_JSON_H
#define USHER_JSON_H

#include <stddef.h>
#include <stdio.h>

/*
 * Writes n bytes as a JSON string (RFC 8259 section 7), quotes included.
 * Bytes that are not printable ASCII become \u00XX, so the output is ASCII
 * whatever a stranger sent.
 */
void json_string(FILE *out, const void *bytes, size_t n);

/* The same for a NUL-terminated text; null for NULL. */
void json_text(FILE *out, const char *text);

#endif
