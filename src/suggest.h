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
 * '-'; a swap of two neighbours is one edit.  Of more than 40 bytes neither is
 * compared.  name is kept as it is and has to outlive best.
 */
void suggest_offer(
    struct suggestion *best, const char *word, size_t n, const char *name);

/*
 * Whether the best is so near to the word of n bytes that it is worth "did you
 * mean": one edit, and one more for each four bytes.
 */
bool suggest_likely(const struct suggestion *best, size_t n);

#endif
