/*
 * rules_payload.c - patterns of bytes: "SSH-2.0", 5353482d, 24:"host:",
 * 0:1603??????01.
 */
#include "rules_parser.h"

#include <errno.h>
#include <string.h>

/* Digits and a colon in front.  Returns the bytes they take, or 0. */
static size_t
take_offset(const struct word *word, uint32_t *ret)
{
	uint32_t offset = 0;
	size_t i = 0;

	while (i < word->span && word->at[i] >= '0' && word->at[i] <= '9') {
		if (offset < RULES_PAYLOAD_MAX)
			offset = offset * 10 + (uint32_t)(word->at[i] - '0');
		i++;
	}
	if (i == 0 || i == word->span || word->at[i] != ':')
		return 0;
	*ret = offset;
	return i + 1;
}

/* All of text, which begins with a quote, must be one quoted part. */
static bool
one_quote(const char *text, size_t n)
{
	size_t i = 1;

	while (i < n && text[i] != '"')
		i += text[i] == '\\' ? 2 : 1;
	return i + 1 == n;
}

static int
fill_text(
    const char *text, size_t n, uint8_t *bytes, uint8_t *mask, uint32_t *ret)
{
	if (!one_quote(text, n))
		return -EINVAL;
	*ret = (uint32_t)text_unquote((char *)bytes, text, n);
	memset(mask, 0xff, *ret);
	return 0;
}

static int
fill_hex(
    const char *text, size_t n, uint8_t *bytes, uint8_t *mask, uint32_t *ret)
{
	for (size_t i = 0; i + 1 < n; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (text[i] == '?' && text[i + 1] == '?')
			continue;
		if (high < 0 || low < 0)
			return -EINVAL;
		bytes[i / 2] = (uint8_t)(high * 16 + low);
		mask[i / 2] = 0xff;
	}
	*ret = (uint32_t)(n / 2);
	return n % 2 == 0 ? 0 : -EDOM;
}

static int
explain(struct parser *parser, const struct word *word, const char *text,
    size_t n, int error)
{
	if (n > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return COMPLAIN(parser, word->at,
		    "hexadecimal digits stand without 0x here: ",
		    QUOTE(parser, text + 2, n - 2));
	if (error == -EDOM)
		return COMPLAIN(parser, word->at, QUOTE(parser, text, n),
		    " has half a byte, expected two digits or ?? for each");
	return COMPLAIN(parser, word->at, QUOTE(parser, text, n),
	    " is not hexadecimal, expected digits like 5353482d, or text "
	    "between quotes");
}

int
read_payload(
    struct parser *parser, const struct word *word, struct payload_pattern *ret)
{
	struct payload_pattern pattern = { .offset = 0 };
	size_t skip = take_offset(word, &pattern.offset);
	const char *text = word->at + skip;
	size_t n = word->span - skip;
	uint8_t *bytes, *mask;
	int r;

	bytes = arena_alloc(parser->arena, n + 1);
	mask = arena_alloc(parser->arena, n + 1);
	if (bytes == NULL || mask == NULL)
		return -ENOMEM;
	if (n > 0 && text[0] == '"')
		r = fill_text(text, n, bytes, mask, &pattern.len);
	else
		r = fill_hex(text, n, bytes, mask, &pattern.len);
	if (r < 0)
		return explain(parser, word, text, n, r);
	if (pattern.len == 0)
		return COMPLAIN(parser, word->at, "a pattern without bytes");
	if (pattern.offset + pattern.len > RULES_PAYLOAD_MAX)
		return COMPLAIN(parser, word->at, "only the first ",
		    NUMBER(parser, RULES_PAYLOAD_MAX),
		    " bytes can be looked at");
	pattern.bytes = bytes;
	pattern.mask = mask;
	*ret = pattern;
	return 0;
}
