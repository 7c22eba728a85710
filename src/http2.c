#include "http2.h"

#include <string.h>

#include "cursor.h"
#include "hpack.h"
#include "http.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum {
	FRAME_HEADER = 9,
	FRAME_MAX = 16384, /* until the server allows more */
	PRIORITY_SIZE = 5,
	FLAG_ACK = 0x01,
	FLAG_END_HEADERS = 0x04,
	FLAG_PADDED = 0x08,
	FLAG_PRIORITY = 0x20,
};

enum frame_type {
	DATA = 0,
	HEADERS = 1,
	PRIORITY = 2,
	RST_STREAM = 3,
	SETTINGS = 4,
	PUSH_PROMISE = 5,
	PING = 6,
	GOAWAY = 7,
	WINDOW_UPDATE = 8,
	CONTINUATION = 9,
};

struct frame {
	size_t size; /* of what follows its header */
	uint8_t type;
	uint8_t flags;
	uint32_t stream;
};

static struct answer
read_frame(struct cursor *cursor, struct frame *ret)
{
	if (!cursor_has(cursor, FRAME_HEADER))
		return cursor_more(cursor);
	ret->size = cursor_u24(cursor);
	ret->type = cursor_u8(cursor);
	ret->flags = cursor_u8(cursor);
	ret->stream = cursor_u32(cursor) & 0x7fffffff;
	return ret->size <= FRAME_MAX ? answer_yes() : answer_no();
}

/* May this come before a request?  Unknown types may (section 5.5). */
static bool
may_precede(const struct frame *frame)
{
	switch (frame->type) {
	case SETTINGS:
		return frame->stream == 0 && frame->size % 6 == 0 &&
		    ((frame->flags & FLAG_ACK) == 0 || frame->size == 0);
	case WINDOW_UPDATE:
		return frame->size == 4;
	case PRIORITY:
		return frame->stream != 0 && frame->size == PRIORITY_SIZE;
	case PING:
		return frame->stream == 0 && frame->size == 8;
	case DATA:
	case HEADERS:
	case RST_STREAM:
	case PUSH_PROMISE:
	case GOAWAY:
	case CONTINUATION:
		return false;
	default:
		return true;
	}
}

/* From the preface to the header of the first HEADERS frame. */
static struct answer
find_headers(struct cursor *cursor, struct frame *ret)
{
	struct answer answer;
	struct frame frame = { 0 };
	bool first = true;

	answer = cursor_equals(cursor, preface, sizeof(preface) - 1);
	while (answer.verdict == ANSWER_YES) {
		answer = read_frame(cursor, &frame);
		if (answer.verdict != ANSWER_YES)
			break;
		if (first && frame.type != SETTINGS)
			return answer_no();
		if (frame.type == HEADERS)
			break;
		if (!may_precede(&frame))
			return answer_no();
		/* Nothing is decided before the next frame's header. */
		if (!cursor_has(cursor, frame.size + FRAME_HEADER))
			return cursor_more(cursor);
		cursor_skip(cursor, frame.size);
		first = false;
	}
	*ret = frame;
	return answer;
}

/* The part of the header block that the frame holds; *padding comes after. */
static struct answer
open_block(struct cursor *cursor, const struct frame *frame, size_t *ret_size,
    size_t *ret_padding)
{
	size_t before = 0, padding = 0;

	if ((frame->flags & FLAG_PADDED) != 0) {
		padding = cursor_u8(cursor);
		before = 1;
	}
	if ((frame->flags & FLAG_PRIORITY) != 0) {
		cursor_skip(cursor, PRIORITY_SIZE);
		before += PRIORITY_SIZE;
	}
	if (cursor_is_short(cursor))
		return cursor_more(cursor);
	if (before + padding > frame->size)
		return answer_no();
	*ret_size = frame->size - before - padding;
	*ret_padding = padding;
	return answer_yes();
}

static struct answer
feed(struct cursor *cursor, size_t size, struct hpack *hpack)
{
	while (size-- > 0) {
		uint8_t byte = cursor_u8(cursor);

		if (cursor_is_short(cursor))
			return cursor_more(cursor);
		if (!hpack_feed(hpack, byte))
			return answer_no();
	}
	return answer_yes();
}

/* A HEADERS frame, and CONTINUATION frames until the block is complete. */
static struct answer
read_block(struct cursor *cursor, struct frame frame, struct hpack *hpack)
{
	uint32_t stream = frame.stream;
	struct answer answer;
	size_t size = 0, padding = 0;

	if (stream % 2 == 0)
		return answer_no();
	answer = open_block(cursor, &frame, &size, &padding);
	if (answer.verdict == ANSWER_YES)
		answer = feed(cursor, size, hpack);
	while (answer.verdict == ANSWER_YES &&
	    (frame.flags & FLAG_END_HEADERS) == 0) {
		cursor_skip(cursor, padding);
		padding = 0;
		answer = read_frame(cursor, &frame);
		if (answer.verdict != ANSWER_YES)
			break;
		if (frame.type != CONTINUATION || frame.stream != stream)
			return answer_no();
		answer = feed(cursor, frame.size, hpack);
	}
	if (answer.verdict != ANSWER_YES)
		return answer;
	if (!hpack_may_end(hpack) || hpack->malformed)
		return answer_no();
	return answer_yes();
}

static void
take_host(const struct hpack *hpack, struct http2_request *ret)
{
	struct span host = { 0 };

	if (hpack->host_len > HPACK_HOST_MAX ||
	    !hostname_of_authority(hpack->host, hpack->host_len, &host) ||
	    host.at != 0 || host.len > HOSTNAME_MAX)
		return;
	memcpy(ret->host, hpack->host, host.len);
	ret->host_len = host.len;
	ret->has_host = true;
}

static void
take_path(const struct hpack *hpack, struct http2_request *ret)
{
	size_t i;

	for (i = 0; i < hpack->path_len && i < HTTP2_PATH_MAX; i++) {
		uint8_t byte = hpack->path[i];

		if (byte == '?' || byte == '#')
			break;
		if (byte <= ' ' || byte == 0x7f) {
			ret->path[0] = '\0';
			return;
		}
		ret->path[i] = (char)byte;
	}
	ret->path[i] = '\0';
	ret->path_len = i;
	ret->has_path = i > 0;
}

struct answer
http2_recognise(const uint8_t *bytes, size_t n)
{
	struct cursor cursor = cursor_over(bytes, n);

	return cursor_equals(&cursor, preface, sizeof(preface) - 1);
}

struct answer
http2_find(const uint8_t *bytes, size_t n, struct http2_request *ret)
{
	struct cursor cursor = cursor_over(bytes, n < HTTP_MAX ? n : HTTP_MAX);
	struct answer answer;
	struct frame frame = { 0 };
	struct hpack hpack;

	hpack_begin(&hpack);
	answer = find_headers(&cursor, &frame);
	if (answer.verdict == ANSWER_YES)
		answer = read_block(&cursor, frame, &hpack);
	if (answer.need > HTTP_MAX)
		return answer_no();
	if (answer.verdict != ANSWER_YES)
		return answer;
	memset(ret, 0, sizeof(*ret));
	take_host(&hpack, ret);
	take_path(&hpack, ret);
	return answer;
}
