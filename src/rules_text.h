/*
 * rules_text.h - the words of a value: blanks, quotes, escapes, comments.
 *
 * The one idea: value_scan() checks a value's quotes and escapes once, so
 * that whoever takes words from it afterwards cannot fail.
 *
 * A word is any bytes but blanks; parts of it may stand between double quotes.
 * In them \" \\ \n \r \t and \xHH are escapes, and blanks and '#' bytes like
 * others.  A '#' at the start of a word begins a comment.
 */
#ifndef USHER_RULES_TEXT_H
#define USHER_RULES_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"

/* A value, or what is left of it, as it stands in the file. */
struct words {
	const char *at, *end;
};

/* One word: where it stands, how many bytes it takes there, what it means. */
struct word {
	const char *at; /* quotes and escapes and all */
	size_t span;
	const char *text; /* without; at itself where there are none */
	size_t len;
};

/*
 * Finds the end of the value that begins at text in a line of n more bytes:
 * before a comment and the blanks in front of it.  Returns NULL and the value
 * in *ret, or what is wrong, and where in *ret_fault.
 */
const char *value_scan(
    const char *text, size_t n, struct words *ret, const char **ret_fault);

/*
 * Takes the next word off; memory for its meaning, if need be, is from arena.
 * Returns 1, 0 at the end of the value, or -ENOMEM.
 */
int words_next(struct words *words, struct arena *arena, struct word *ret);

/* How many words are left. */
size_t words_count(struct words words);

/*
 * Copies n bytes as they stand to what they mean, which is never longer, and
 * puts a NUL behind: ret has room for n + 1.  They have been through
 * value_scan().  Returns the length.
 */
size_t text_unquote(char *ret, const char *text, size_t n);

/* Whether it means text. */
bool word_is(const struct word *word, const char *text);

/* The value of a hexadecimal digit, or -1. */
int hex_digit(char c);

#endif
