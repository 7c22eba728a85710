/*
 * duration.h - spans of time as systemd writes them: 500ms, 3s, 1h 30min.
 */
#ifndef USHER_DURATION_H
#define USHER_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "line.h"

#define DURATION_OFF (-1)
#define DURATION_UNITS "ms, s, min, h or d"

/* Where duration_parse found something that is no duration. */
struct duration_fault {
	const char *unit; /* the unknown unit, or NULL */
	size_t len; /* its bytes */
};

/*
 * Parses n bytes: "off", or numbers each followed by a unit, biggest first or
 * not, with optional blanks; a single bare number is seconds.  Fractions are
 * taken ("1.5s"); what is less than a millisecond is dropped.  *ret is
 * milliseconds, 0 or more, or DURATION_OFF.  *fault is written in any case.
 * Returns 0; -EINVAL, with the unit in *fault if that is what is wrong; or
 * -ERANGE for more than a thousand years.
 */
int duration_parse(
    const char *text, size_t n, int64_t *ret, struct duration_fault *fault);

/*
 * Writes what duration_parse reads, in the largest unit that is exact; less
 * than 0 is "off".
 */
void duration_write(struct line *line, int64_t ms);

#endif
