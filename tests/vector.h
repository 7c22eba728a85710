/*
 * vector.h - the first flights in tests/vectors, one row of its INDEX.tsv at
 * a time.
 */
#ifndef TESTS_VECTOR_H
#define TESTS_VECTOR_H

#include <stddef.h>
#include <stdint.h>

struct vector {
	const char *name;
	const char *protocol; /* as expected, see tests/vectors/README.md */
	const char *sni; /* escaped as in the index; "-": none */
	const char *alpn;
	uint8_t *bytes;
	size_t n;
};

/* All rows, read once; ends the test run if they cannot be read. */
const struct vector *vectors_load(size_t *ret_count);

#endif
