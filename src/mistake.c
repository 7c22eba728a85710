/* mistake.c - mistakes in rules files, collected and shown. */
#include "mistake.h"

#include <string.h>

#include "arena.h"

#define MESSAGE_MAX 1024
#define QUOTE_MAX 64 /* bytes of a word that are repeated to its author */
#define SHOWN_BEFORE 50 /* bytes of the line before the caret */
#define SHOWN_MAX 72 /* and in all */

/* The mistakes' own memory, made when there is a first one. */
static struct arena *
memory(struct mistakes *mistakes)
{
	if (mistakes->arena == NULL)
		mistakes->arena = arena_new();
	return mistakes->arena;
}

static const char *
keep(struct mistakes *mistakes, const char *text, size_t n)
{
	struct arena *arena = memory(mistakes);

	/* Nobody will read it. */
	if (mistakes->n == MISTAKES_MAX)
		return "";
	return arena == NULL ? NULL : arena_text(arena, text, n);
}

/* The line of a place, without its end, as far as it could be shown. */
static size_t
line_length(const struct place *at)
{
	const char *end = at->source->text + at->source->len;
	const char *newline;
	size_t n = (size_t)(end - at->line);

	newline = memchr(at->line, '\n', n);
	if (newline != NULL)
		n = (size_t)(newline - at->line);
	if (n > 0 && at->line[n - 1] == '\r')
		n--;
	return n < at->col + SHOWN_MAX ? n : at->col + SHOWN_MAX;
}

void
mistakes_add(struct mistakes *mistakes, const struct place *at, bool warning,
    const char *const parts[])
{
	struct mistake *mistake = &mistakes->list[mistakes->n];
	char text[MESSAGE_MAX];
	struct line message = LINE(text);
	size_t i;

	mistakes->n_errors += !warning;
	if (mistakes->n == MISTAKES_MAX)
		return;
	for (i = 0; parts[i] != NULL; i++)
		line_text(&message, parts[i]);
	mistake->warning = warning;
	mistake->source = at->index;
	mistake->line = at->line == NULL ? 0 : at->number;
	mistake->col = at->line == NULL ? 0 : at->col;
	mistake->file =
	    keep(mistakes, at->source->name, strlen(at->source->name));
	mistake->message = keep(mistakes, message.text, message.len);
	mistake->text = at->line == NULL ?
	    keep(mistakes, "", 0) :
	    keep(mistakes, at->line, line_length(at));
	if (mistake->file != NULL && mistake->message != NULL &&
	    mistake->text != NULL)
		mistakes->n++;
}

const char *
mistakes_number(struct mistakes *mistakes, uint64_t number)
{
	char buffer[24];
	struct line line = LINE(buffer);

	line_uint(&line, number);
	return keep(mistakes, line.text, line.len);
}

const char *
mistakes_place(struct mistakes *mistakes, const struct place *at)
{
	char buffer[512];
	struct line line = LINE(buffer);

	line_escaped(&line, at->source->name, strlen(at->source->name));
	line_char(&line, ':');
	line_uint(&line, at->number);
	return keep(mistakes, line.text, line.len);
}

static bool
before(const struct mistake *a, const struct mistake *b)
{
	if (a->source != b->source)
		return a->source < b->source;
	if (a->line != b->line)
		return a->line < b->line;
	return a->col < b->col;
}

void
mistakes_sort(struct mistakes *mistakes)
{
	size_t i, j;

	for (i = 1; i < mistakes->n; i++) {
		struct mistake one = mistakes->list[i];

		for (j = i; j > 0 && before(&one, &mistakes->list[j - 1]); j--)
			mistakes->list[j] = mistakes->list[j - 1];
		mistakes->list[j] = one;
	}
}

void
mistakes_free(struct mistakes *mistakes)
{
	arena_free(mistakes->arena);
	*mistakes = (struct mistakes){ .n = 0 };
}

static bool
continues(const char *text, size_t n, size_t from, size_t count)
{
	size_t i;

	for (i = from; i < from + count; i++) {
		if (i >= n || ((unsigned char)text[i] & 0xc0) != 0x80)
			return false;
	}
	return true;
}

/*
 * The bytes of the UTF-8 character that text begins with, or 0 where there is
 * none that may be sent to a terminal as it is: U+0080 to U+009F are control
 * characters there.
 */
static size_t
printable_length(const char *text, size_t n)
{
	unsigned char c = (unsigned char)text[0];
	size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	if (c < 0xc2 || c > 0xf4 || !continues(text, n, 1, more))
		return 0;
	if (c == 0xc2 && (unsigned char)text[1] < 0xa0)
		return 0;
	return 1 + more;
}

/*
 * Writes what stands at text so that it is safe on a terminal, and as many
 * columns of nothing into pad.  Returns the bytes it was.
 */
static size_t
show(struct line *out, struct line *pad, const char *text, size_t n)
{
	size_t length = printable_length(text, n);

	if (text[0] == '\t') {
		line_char(out, '\t');
		line_char(pad, '\t');
		return 1;
	}
	if (length == 0) {
		line_text(out, "\\x");
		line_hex(out, (uint8_t)text[0]);
		line_text(pad, "    ");
		return 1;
	}
	line_bytes(out, text, length);
	line_char(pad, ' ');
	return length;
}

const char *
mistakes_quote(struct mistakes *mistakes, const char *text, size_t n)
{
	char buffer[QUOTE_MAX * 4 + 6];
	struct line line = LINE(buffer), nowhere = line_over((char[1]){ 0 }, 1);
	size_t end = n < QUOTE_MAX ? n : QUOTE_MAX, at = 0;

	line_char(&line, '"');
	while (at < end) {
		if (text[at] == '"' || text[at] == '\\')
			line_char(&line, '\\');
		at += show(&line, &nowhere, text + at, n - at);
	}
	line_text(&line, at < n ? "...\"" : "\"");
	return keep(mistakes, line.text, line.len);
}

/* The line and the caret.  col may be one past the line's end. */
static void
show_line(struct line *out, const char *text, size_t col)
{
	char buffer[SHOWN_MAX * 4 + 8];
	struct line pad = LINE(buffer), rest = line_over((char[1]){ 0 }, 1);
	size_t n = strlen(text), at = 0, end;
	size_t caret = col - 1 < n ? col - 1 : n; /* less only after a NUL */

	if (caret > SHOWN_BEFORE) {
		for (at = caret - SHOWN_BEFORE; continues(text, n, at, 1); at++)
			;
		line_text(out, "...");
		line_text(&pad, "   ");
	}
	end = n - at > SHOWN_MAX ? at + SHOWN_MAX : n;
	while (at < end)
		at += show(out, at < caret ? &pad : &rest, text + at, n - at);
	line_text(out, at < n ? "...\n" : "\n");
	line_bytes(out, pad.text, pad.len);
	line_text(out, "^\n");
}

void
mistake_write(struct line *out, const struct mistake *mistake)
{
	struct line nowhere = line_over((char[1]){ 0 }, 1);
	size_t n = strlen(mistake->file), at = 0;

	while (at < n)
		at += show(out, &nowhere, mistake->file + at, n - at);
	if (mistake->line > 0) {
		line_char(out, ':');
		line_uint(out, mistake->line);
		line_char(out, ':');
		line_uint(out, mistake->col);
	}
	line_text(out, mistake->warning ? ": warning: " : ": ");
	line_text(out, mistake->message);
	line_char(out, '\n');
	if (mistake->line > 0)
		show_line(out, mistake->text, mistake->col);
}
