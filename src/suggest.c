/* suggest.c - the nearest of several names by edit distance. */
#include "suggest.h"

#include <string.h>

/* Longer words than this are no names, and names are no longer than this. */
#define WORD_MAX 40

static char
fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '_' ? '-' : c;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	if (a > b)
		a = b;
	return a < c ? a : c;
}

/*
 * The distance after Damerau and Levenshtein, neighbours swapped once: row i
 * of the usual table, of which only the last three rows are kept.
 */
static size_t
edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][WORD_MAX + 1];
	size_t i, j;

	for (j = 0; j <= m; j++)
		rows[0][j] = j;
	for (i = 1; i <= n; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i - 1) % 3];
		const size_t *twice = rows[(i + 1) % 3];

		row[0] = i;
		for (j = 1; j <= m; j++) {
			bool same = fold(a[i - 1]) == fold(b[j - 1]);

			row[j] = least(
			    above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
			if (i > 1 && j > 1 &&
			    fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]) &&
			    row[j] > twice[j - 2] + 1)
				row[j] = twice[j - 2] + 1;
		}
	}
	return rows[n % 3][m];
}

void
suggest_offer(
    struct suggestion *best, const char *word, size_t n, const char *name)
{
	size_t m = strlen(name), distance;

	if (n > WORD_MAX || m > WORD_MAX)
		return;
	distance = edit_distance(word, n, name, m);
	if (best->name == NULL || distance < best->distance) {
		best->name = name;
		best->distance = distance;
	}
}

bool
suggest_likely(const struct suggestion *best, size_t n)
{
	return best->name != NULL && best->distance <= 1 + n / 4 &&
	    best->distance < n;
}
