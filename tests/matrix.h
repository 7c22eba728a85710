/*
 * matrix.h - what every protocol says to every first flight, as text.
 *
 * A row is the vector's name and, separated by tabs, what is not a no:
 * "ssh" for a yes, "dns?9" for more with at least 9 bytes.
 */
#ifndef USHER_TESTS_MATRIX_H
#define USHER_TESTS_MATRIX_H

#include <stddef.h>

#include "vector.h"

#define MATRIX_ROW_MAX 2048

/* The row of a vector, worked out. */
void matrix_row(const struct vector *vector, char *row, size_t size);

/* The row of the vector called name in MATRIX.tsv, or "" if there is none. */
void matrix_read(const char *name, char *row, size_t size);

#endif
