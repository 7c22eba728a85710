/*
 * line.h - text put together in a buffer of fixed size.
 *
 * The one idea: a line never overflows and never fails; what does not fit is
 * left out and the line remembers that.  It stays NUL-terminated after every
 * call.  This is what logs and messages are written with in the small
 * programs, where printf would cost more than all the rest.
 */
#ifndef USHER_LINE_H
#define USHER_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line {
	char *text; /* NUL-terminated */
	size_t size; /* of the buffer, at least 1 */
	size_t len; /* without the NUL */
	bool cut; /* something did not fit */
};

/* A line over buffer, an array of char. */
#define LINE(buffer) line_over((buffer), sizeof(buffer))

/* An empty line over size (> 0) bytes at buffer, which the caller owns. */
struct line line_over(char *buffer, size_t size);

void line_char(struct line *line, char c);
void line_text(struct line *line, const char *text);
void line_bytes(struct line *line, const char *bytes, size_t n);
void line_uint(struct line *line, uint64_t value);
void line_int(struct line *line, int64_t value);
/* Two lower-case hexadecimal digits. */
void line_hex(struct line *line, uint8_t byte);

/*
 * n bytes from a stranger: printable ASCII but backslash and double quote is
 * kept; backslash, quote, \n, \r and \t get their C escapes and everything
 * else becomes \xHH.  An escape that would not fit is left out whole.
 */
void line_escaped(struct line *line, const void *bytes, size_t n);

/*
 * As line_escaped, and put between double quotes if it is empty, holds a
 * blank, '=' or anything that had to be escaped: a value of a key=value line.
 */
void line_value(struct line *line, const void *bytes, size_t n);

#endif
