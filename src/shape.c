/*
 * shape.c - expectations about bytes, each judged as early as it can be.
 */
#include <string.h>

#include "shape.h"

struct shape
shape_over(const uint8_t *bytes, size_t n)
{
	return (struct shape){ cursor_over(bytes, n), false };
}

struct answer
shape_answer(const struct shape *shape)
{
	if (shape->wrong)
		return answer_no();
	if (cursor_is_short(&shape->cursor))
		return cursor_more(&shape->cursor);
	return answer_yes();
}

bool
shape_stopped(const struct shape *shape)
{
	return shape->wrong || cursor_is_short(&shape->cursor);
}

void
shape_refuse(struct shape *shape)
{
	if (!shape_stopped(shape))
		shape->wrong = true;
}

void
shape_skip(struct shape *shape, size_t count)
{
	if (!shape->wrong)
		cursor_skip(&shape->cursor, count);
}

void
shape_byte(struct shape *shape, uint8_t value)
{
	shape_be(shape, 1, value, value);
}

/*
 * After some of its bytes a number is known to lie in first..last.  Outside
 * lo..hi it is wrong, whatever follows; inside, the rest of it is free, and
 * only having all of it can change the answer.
 */
uint32_t
shape_be(struct shape *shape, unsigned size, uint32_t lo, uint32_t hi)
{
	uint64_t first = 0;
	uint64_t last = (UINT64_C(1) << (8 * size)) - 1;
	unsigned left;
	bool settled;

	for (left = size; left > 0 && !shape->wrong; left--) {
		settled = first >= lo && last <= hi;
		if (!cursor_has(&shape->cursor, settled ? left : 1))
			return lo;
		first |= (uint64_t)cursor_u8(&shape->cursor) << 8 * (left - 1);
		last = first | ((UINT64_C(1) << 8 * (left - 1)) - 1);
		shape->wrong = last < lo || first > hi;
	}
	/* Once all of it is there, first is last; this says so to a prover. */
	return shape->wrong || first < lo || first > hi ? lo : (uint32_t)first;
}

uint32_t
shape_le16(struct shape *shape, uint32_t lo, uint32_t hi)
{
	uint32_t value;

	if (shape->wrong)
		return lo;
	value = cursor_le16(&shape->cursor);
	if (cursor_is_short(&shape->cursor))
		return lo;
	shape->wrong = value < lo || value > hi;
	return shape->wrong ? lo : value;
}

uint32_t
shape_varint(struct shape *shape, unsigned size)
{
	uint32_t value = 0, byte;
	unsigned i;

	for (i = 0; i < size && !shape_stopped(shape); i++) {
		byte = shape_be(shape, 1, 0, 255);
		value |= (byte & 0x7f) << (7 * i);
		if (byte < 0x80)
			return value;
	}
	shape_refuse(shape);
	return 0;
}

uint8_t
shape_peek(struct shape *shape)
{
	return shape->wrong ? 0 : cursor_peek(&shape->cursor);
}

void
shape_bytes(struct shape *shape, const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size && !shape_stopped(shape); i++)
		shape_byte(shape, (uint8_t)text[i]);
}

void
shape_text(struct shape *shape, const char *text)
{
	shape_bytes(shape, text, strlen(text));
}

static uint8_t
upper(uint8_t byte)
{
	return byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 32) : byte;
}

/* How many of the bytes still to be read agree with text. */
static size_t
agreeing(const struct cursor *cursor, const char *text, bool fold)
{
	uint8_t byte;
	size_t i;

	for (i = 0; text[i] != '\0' && i < cursor_left(cursor); i++) {
		byte = cursor_byte(cursor, cursor->at + i);
		if ((fold ? upper(byte) : byte) != (uint8_t)text[i])
			break;
	}
	return i;
}

static size_t
choose(struct shape *shape, const char *const *texts, size_t count, bool fold)
{
	struct cursor *cursor = &shape->cursor;
	size_t agree, i;
	bool possible = false;

	if (shape_stopped(shape))
		return 0;
	for (i = 0; i < count; i++) {
		agree = agreeing(cursor, texts[i], fold);
		if (texts[i][agree] == '\0') {
			cursor_skip(cursor, agree);
			return i;
		}
		possible = possible || agree == cursor_left(cursor);
	}
	if (possible)
		cursor_has(cursor, cursor_left(cursor) + 1);
	else
		shape->wrong = true;
	return 0;
}

size_t
shape_one_of(struct shape *shape, const char *const *texts, size_t count)
{
	return choose(shape, texts, count, false);
}

size_t
shape_word(struct shape *shape, const char *const *texts, size_t count)
{
	return choose(shape, texts, count, true);
}

void
shape_field(struct shape *shape, bool (*allowed)(uint8_t), size_t count)
{
	uint8_t byte;

	for (; count > 0 && !shape_stopped(shape); count--) {
		byte = shape_peek(shape);
		if (allowed(byte))
			shape_skip(shape, 1);
		else
			shape_refuse(shape);
	}
}

size_t
shape_run(struct shape *shape, bool (*allowed)(uint8_t), size_t min, size_t max)
{
	size_t len = 0;
	uint8_t byte;

	for (;;) {
		byte = shape_peek(shape);
		if (shape_stopped(shape))
			return min;
		if (!allowed(byte))
			break;
		if (++len > max) {
			shape->wrong = true;
			return min;
		}
		shape_skip(shape, 1);
	}
	if (len >= min)
		return len;
	shape->wrong = true;
	return min;
}

uint32_t
shape_decimal(struct shape *shape, uint32_t lo, uint32_t hi)
{
	uint64_t value = 0;
	unsigned digits = 0;
	uint8_t byte;

	for (;; digits++) {
		byte = shape_peek(shape);
		if (shape_stopped(shape))
			return lo;
		if (!byte_is_digit(byte))
			break;
		shape_skip(shape, 1);
		if (digits > 0 && value == 0)
			shape->wrong = true;
		value = value * 10 + (uint64_t)(byte - '0');
		if (value > hi)
			shape->wrong = true;
	}
	if (digits == 0 || value < lo)
		shape->wrong = true;
	return shape->wrong ? lo : (uint32_t)value;
}

void
shape_eol(struct shape *shape)
{
	if (shape_peek(shape) == '\r')
		shape_skip(shape, 1);
	shape_byte(shape, '\n');
}
