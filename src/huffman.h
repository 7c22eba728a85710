/*
 * huffman.h - the one Huffman code that HTTP/2 writes strings in, bit by bit.
 *
 * Defined in RFC 7541 section 5.2 and appendix B.
 */
#ifndef USHER_HUFFMAN_H
#define USHER_HUFFMAN_H

#include <stdbool.h>
#include <stdint.h>

/* What huffman_bit() says if it is not a byte. */
#define HUFFMAN_MORE (-1)
#define HUFFMAN_BAD (-2) /* the code for the end, which no string has */

/* A code of which some bits were read; all zero before the first. */
struct huffman {
	uint32_t code;
	uint32_t first; /* the least code of so many bits */
	uint32_t before; /* how many codes are shorter */
	unsigned bits;
};

/* A byte (0 to 255) with the last bit of its code, or one of the above. */
int huffman_bit(struct huffman *huffman, unsigned bit);

/* May a string end here?  After less than a byte of ones, which pad it. */
bool huffman_may_end(const struct huffman *huffman);

#endif
