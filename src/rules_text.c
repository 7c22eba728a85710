/* rules_text.c - the words of a value; see rules_text.h. */
#include "rules_text.h"

#include <errno.h>
#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The bytes of the escape that begins at text, 0 if it is none. */
static size_t
escape_length(const char *text, size_t n)
{
	if (n < 2)
		return 0;
	if (text[1] == 'x')
		return n >= 4 && hex_digit(text[2]) >= 0 &&
			hex_digit(text[3]) >= 0 ?
		    4 :
		    0;
	return strchr("\"\\nrt", text[1]) != NULL && text[1] != '\0' ? 2 : 0;
}

static char
escaped_byte(const char *text)
{
	switch (text[1]) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'x':
		return (char)(hex_digit(text[2]) * 16 + hex_digit(text[3]));
	default:
		return text[1];
	}
}

/* Where the quoted part that begins at text ends, behind its last quote. */
static const char *
scan_quoted(const char *text, const char *end, const char **ret_end,
    const char **ret_fault)
{
	const char *at = text + 1;
	size_t n = 1;

	for (; at < end && *at != '"'; at += n) {
		*ret_fault = at;
		if ((unsigned char)*at < 0x20 && *at != '\t')
			return "a control byte, in quotes it is written \\xHH";
		n = *at == '\\' ? escape_length(at, (size_t)(end - at)) : 1;
		if (n == 0)
			return "unknown escape, expected \\\\, \\\", \\n, \\r, "
			       "\\t or \\xHH";
	}
	*ret_fault = text;
	if (at == end)
		return "this quote is never closed";
	*ret_end = at + 1;
	return NULL;
}

const char *
value_scan(
    const char *text, size_t n, struct words *ret, const char **ret_fault)
{
	const char *at = text, *end = text + n, *wrong;

	*ret = (struct words){ text, text };
	while (at < end) {
		if (*at == '#' && (at == text || is_blank(at[-1])))
			break;
		*ret_fault = at;
		if (*at == '"') {
			wrong = scan_quoted(at, end, &at, ret_fault);
			if (wrong != NULL)
				return wrong;
			ret->end = at;
			continue;
		}
		if (*at == '\'')
			return "words are quoted by \", not by '";
		if (*at == '\\')
			return "a backslash stands only in quotes, as \\\\";
		if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
			return "a control byte, in quotes it is written \\xHH";
		if (!is_blank(*at++))
			ret->end = at;
	}
	return NULL;
}

/* Takes the bytes of the next word off; NULL at the end. */
static const char *
take(struct words *words)
{
	const char *start;
	bool quoted = false;

	while (words->at < words->end && is_blank(*words->at))
		words->at++;
	if (words->at == words->end)
		return NULL;
	start = words->at;
	for (; words->at < words->end; words->at++) {
		if (*words->at == '"')
			quoted = !quoted;
		else if (quoted && *words->at == '\\')
			words->at++;
		else if (!quoted && is_blank(*words->at))
			break;
	}
	return start;
}

int
words_next(struct words *words, struct arena *arena, struct word *ret)
{
	const char *start = take(words);
	size_t span;
	char *copy;

	if (start == NULL)
		return 0;
	span = (size_t)(words->at - start);
	*ret = (struct word){ start, span, start, span };
	if (memchr(start, '"', span) == NULL)
		return 1;
	copy = arena_alloc(arena, span + 1);
	if (copy == NULL)
		return -ENOMEM;
	ret->len = text_unquote(copy, start, span);
	ret->text = copy;
	return 1;
}

size_t
words_count(struct words words)
{
	size_t n = 0;

	while (take(&words) != NULL)
		n++;
	return n;
}

size_t
text_unquote(char *ret, const char *text, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n;) {
		if (text[i] == '\\') {
			ret[len++] = escaped_byte(text + i);
			i += escape_length(text + i, n - i);
			continue;
		}
		if (text[i] != '"')
			ret[len++] = text[i];
		i++;
	}
	ret[len] = '\0';
	return len;
}

bool
word_is(const struct word *word, const char *text)
{
	return strlen(text) == word->len &&
	    memcmp(text, word->text, word->len) == 0;
}
