#include "vector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VECTORS_MAX = 1000, FIELDS = 6 };

static _Noreturn void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static FILE *
open_file(const char *name, const char *suffix)
{
	const char *srcdir = getenv("srcdir");
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/vectors/%s%s",
	    srcdir != NULL ? srcdir : ".", name, suffix);
	file = fopen(path, "rb");
	if (file == NULL)
		fail(path);
	return file;
}

static void
read_bytes(struct vector *vector)
{
	FILE *file = open_file(vector->name, ".bin");
	long size;

	if (fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0)
		fail(vector->name);
	rewind(file);
	vector->n = (size_t)size;
	vector->bytes = malloc(vector->n + 1);
	if (vector->bytes == NULL ||
	    fread(vector->bytes, 1, vector->n, file) != vector->n)
		fail(vector->name);
	fclose(file);
}

/* NAME, origin, PROTOCOL, SNI, ALPN, note; the strings are kept for good. */
static void
read_row(struct vector *vector, char *row)
{
	char *field[FIELDS];
	size_t i;

	for (i = 0; i < FIELDS; i++) {
		field[i] = strsep(&row, "\t");
		if (field[i] == NULL)
			fail("tests/vectors/INDEX.tsv");
	}
	vector->name = field[0];
	vector->protocol = field[2];
	vector->sni = field[3];
	vector->alpn = field[4];
	read_bytes(vector);
}

const struct vector *
vectors_load(size_t *ret_count)
{
	static struct vector vectors[VECTORS_MAX];
	static size_t count;
	static char text[1 << 20];
	char *row, *rest = text;
	FILE *index;

	*ret_count = count;
	if (count > 0)
		return vectors;
	index = open_file("INDEX", ".tsv");
	text[fread(text, 1, sizeof(text) - 1, index)] = '\0';
	fclose(index);
	strsep(&rest, "\n"); /* the heading */
	while ((row = strsep(&rest, "\n")) != NULL && row[0] != '\0') {
		if (count == VECTORS_MAX)
			fail("tests/vectors/INDEX.tsv: too long");
		read_row(&vectors[count++], row);
	}
	*ret_count = count;
	return vectors;
}
