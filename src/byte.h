/*
 * byte.h - kinds of ASCII bytes, whatever the locale says.
 */
#ifndef USHER_BYTE_H
#define USHER_BYTE_H

#include <stdbool.h>
#include <stdint.h>

static inline bool
byte_is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

/* A capital letter as a small one; others stay. */
static inline uint8_t
byte_lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static inline bool
byte_is_letter(uint8_t byte)
{
	return byte_lower(byte) >= 'a' && byte_lower(byte) <= 'z';
}

static inline bool
byte_is_alnum(uint8_t byte)
{
	return byte_is_letter(byte) || byte_is_digit(byte);
}

static inline bool
byte_is_hex(uint8_t byte)
{
	return byte_is_digit(byte) ||
	    (byte_lower(byte) >= 'a' && byte_lower(byte) <= 'f');
}

/* Printable ASCII but the blank. */
static inline bool
byte_is_graph(uint8_t byte)
{
	return byte > 0x20 && byte < 0x7f;
}

/* No control byte; UTF-8 is text. */
static inline bool
byte_is_text(uint8_t byte)
{
	return byte >= 0x20 && byte != 0x7f;
}

#endif
