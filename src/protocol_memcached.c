/*
 * protocol_memcached.c - recognises memcached's two protocols.
 */
#include "protocol_bytes.h"
#include "shape.h"

#define KEY_MAX 250
#define LINE_MAX 2048 /* the server reads no longer ones */

/* What takes no words ends with the line's. */
static const char *const commands[] = { "get ", "gets ", "gat ", "gats ",
	"set ", "add ", "replace ", "append ", "prepend ", "cas ", "delete ",
	"incr ", "decr ", "touch ", "mg ", "ms ", "md ", "ma ", "me ", "mn\r",
	"version\r", "stats ", "stats\r", "flush_all ", "flush_all\r",
	"verbosity " };

static const char *const http[] = { "HTTP/1.0", "HTTP/1.1" };
#define HTTP_LENGTH 8

/* A request line in lower case is none, but neither is it a "get". */
static void
refuse_http(struct shape *shape, size_t length)
{
	struct shape last = *shape;

	if (shape_stopped(shape) || length < HTTP_LENGTH)
		return;
	last.cursor.at -= HTTP_LENGTH;
	shape_word(&last, http, COUNT(http));
	if (shape_answer(&last).verdict == ANSWER_YES)
		shape_refuse(shape);
}

static struct answer
text(struct shape *shape)
{
	size_t length;

	shape_one_of(shape, commands, COUNT(commands));
	length = shape_run(shape, byte_is_text, 0, LINE_MAX);
	refuse_http(shape, length);
	shape_eol(shape);
	return shape_answer(shape);
}

#define BINARY_REQUEST 0x80
#define BINARY_OPCODE_MAX 0x48
#define BINARY_EXTRAS_MAX 20 /* "incr" and "decr" */
#define BINARY_BODY_MAX (128 * 1024 * 1024) /* the largest -I */

static struct answer
binary(struct shape *shape)
{
	uint32_t extras, key;

	shape_byte(shape, BINARY_REQUEST);
	shape_be(shape, 1, 0, BINARY_OPCODE_MAX);
	key = shape_be(shape, 2, 0, KEY_MAX);
	extras = shape_be(shape, 1, 0, BINARY_EXTRAS_MAX);
	shape_be(shape, 3, 0, 0);
	shape_be(shape, 4, key + extras, BINARY_BODY_MAX);
	return shape_answer(shape);
}

struct answer
memcached_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	return shape_peek(&shape) == BINARY_REQUEST ? binary(&shape) :
						      text(&shape);
}
