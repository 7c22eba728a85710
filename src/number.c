/* number.c - decimal numbers in text; see number.h. */
#include "number.h"

#include <errno.h>
#include <limits.h>

#include "byte.h"

int
number_take(const char *text, size_t n, int64_t max, int64_t *ret)
{
	int64_t value = 0;
	int i;

	for (i = 0; i < INT_MAX && (size_t)i < n; i++) {
		int digit = text[i] - '0';

		if (!byte_is_digit((uint8_t)text[i]))
			break;
		if (value > max / 10 || (value == max / 10 && digit > max % 10))
			return -ERANGE;
		value = value * 10 + digit;
	}
	if (i > 0)
		*ret = value;
	return i;
}
