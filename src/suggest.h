/*
 * suggest.h - what somebody who mistyped a word most likely meant.
 *
 * Pure: no memory is allocated, nothing is printed.
 */
#ifndef USHER_SUGGEST_H
#define USHER_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

/* The best candidate so far; starts zeroed. */
struct suggestion {
	const char *name; /* NULL: none was offered */
	size_t distance; /* edits between it and the word */
};

/*
 * Offers name for the n bytes of word: it is kept if it is nearer than the
 * best so far.  Letters count as equal whatever their case, and so do '_' and
 * '-'; a swap of two neighbours is one edit.
 */
void suggest_offer(
    struct suggestion *best, const char *word, size_t n, const char *name);

/* Whether the best is so near that it is worth "did you mean". */
bool suggest_likely(const struct suggestion *best, size_t n);

#endif
