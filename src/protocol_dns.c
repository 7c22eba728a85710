/*
 * protocol_dns.c - recognises DNS over TCP by its first question.
 *
 * RFC 1035 section 4.1; opcodes in RFC 1996 (NOTIFY) and RFC 2136 (UPDATE).
 */
#include "protocol_bytes.h"
#include "shape.h"

#define HEADER 12
#define QUESTION_MIN 5 /* the root, a type, a class */
#define LENGTH_MAX 4096 /* the longest are those with a key in them */
#define LABEL_MAX 63
#define NAME_LEN_MAX 255
#define RECORDS_MAX 255

#define OPCODE_QUERY 0
#define OPCODE_NOTIFY 4
#define OPCODE_UPDATE 5

/*
 * QR, opcode, AA, TC, RD: a question, not cut off.  RA, Z, AD, CD, RCODE: of
 * these a client may set AD and CD.
 */
static uint32_t
flags(struct shape *shape)
{
	uint32_t first = shape_be(shape, 1, 0, 0x7f);
	uint32_t second = shape_be(shape, 1, 0, 0x7f);
	uint32_t opcode = first >> 3;

	if ((first & 0x02) != 0 || (second & 0x4f) != 0)
		shape_refuse(shape);
	if (opcode != OPCODE_QUERY && opcode != OPCODE_NOTIFY &&
	    opcode != OPCODE_UPDATE)
		shape_refuse(shape);
	return opcode;
}

/* Answers only in an update, an authority in one or for IXFR. */
static void
counts(struct shape *shape, uint32_t opcode)
{
	uint32_t more = opcode == OPCODE_QUERY ? 0 : RECORDS_MAX;

	shape_be(shape, 2, 1, 1);
	shape_be(shape, 2, 0, more);
	shape_be(shape, 2, 0, more > 0 ? more : 1);
	shape_be(shape, 2, 0, RECORDS_MAX);
}

/* Labels without pointers; blanks occur in names of services. */
static size_t
name(struct shape *shape)
{
	size_t length = 0;
	uint32_t label;

	do {
		label = shape_be(shape, 1, 0, LABEL_MAX);
		shape_field(shape, byte_is_text, label);
		length += 1 + label;
		if (length > NAME_LEN_MAX)
			shape_refuse(shape);
	} while (label > 0 && !shape_stopped(shape));
	return length;
}

struct answer
dns_recognise(const uint8_t *bytes, size_t n)
{
	static const char *const classes[] = { "\x01", "\x03", "\x04", "\xfe",
		"\xff" };
	struct shape shape = shape_over(bytes, n);
	uint32_t length;

	length = shape_be(&shape, 2, HEADER + QUESTION_MIN, LENGTH_MAX);
	shape_skip(&shape, 2);
	counts(&shape, flags(&shape));
	if (HEADER + name(&shape) + 4 > length)
		shape_refuse(&shape);
	shape_be(&shape, 2, 1, 0xffff);
	shape_byte(&shape, 0);
	shape_one_of(&shape, classes, COUNT(classes));
	return shape_answer(&shape);
}
