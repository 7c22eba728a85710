/*
 * span.h - a part of the bytes that a question was asked about.
 */
#ifndef USHER_SPAN_H
#define USHER_SPAN_H

#include <stddef.h>

struct span {
	size_t at; /* of its first byte, from the start of the stream */
	size_t len;
};

#endif
