/*
 * cursor.h - reads a prefix of a stream byte by byte, and never past its end.
 *
 * The one idea: a parser reads as if all bytes were there, and asks once
 * whether they were.  Reading past the end gives zeros and marks the cursor
 * short; from then on nothing moves it, and cursor_more() says with how many
 * bytes the first reading that failed could have succeeded.  So a value must
 * not be judged before cursor_is_short() has said no.
 */
#ifndef USHER_CURSOR_H
#define USHER_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"

/* With -Os the compiler would call these, and a hello take twice as long. */
#define CURSOR_INLINE static inline __attribute__((always_inline))

struct cursor {
	const uint8_t *bytes;
	size_t n;
	/* How many bytes have been read; never more than n. */
	size_t at;
	/* 0, or what n would have to be for the reading that failed first. */
	size_t need;
};

static inline struct cursor
cursor_over(const uint8_t *bytes, size_t n)
{
	return (struct cursor){ bytes, n, 0, 0 };
}

/* A reading went past the end: what it gave is not to be believed. */
CURSOR_INLINE bool
cursor_is_short(const struct cursor *cursor)
{
	return cursor->need > 0;
}

/* How many bytes are still to be read. */
static inline size_t
cursor_left(const struct cursor *cursor)
{
	return cursor->n - cursor->at;
}

/* For a cursor that is short: wait for what it lacked. */
static inline struct answer
cursor_more(const struct cursor *cursor)
{
	return answer_more(cursor->need);
}

/*
 * Are count bytes there?  If not the cursor is short from now on.  Any count
 * is good, also one that a hostile length field names.  That at is within n is
 * asked again, so that each reading is safe by itself.
 */
CURSOR_INLINE bool
cursor_has(struct cursor *cursor, size_t count)
{
	if (cursor->need > 0)
		return false;
	if (cursor->at <= cursor->n && count <= cursor->n - cursor->at)
		return true;
	cursor->need =
	    count < SIZE_MAX - cursor->at ? cursor->at + count : SIZE_MAX;
	return false;
}

/* The byte at any place, read before or not; 0 beyond the end. */
static inline uint8_t
cursor_byte(const struct cursor *cursor, size_t at)
{
	return at < cursor->n ? cursor->bytes[at] : 0;
}

/* Step over count bytes; they have to be there, as for any reading. */
static inline void
cursor_skip(struct cursor *cursor, size_t count)
{
	if (cursor_has(cursor, count))
		cursor->at += count;
}

/* The next byte, which stays to be read. */
static inline uint8_t
cursor_peek(struct cursor *cursor)
{
	return cursor_has(cursor, 1) ? cursor_byte(cursor, cursor->at) : 0;
}

static inline uint8_t
cursor_u8(struct cursor *cursor)
{
	return cursor_has(cursor, 1) ? cursor_byte(cursor, cursor->at++) : 0;
}

/* A number of size bytes (1 to 4), most significant first. */
static inline uint32_t
cursor_be(struct cursor *cursor, unsigned size)
{
	uint32_t value = 0;
	unsigned i;

	if (!cursor_has(cursor, size))
		return 0;
	for (i = 0; i < size; i++)
		value = value << 8 | cursor_byte(cursor, cursor->at++);
	return value;
}

/* A number of size bytes (1 to 4), least significant first. */
static inline uint32_t
cursor_le(struct cursor *cursor, unsigned size)
{
	uint32_t value = 0;
	unsigned i;

	if (!cursor_has(cursor, size))
		return 0;
	for (i = 0; i < size; i++)
		value |= (uint32_t)cursor_byte(cursor, cursor->at++) << (8 * i);
	return value;
}

static inline uint16_t
cursor_u16(struct cursor *cursor)
{
	return (uint16_t)cursor_be(cursor, 2);
}

static inline uint32_t
cursor_u24(struct cursor *cursor)
{
	return cursor_be(cursor, 3);
}

static inline uint32_t
cursor_u32(struct cursor *cursor)
{
	return cursor_be(cursor, 4);
}

static inline uint16_t
cursor_le16(struct cursor *cursor)
{
	return (uint16_t)cursor_le(cursor, 2);
}

static inline uint32_t
cursor_le32(struct cursor *cursor)
{
	return cursor_le(cursor, 4);
}

/*
 * Do the next size bytes equal text?  No at the first byte that differs;
 * more, with one more byte, while those that are there agree, since that one
 * may differ; yes steps over them.
 */
static inline struct answer
cursor_equals(struct cursor *cursor, const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		uint8_t byte = cursor_u8(cursor);

		if (cursor_is_short(cursor))
			return cursor_more(cursor);
		if (byte != (uint8_t)text[i])
			return answer_no();
	}
	return answer_yes();
}

#endif
