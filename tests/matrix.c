/*
 * matrix.c - works out rows of the matrix, and reads them.
 */
#include "matrix.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "protocol.h"

void
matrix_row(const struct vector *vector, char *row, size_t size)
{
	struct line line = line_over(row, size);
	struct answer answer;
	size_t i;

	line_text(&line, vector->name);
	for (i = 0; vector->n > 0 && i < protocols_count; i++) {
		answer = protocols[i].recognise(vector->bytes, vector->n);
		if (answer.verdict == ANSWER_NO)
			continue;
		line_char(&line, '\t');
		line_text(&line, protocols[i].name);
		if (answer.verdict == ANSWER_YES)
			continue;
		line_char(&line, '?');
		line_uint(&line, answer.need);
	}
}

static FILE *
open_matrix(void)
{
	const char *srcdir = getenv("srcdir");
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/vectors/MATRIX.tsv",
	    srcdir != NULL ? srcdir : ".");
	return fopen(path, "r");
}

void
matrix_read(const char *name, char *row, size_t size)
{
	FILE *matrix = open_matrix();
	size_t length = strlen(name);
	bool found = false;

	while (
	    matrix != NULL && !found && fgets(row, (int)size, matrix) != NULL) {
		row[strcspn(row, "\n")] = '\0';
		found = strncmp(row, name, length) == 0 &&
		    (row[length] == '\t' || row[length] == '\0');
	}
	if (!found)
		row[0] = '\0';
	if (matrix != NULL)
		fclose(matrix);
}
