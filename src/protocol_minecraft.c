/*
 * protocol_minecraft.c - recognises Minecraft's handshake, Java edition.
 */
#include "protocol_bytes.h"
#include "shape.h"

/* kind, version, length of a name, a letter, port, state */
#define PACKET_MIN (1 + 1 + 1 + 1 + 2 + 1)
#define PACKET_MAX 4096
/* 255 letters; a proxy in front appends addresses to them */
#define HOST_MAX 2048

/* proxies and mods separate what they add with NUL */
static bool
is_host(uint8_t byte)
{
	return byte == 0 || byte_is_text(byte);
}

static struct answer
handshake(struct shape *shape)
{
	uint32_t length, host;
	size_t start;

	length = shape_varint(shape, 2);
	if (length < PACKET_MIN || length > PACKET_MAX)
		shape_refuse(shape);
	start = shape->cursor.at;
	shape_byte(shape, 0);
	shape_varint(shape, 5);
	host = shape_varint(shape, 2);
	if (host < 1 || host > HOST_MAX)
		shape_refuse(shape);
	/* what follows must fill the packet */
	if (shape->cursor.at - start + host + 3 != length)
		shape_refuse(shape);
	if (shape_peek(shape) == 0)
		shape_refuse(shape);
	shape_field(shape, is_host, host);
	shape_skip(shape, 2);
	shape_be(shape, 1, 1, 3);
	return shape_answer(shape);
}

static const char ping[] =
    "\xfe\x01\xfa\0\x0b\0M\0C\0|\0P\0i\0n\0g\0H\0o\0s\0t";

struct answer
minecraft_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	if (shape_peek(&shape) != 0xfe)
		return handshake(&shape);
	shape_bytes(&shape, ping, sizeof(ping) - 1);
	return shape_answer(&shape);
}
