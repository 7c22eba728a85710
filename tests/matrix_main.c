/*
 * matrix_main.c - writes tests/vectors/MATRIX.tsv anew, to standard output.
 */
#include <stdio.h>

#include "matrix.h"

int
main(void)
{
	const struct vector *vectors;
	char row[MATRIX_ROW_MAX];
	size_t i, count;

	vectors = vectors_load(&count);
	for (i = 0; i < count; i++) {
		matrix_row(&vectors[i], row, sizeof(row));
		puts(row);
	}
	return count > 0 ? 0 : 1;
}
