/*
 * protocol_remote.c - recognises what leads to shells, desktops and devices.
 */
#include "protocol_bytes.h"
#include "shape.h"

struct answer
ssh_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_text(&shape, "SSH-");
	return shape_answer(&shape);
}

#define TPKT_HEADER 4
#define X224_REQUEST 7 /* with its own length byte */
#define X224_LENGTH_MAX 254

struct answer
rdp_recognise(const uint8_t *bytes, size_t n)
{
	const uint32_t least = TPKT_HEADER + X224_REQUEST;
	struct shape shape = shape_over(bytes, n);
	uint32_t length;

	shape_byte(&shape, 3);
	shape_byte(&shape, 0);
	length = shape_be(&shape, 2, least, TPKT_HEADER + 1 + X224_LENGTH_MAX);
	/* some do not count what comes behind the fixed part */
	shape_be(&shape, 1, X224_REQUEST - 1, length - TPKT_HEADER - 1);
	shape_byte(&shape, 0xe0);
	shape_be(&shape, 2, 0, 0);
	shape_skip(&shape, 2);
	shape_byte(&shape, 0);
	if (length > least)
		shape_be(&shape, 1, 0, 0x7f);
	return shape_answer(&shape);
}

struct answer
adb_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_text(&shape, "CNXN");
	shape_be(&shape, 1, 0, 0x0f);
	shape_bytes(&shape, "\0\0\1", 3);
	shape_skip(&shape, 12);
	shape_text(&shape, "\xbc\xb1\xa7\xb1host:");
	return shape_answer(&shape);
}

#define WINBOX_KEY 32
#define WINBOX_NAME_MAX 64

struct answer
winbox_recognise(const uint8_t *bytes, size_t n)
{
	/* after the name: NUL, key, parity */
	const uint32_t rest = 1 + WINBOX_KEY + 1;
	struct shape shape = shape_over(bytes, n);
	uint32_t length;

	length = shape_be(&shape, 1, rest + 1, rest + WINBOX_NAME_MAX);
	shape_byte(&shape, 6);
	shape_field(&shape, byte_is_text, length - rest);
	shape_byte(&shape, 0);
	shape_skip(&shape, WINBOX_KEY);
	shape_be(&shape, 1, 0, 1);
	return shape_answer(&shape);
}
