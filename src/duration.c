/* duration.c - spans of time as text; see duration.h. */
#include "duration.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "byte.h"
#include "number.h"

#define DURATION_MAX_MS (INT64_C(1000) * 366 * 24 * 3600 * 1000)

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {
	/* the largest first: that is what duration_write looks for */
	{ "d", INT64_C(24) * 3600 * 1000 },
	{ "h", INT64_C(3600) * 1000 },
	{ "min", INT64_C(60) * 1000 },
	{ "s", 1000 },
	{ "ms", 1 },
};
#define N_UNITS (sizeof(units) / sizeof(units[0]))
#define SECOND (&units[3])

/* What is left of the text. */
struct rest {
	const char *at, *end;
};

/* Whether a digit comes next. */
static bool
has_digit(const struct rest *rest)
{
	return rest->at < rest->end && byte_is_digit((uint8_t)*rest->at);
}

static void
skip_blanks(struct rest *rest)
{
	while (rest->at < rest->end && (*rest->at == ' ' || *rest->at == '\t'))
		rest->at++;
}

/* A number in thousandths, so that fractions need no floating point. */
static int
take_number(struct rest *rest, int64_t *ret)
{
	int64_t whole = 0, part = 0, scale = 1000;
	int digits = number_take(
	    rest->at, (size_t)(rest->end - rest->at), DURATION_MAX_MS, &whole);

	if (digits <= 0)
		return digits == 0 ? -EINVAL : digits;
	rest->at += digits;
	if (rest->at < rest->end && *rest->at == '.') {
		rest->at++;
		if (!has_digit(rest))
			return -EINVAL;
		for (; has_digit(rest); rest->at++) {
			scale /= 10;
			part += (*rest->at - '0') * scale;
		}
	}
	*ret = whole * 1000 + part;
	return 0;
}

static int
take_unit(
    struct rest *rest, const struct unit **ret, struct duration_fault *fault)
{
	const char *start = rest->at;
	size_t i, n;

	while (rest->at < rest->end && !has_digit(rest) && *rest->at != ' ' &&
	    *rest->at != '\t')
		rest->at++;
	n = (size_t)(rest->at - start);
	for (i = 0; i < N_UNITS; i++) {
		if (strlen(units[i].name) == n &&
		    memcmp(units[i].name, start, n) == 0) {
			*ret = &units[i];
			return 0;
		}
	}
	fault->unit = n > 0 ? start : NULL;
	fault->len = n;
	return -EINVAL;
}

/* "30min": adds it to *sum.  bare says whether the unit may be missing. */
static int
take_part(
    struct rest *rest, bool bare, int64_t *sum, struct duration_fault *fault)
{
	const struct unit *unit = SECOND;
	int64_t number = 0;
	int r = take_number(rest, &number);

	if (r < 0)
		return r;
	skip_blanks(rest);
	if (rest->at < rest->end || !bare)
		r = take_unit(rest, &unit, fault);
	if (r < 0)
		return r;
	if (number / 1000 > DURATION_MAX_MS / unit->ms)
		return -ERANGE;
	*sum += number / 1000 * unit->ms + number % 1000 * unit->ms / 1000;
	return *sum > DURATION_MAX_MS ? -ERANGE : 0;
}

int
duration_parse(
    const char *text, size_t n, int64_t *ret, struct duration_fault *fault)
{
	struct rest rest = { text, text + n };
	int64_t sum = 0;
	int parts, r;

	*fault = (struct duration_fault){ NULL, 0 };
	if (n == 3 && memcmp(text, "off", 3) == 0) {
		*ret = DURATION_OFF;
		return 0;
	}
	for (parts = 0; parts == 0 || rest.at < rest.end; parts++) {
		skip_blanks(&rest);
		r = take_part(&rest, parts == 0, &sum, fault);
		if (r < 0)
			return r;
		skip_blanks(&rest);
	}
	*ret = sum;
	return 0;
}

void
duration_write(struct line *line, int64_t ms)
{
	size_t i = 0;

	if (ms < 0) {
		line_text(line, "off");
		return;
	}
	while (ms % units[i].ms != 0 || (ms == 0 && units[i].ms != 1000))
		i++;
	line_int(line, ms / units[i].ms);
	line_text(line, units[i].name);
}
