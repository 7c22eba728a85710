/*
 * protocol_tunnel.c - recognises tunnels and proxies.
 */
#include "protocol_bytes.h"
#include "shape.h"

#define OPENVPN_RESET_V1 (1 << 3) /* with key 0 in the lower bits */
#define OPENVPN_RESET_V2 (7 << 3)
#define OPENVPN_RESET_V3 (10 << 3)

/*
 * opcode, session number, acknowledgements, packet number; around them for
 * --tls-auth a packet number, the time and a digest of up to 64 bytes.
 */
#define OPENVPN_RESET_MIN (1 + 8 + 1 + 4)
#define OPENVPN_RESET_MAX (OPENVPN_RESET_MIN + 8 + 64)

/*
 * --tls-crypt makes it 54 bytes; V3 appends the client's wrapped key: digest,
 * key, length, and what the server's administrator put in, 1024 at most.
 */
#define OPENVPN_CRYPT 54
#define OPENVPN_V3_MIN (OPENVPN_CRYPT + 32 + 256 + 2)
#define OPENVPN_V3_MAX (OPENVPN_CRYPT + 1024)

static bool
is_reset(uint32_t opcode, uint32_t length)
{
	switch (opcode) {
	case OPENVPN_RESET_V1:
	case OPENVPN_RESET_V2:
		return length <= OPENVPN_RESET_MAX;
	case OPENVPN_RESET_V3:
		return length >= OPENVPN_V3_MIN;
	default:
		return false;
	}
}

/*
 * Where the opcode stands a DNS query has half of its number, so that one in
 * a hundred looks right.  Its flags and its count of one question stand where
 * the session's number is, and that is random.
 */
static void
refuse_dns(struct shape *shape)
{
	shape_skip(shape, 1);
	if (shape_be(shape, 1, 0, 255) & 0xf8)
		return;
	shape_skip(shape, 1);
	if (shape_be(shape, 2, 0, 0xffff) == 1)
		shape_refuse(shape);
}

struct answer
openvpn_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	uint32_t length, opcode;

	length = shape_be(&shape, 2, OPENVPN_RESET_MIN, OPENVPN_V3_MAX);
	opcode = shape_be(&shape, 1, 0, 255);
	if (!is_reset(opcode, length))
		shape_refuse(&shape);
	if (length > OPENVPN_RESET_MIN)
		refuse_dns(&shape);
	return shape_answer(&shape);
}

static bool
is_tinc_name(uint8_t byte)
{
	return byte_is_alnum(byte) || byte == '_';
}

/* base64, with or without "+" and "/" */
static bool
is_tinc_key(uint8_t byte)
{
	return is_tinc_name(byte) || byte == '+' || byte == '/' ||
	    byte == '-' || byte == '=';
}

struct answer
tinc_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_text(&shape, "0 ");
	if (shape_peek(&shape) == '?') {
		shape_byte(&shape, '?');
		shape_run(&shape, is_tinc_key, 1, 128);
	} else {
		shape_run(&shape, is_tinc_name, 1, 256);
	}
	shape_text(&shape, " 17");
	if (shape_peek(&shape) == '.') {
		shape_byte(&shape, '.');
		shape_decimal(&shape, 0, 255);
	}
	shape_eol(&shape);
	return shape_answer(&shape);
}

#define SOCKS_NAME_MAX 255

struct answer
socks4_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	uint32_t address;

	shape_byte(&shape, 4);
	shape_be(&shape, 1, 1, 2);
	shape_skip(&shape, 2);
	address = shape_be(&shape, 4, 0, UINT32_MAX);
	shape_run(&shape, byte_is_text, 0, SOCKS_NAME_MAX);
	shape_byte(&shape, 0);
	if (address > 0 && address <= 255) {
		shape_run(&shape, byte_is_graph, 1, SOCKS_NAME_MAX);
		shape_byte(&shape, 0);
	}
	return shape_answer(&shape);
}

#define SOCKS5_NO_METHOD 0xff /* the server's answer, never offered */

/* A method that was not offered before; noise repeats itself soon. */
static void
method(struct shape *shape, bool *offered)
{
	uint32_t value = shape_be(shape, 1, 0, SOCKS5_NO_METHOD - 1);

	if (offered[value])
		shape_refuse(shape);
	offered[value] = true;
}

struct answer
socks5_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	bool offered[SOCKS5_NO_METHOD] = { false };
	uint32_t count, i;

	shape_byte(&shape, 5);
	count = shape_be(&shape, 1, 1, 255);
	for (i = 0; i < count && !shape_stopped(&shape); i++)
		method(&shape, offered);
	return shape_answer(&shape);
}
