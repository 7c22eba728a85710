#include "http.h"

#include <stdbool.h>
#include <string.h>

#include "byte.h"
#include "cursor.h"
#include "hostname.h"
#include "http_field.h"

enum {
	EMPTY_LINES_MAX = 4, /* before the request */
	METHOD_MAX = 24,
	AUTHORITY_MAX = HOSTNAME_MAX + 1 + 5, /* with a colon and a port */
};

/* Methods of HTTP alone, that a path makes certain. */
static const char *const known_methods[] = { "GET", "POST", "HEAD", "PUT",
	"DELETE", "PATCH", "TRACE", "PROPFIND", "PROPPATCH", "MKCOL", "COPY",
	"MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH" };

static bool
equals(const struct cursor *cursor, struct span span, const char *text)
{
	size_t i;

	if (strlen(text) != span.len)
		return false;
	for (i = 0; i < span.len; i++)
		if (cursor_byte(cursor, span.at + i) != (uint8_t)text[i])
			return false;
	return true;
}

static bool
is_known(const struct cursor *cursor, struct span method)
{
	size_t i;

	for (i = 0; i < sizeof(known_methods) / sizeof(known_methods[0]); i++)
		if (equals(cursor, method, known_methods[i]))
			return true;
	return false;
}

/* Visible, or beyond ASCII, which some clients do not encode. */
static bool
is_target_byte(uint8_t byte)
{
	return byte > ' ' && byte != 0x7f;
}

static struct answer
skip_empty_lines(struct cursor *cursor)
{
	struct answer answer = answer_yes();
	unsigned i;

	for (i = 0; i < EMPTY_LINES_MAX; i++) {
		uint8_t byte = cursor_peek(cursor);

		if (byte == '\r')
			answer = cursor_equals(cursor, "\r\n", 2);
		else if (byte == '\n')
			cursor_skip(cursor, 1);
		else
			break;
		if (answer.verdict != ANSWER_YES)
			return answer;
	}
	return cursor_is_short(cursor) ? cursor_more(cursor) : answer;
}

/*
 * Capitals, "-" and "_", up to a blank.  The standard allows more, but all
 * that are registered or in use look so; "HTTP/1.1 200" and "SSH-2.0" do not.
 * PRI is kept for the preface of HTTP/2.
 */
static struct answer
read_method(struct cursor *cursor, struct span *ret)
{
	struct span method = { cursor->at, 0 };

	for (; method.len <= METHOD_MAX; method.len++) {
		uint8_t byte = cursor_u8(cursor);

		if (cursor_is_short(cursor))
			return cursor_more(cursor);
		if (byte == ' ' && method.len > 0) {
			*ret = method;
			return equals(cursor, method, "PRI") ? answer_no() :
							       answer_yes();
		}
		if (!(byte >= 'A' && byte <= 'Z') &&
		    !(method.len > 0 && (byte == '-' || byte == '_')))
			return answer_no();
	}
	return answer_no();
}

/* A path, an URI, HOST:PORT, or "*": as far as its first byte shows it. */
static bool
may_begin_target(uint8_t byte)
{
	return byte == '/' || byte == '*' || byte == '[' || byte_is_alnum(byte);
}

/* From after the target's first byte to the version. */
static struct answer
read_version(struct cursor *cursor, uint8_t first)
{
	uint8_t byte = cursor_u8(cursor);

	if (first == '*' && byte != ' ' && !cursor_is_short(cursor))
		return answer_no();
	while (is_target_byte(byte))
		byte = cursor_u8(cursor);
	if (cursor_is_short(cursor))
		return cursor_more(cursor);
	if (byte != ' ')
		return answer_no();
	return cursor_equals(cursor, "HTTP/1.", 7);
}

/* Up to the target; yes only if that is certain to be HTTP. */
static struct answer
read_request(struct cursor *cursor, struct span *method)
{
	struct cursor rest;
	struct answer answer;
	uint8_t first;

	answer = skip_empty_lines(cursor);
	if (answer.verdict != ANSWER_YES)
		return answer;
	answer = read_method(cursor, method);
	if (answer.verdict != ANSWER_YES)
		return answer;
	rest = *cursor;
	first = cursor_u8(&rest);
	if (cursor_is_short(&rest))
		return cursor_more(&rest);
	if (!may_begin_target(first))
		return answer_no();
	if (first == '/' && is_known(cursor, *method))
		return answer_yes();
	return read_version(&rest, first);
}

/* Bytes of the target up to one of stops, or its end. */
static struct answer
read_until(struct cursor *cursor, const char *stops, struct span *ret)
{
	struct span part = { cursor->at, 0 };
	uint8_t byte = cursor_peek(cursor);

	while (is_target_byte(byte) && strchr(stops, byte) == NULL) {
		part.len++;
		cursor_skip(cursor, 1);
		byte = cursor_peek(cursor);
	}
	if (cursor_is_short(cursor))
		return cursor_more(cursor);
	if (!is_target_byte(byte) && byte != ' ' && byte != '\r' &&
	    byte != '\n')
		return answer_no();
	*ret = part;
	return answer_yes();
}

/* "http://AUTHORITY", and what of it is the authority. */
static struct answer
read_absolute(struct cursor *cursor, struct span *authority)
{
	struct answer answer;
	struct span scheme = { 0 };

	answer = read_until(cursor, ":/?#", &scheme);
	if (answer.verdict == ANSWER_YES)
		answer = cursor_equals(cursor, "://", 3);
	if (answer.verdict == ANSWER_YES)
		answer = read_until(cursor, "/?#", authority);
	return answer;
}

static struct answer
find_path(struct cursor *cursor, struct span *ret)
{
	struct answer answer;
	struct span method = { 0 }, authority = { 0 }, path = { 0 };
	uint8_t first;

	answer = read_request(cursor, &method);
	if (answer.verdict != ANSWER_YES)
		return answer;
	if (equals(cursor, method, "CONNECT"))
		return answer_no();
	first = cursor_peek(cursor);
	if (first != '/' && first != '*') {
		answer = read_absolute(cursor, &authority);
		if (answer.verdict != ANSWER_YES)
			return answer;
	}
	answer = read_until(cursor, "?#", &path);
	if (answer.verdict != ANSWER_YES)
		return answer;
	/* An empty path is "/" (RFC 9110 section 4.2.3): lend it the last
	 * one of "://". */
	if (path.len == 0)
		path = (struct span){ authority.at - 1, 1 };
	*ret = path;
	return answer_yes();
}

/* The host in an authority, which is all there. */
static struct answer
take_host(const struct cursor *cursor, struct span authority, struct span *ret)
{
	uint8_t text[AUTHORITY_MAX] = { 0 };
	struct span host = { 0 };
	size_t i;

	if (authority.len > AUTHORITY_MAX)
		return answer_no();
	for (i = 0; i < authority.len; i++)
		text[i] = cursor_byte(cursor, authority.at + i);
	if (!hostname_of_authority(text, authority.len, &host))
		return answer_no();
	*ret = (struct span){ authority.at + host.at, host.len };
	return answer_yes();
}

static struct answer
find_host(struct cursor *cursor, struct span *ret)
{
	struct answer answer;
	struct span method = { 0 }, authority = { 0 };
	uint8_t first;

	answer = read_request(cursor, &method);
	if (answer.verdict != ANSWER_YES)
		return answer;
	first = cursor_peek(cursor);
	if (equals(cursor, method, "CONNECT")) {
		answer = read_until(cursor, "", &authority);
	} else if (first != '/' && first != '*') {
		answer = read_absolute(cursor, &authority);
	} else {
		cursor_skip(cursor, 1);
		answer = read_version(cursor, first);
		if (answer.verdict == ANSWER_YES)
			answer = http_field_find_host(cursor, &authority);
	}
	if (answer.verdict != ANSWER_YES)
		return answer;
	return take_host(cursor, authority, ret);
}

/* With HTTP_MAX bytes and no answer there is none. */
static struct answer
settle(struct answer answer)
{
	return answer.need > HTTP_MAX ? answer_no() : answer;
}

static struct cursor
start(const uint8_t *bytes, size_t n)
{
	return cursor_over(bytes, n < HTTP_MAX ? n : HTTP_MAX);
}

struct answer
http_recognise(const uint8_t *bytes, size_t n)
{
	struct cursor cursor = start(bytes, n);
	struct span method = { 0 };

	return settle(read_request(&cursor, &method));
}

struct answer
http_find_path(const uint8_t *bytes, size_t n, struct span *ret)
{
	struct cursor cursor = start(bytes, n);

	return settle(find_path(&cursor, ret));
}

struct answer
http_find_host(const uint8_t *bytes, size_t n, struct span *ret)
{
	struct cursor cursor = start(bytes, n);

	return settle(find_host(&cursor, ret));
}
