/*
 * replay.c - gives files to a fuzzer, one after the other, with any compiler.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

enum { SIZE_MAX_INPUT = 1 << 17 };

static int
replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(SIZE_MAX_INPUT);
	size_t n;

	if (file == NULL || bytes == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(bytes, 1, SIZE_MAX_INPUT, file);
	fclose(file);
	/* Said before, since a fuzzer aborts. */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	return 0;
}

int
main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d inputs\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
