/*
 * mistake.h - mistakes in rules files as data, and as lines for people.
 *
 * The one idea: who finds a mistake only says where and what; nothing is
 * printed until all have been found, and then in one place, in file order.
 */
#ifndef USHER_MISTAKE_H
#define USHER_MISTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"
#include "rules.h"

/* A byte in a source.  line points into the source's text; NULL: nowhere. */
struct place {
	const struct rules_source *source;
	unsigned index; /* of source among the sources */
	const char *line;
	unsigned number, col; /* 1-based */
};

/*
 * Adds a mistake whose message is all of parts, up to a NULL, in a row, cut at
 * 1023 bytes.  All text is copied.  Beyond MISTAKES_MAX, and without memory,
 * it is only counted, and a warning forgotten.
 */
void mistakes_add(struct mistakes *mistakes, const struct place *at,
    bool warning, const char *const parts[]);

/*
 * For parts: n bytes between quotes, escaped and shortened; a number; a place
 * as FILE:LINE.  They live as long as the mistakes.  Without memory they are
 * NULL, which ends the parts.
 */
const char *mistakes_quote(
    struct mistakes *mistakes, const char *text, size_t n);
const char *mistakes_number(struct mistakes *mistakes, uint64_t number);
const char *mistakes_place(struct mistakes *mistakes, const struct place *at);

/* Puts them in the order of files, lines and columns. */
void mistakes_sort(struct mistakes *mistakes);

/* Room for what mistake_write writes, whatever is in the file. */
#define MISTAKE_TEXT_MAX 4096

/*
 * Writes "FILE:LINE:COL: message", the line and a caret below its column,
 * each with a newline.  Tabs stay; other control bytes are shown as \xHH; a
 * long line is cut around the caret.  A mistake in line 0 is about the file.
 */
void mistake_write(struct line *out, const struct mistake *mistake);

#endif
