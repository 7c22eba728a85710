/*
 * number.h - decimal numbers in text.
 */
#ifndef USHER_NUMBER_H
#define USHER_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads the digits that the n bytes of text begin with, up to the first byte
 * that is none; zeros in front are digits like others, for whoever minds to
 * look at.  max is at least 0.  Returns how many digits there are, perhaps
 * none, which is 0; or -ERANGE for a number above max.  *ret is written only
 * if there is a digit.
 */
int number_take(const char *text, size_t n, int64_t max, int64_t *ret);

#endif
