#include "http_field.h"

#include <stdbool.h>
#include <string.h>

#include "byte.h"

/* RFC 9110 section 5.6.2, "tchar". */
static bool
is_token_byte(uint8_t byte)
{
	return byte_is_alnum(byte) ||
	    (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

/* To the start of the next line; no at bytes that no line may have. */
static struct answer
skip_line(struct cursor *cursor)
{
	uint8_t byte = cursor_u8(cursor);

	while (byte != '\n' && byte != '\r' && byte != '\0')
		byte = cursor_u8(cursor);
	if (byte == '\r')
		return cursor_equals(cursor, "\n", 1);
	if (cursor_is_short(cursor))
		return cursor_more(cursor);
	return byte == '\n' ? answer_yes() : answer_no();
}

/* A field's name and its colon. */
static struct answer
read_name(struct cursor *cursor, struct span *ret)
{
	struct span name = { cursor->at, 0 };
	uint8_t byte = cursor_u8(cursor);

	for (; is_token_byte(byte); name.len++)
		byte = cursor_u8(cursor);
	if (cursor_is_short(cursor))
		return cursor_more(cursor);
	if (byte != ':' || name.len == 0)
		return answer_no();
	*ret = name;
	return answer_yes();
}

static bool
is_host(const struct cursor *cursor, struct span name)
{
	static const char host[] = "host";
	size_t i;

	if (name.len != sizeof(host) - 1)
		return false;
	for (i = 0; i < name.len; i++)
		if ((cursor_byte(cursor, name.at + i) | 0x20) != host[i])
			return false;
	return true;
}

static bool
is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

static bool
is_around_value(uint8_t byte)
{
	return is_blank(byte) || byte == '\r' || byte == '\n';
}

/*
 * The value of a Host line.  It must not go on in the next line, so the
 * answer needs that line's first byte.
 */
static struct answer
read_host(struct cursor *cursor, struct span *ret)
{
	struct span value = { cursor->at, 0 };
	struct answer answer = skip_line(cursor);
	uint8_t next;

	if (answer.verdict != ANSWER_YES)
		return answer;
	next = cursor_peek(cursor);
	if (cursor_is_short(cursor))
		return cursor_more(cursor);
	if (is_blank(next))
		return answer_no();
	value.len = cursor->at - value.at;
	while (value.len > 0 && is_blank(cursor_byte(cursor, value.at))) {
		value.at++;
		value.len--;
	}
	while (value.len > 0 &&
	    is_around_value(cursor_byte(cursor, value.at + value.len - 1)))
		value.len--;
	*ret = value;
	return answer_yes();
}

/* From the first header line to the one that is Host. */
static struct answer
find_host_line(struct cursor *cursor)
{
	struct answer answer;
	struct span name = { 0 };
	bool first = true;

	for (;;) {
		uint8_t byte = cursor_peek(cursor);

		if (cursor_is_short(cursor))
			return cursor_more(cursor);
		if (byte == '\r' || byte == '\n')
			return answer_no();
		if (!is_blank(byte) || first) {
			answer = read_name(cursor, &name);
			if (answer.verdict != ANSWER_YES)
				return answer;
			if (is_host(cursor, name))
				return answer_yes();
		}
		answer = skip_line(cursor);
		if (answer.verdict != ANSWER_YES)
			return answer;
		first = false;
	}
}

struct answer
http_field_find_host(struct cursor *cursor, struct span *ret)
{
	struct answer answer = skip_line(cursor);

	if (answer.verdict == ANSWER_YES)
		answer = find_host_line(cursor);
	if (answer.verdict != ANSWER_YES)
		return answer;
	return read_host(cursor, ret);
}
