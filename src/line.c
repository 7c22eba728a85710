/*
 * line.c - text put together in a buffer of fixed size.
 */
#include "line.h"

#include <string.h>

#define UINT64_DIGITS 20
#define ESCAPE_MAX 4 /* \xHH */

static const char hex_digits[] = "0123456789abcdef";

struct line
line_over(char *buffer, size_t size)
{
	buffer[0] = '\0';
	return (struct line){ .text = buffer, .size = size };
}

/* Room for text that is not the NUL. */
static size_t
room(const struct line *line)
{
	return line->size - line->len - 1;
}

void
line_bytes(struct line *line, const char *bytes, size_t n)
{
	if (n > room(line)) {
		n = room(line);
		line->cut = true;
	}
	if (n > 0)
		memcpy(line->text + line->len, bytes, n);
	line->len += n;
	line->text[line->len] = '\0';
}

void
line_char(struct line *line, char c)
{
	line_bytes(line, &c, 1);
}

void
line_text(struct line *line, const char *text)
{
	line_bytes(line, text, strlen(text));
}

void
line_uint(struct line *line, uint64_t value)
{
	char digits[UINT64_DIGITS];
	size_t first = sizeof(digits);

	do {
		digits[--first] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	line_bytes(line, digits + first, sizeof(digits) - first);
}

void
line_int(struct line *line, int64_t value)
{
	if (value < 0) {
		line_char(line, '-');
		line_uint(line, 0 - (uint64_t)value);
	} else {
		line_uint(line, (uint64_t)value);
	}
}

void
line_hex(struct line *line, uint8_t byte)
{
	line_char(line, hex_digits[byte >> 4]);
	line_char(line, hex_digits[byte & 15]);
}

/* Writes how a byte that is not plain is shown into ret and returns the number
 * of characters. */
static size_t
escape(uint8_t byte, char ret[static ESCAPE_MAX])
{
	static const char named[] = "\\\\\"\"\nn\rr\tt";

	for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
		if (byte != (uint8_t)named[i])
			continue;
		ret[0] = '\\';
		ret[1] = named[i + 1];
		return 2;
	}
	ret[0] = '\\';
	ret[1] = 'x';
	ret[2] = hex_digits[byte >> 4];
	ret[3] = hex_digits[byte & 15];
	return 4;
}

static bool
is_plain(uint8_t byte)
{
	return byte >= ' ' && byte <= '~' && byte != '\\' && byte != '"';
}

/* How many bytes from the first on need no escape. */
static size_t
count_plain(const uint8_t *bytes, size_t n)
{
	size_t i = 0;

	while (i < n && is_plain(bytes[i]))
		i++;
	return i;
}

void
line_escaped(struct line *line, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	char shown[ESCAPE_MAX];
	size_t len;

	for (size_t i = 0; i < n && !line->cut; i++) {
		/* Most are as they are, and go in one piece. */
		len = count_plain(at + i, n - i);
		line_bytes(line, (const char *)at + i, len);
		i += len;
		if (i == n)
			return;
		len = escape(at[i], shown);
		if (len > room(line)) {
			line->cut = true;
			return;
		}
		line_bytes(line, shown, len);
	}
}

static bool
needs_quotes(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] == ' ' || bytes[i] == '=' || !is_plain(bytes[i]))
			return true;
	return n == 0;
}

void
line_value(struct line *line, const void *bytes, size_t n)
{
	if (!needs_quotes(bytes, n)) {
		line_escaped(line, bytes, n);
		return;
	}
	/* Both quotes or none: half a pair would make the rest unreadable. */
	if (room(line) < 2) {
		line->cut = true;
		return;
	}
	line_char(line, '"');
	line->size--;
	line_escaped(line, bytes, n);
	line->size++;
	line_char(line, '"');
}
