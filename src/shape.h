/*
 * shape.h - says how the bytes of a protocol must look, in their order.
 *
 * The one idea: a recogniser is a list of expectations, written as if all
 * bytes were there.  The first that is disappointed, or that has not enough
 * bytes to tell, stops the shape; nothing after it does anything.  At the
 * end shape_answer() says what became of it: no, more, or yes.  Every byte
 * is judged alone, when it comes, so a no is never later than it must be.
 *
 *	struct shape shape = shape_over(bytes, n);
 *
 *	shape_byte(&shape, 0x05);
 *	count = shape_be(&shape, 1, 1, 255);
 *	shape_skip(&shape, count);
 *	return shape_answer(&shape);
 *
 * Functions with a value return the least they may, when the shape has
 * stopped; so arithmetic with it is safe.
 */
#ifndef USHER_SHAPE_H
#define USHER_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "byte.h"
#include "cursor.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct shape {
	struct cursor cursor; /* once short, more bytes are needed */
	bool wrong; /* it is something else */
};

struct shape shape_over(const uint8_t *bytes, size_t n);

/* More or no, if an expectation said so, or yes: all of them were met. */
struct answer shape_answer(const struct shape *shape);

/* Whether nothing more will be read: wrong already, or short. */
bool shape_stopped(const struct shape *shape);

/* What was read disagrees with itself: the answer is no. */
void shape_refuse(struct shape *shape);

/* Any count bytes. */
void shape_skip(struct shape *shape, size_t count);

/* One byte of this value. */
void shape_byte(struct shape *shape, uint8_t value);

/* A number of size (1 to 4) bytes, most significant first, in lo..hi. */
uint32_t shape_be(struct shape *shape, unsigned size, uint32_t lo, uint32_t hi);

/* A number of two bytes, least significant first, in lo..hi. */
uint32_t shape_le16(struct shape *shape, uint32_t lo, uint32_t hi);

/*
 * A number of at most size (1 to 5) bytes with 7 bits each, least significant
 * first; the last one is below 0x80.  What is beyond 32 bits is dropped.
 */
uint32_t shape_varint(struct shape *shape, unsigned size);

/* The next byte, which stays to be read; 0 if the shape has stopped. */
uint8_t shape_peek(struct shape *shape);

/* The bytes of text, which may hold NULs. */
void shape_bytes(struct shape *shape, const char *text, size_t size);

/* The bytes of a string. */
void shape_text(struct shape *shape, const char *text);

/*
 * One of count strings, none of which is the beginning of another.  Returns
 * its index, 0 if the shape has stopped.
 */
size_t shape_one_of(
    struct shape *shape, const char *const *texts, size_t count);

/* The same for upper-case strings, whatever case the bytes are in. */
size_t shape_word(struct shape *shape, const char *const *texts, size_t count);

/* Exactly count bytes that allowed() allows, whatever comes after them. */
void shape_field(struct shape *shape, bool (*allowed)(uint8_t), size_t count);

/*
 * As many bytes as allowed() allows, at least min and at most max, up to the
 * first that it does not allow, which stays to be read.  Returns how many.
 */
size_t shape_run(
    struct shape *shape, bool (*allowed)(uint8_t), size_t min, size_t max);

/* A decimal number in lo..hi without needless zeros, up to a non-digit. */
uint32_t shape_decimal(struct shape *shape, uint32_t lo, uint32_t hi);

/* LF or CR LF. */
void shape_eol(struct shape *shape);

#endif
