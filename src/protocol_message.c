/*
 * protocol_message.c - recognises the clients of brokers and chats.
 */
#include "protocol_bytes.h"
#include "shape.h"

/* name, level, flags, keep-alive, an empty client's name */
#define MQTT_REMAINING_MIN (2 + 4 + 1 + 1 + 2 + 2)

static const char *const mqtt_levels[] = { "MQTT\x03", "MQTT\x04", "MQTT\x05",
	"MQTT\x83", "MQTT\x84" };
static const char *const mqisdp_levels[] = { "MQIsdp\x03", "MQIsdp\x83" };

struct answer
mqtt_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_byte(&shape, 0x10);
	if (shape_varint(&shape, 4) < MQTT_REMAINING_MIN)
		shape_refuse(&shape);
	shape_byte(&shape, 0);
	if (shape_peek(&shape) == 4) {
		shape_byte(&shape, 4);
		shape_one_of(&shape, mqtt_levels, COUNT(mqtt_levels));
	} else {
		shape_byte(&shape, 6);
		shape_one_of(&shape, mqisdp_levels, COUNT(mqisdp_levels));
	}
	return shape_answer(&shape);
}

/* after "AMQP": 0-8, 0-9, 0-9-1, 0-10; 1.0 bare, after TLS, after SASL */
static const char amqp_headers[][4] = {
	{ 1, 1, 8, 0 },
	{ 1, 1, 0, 9 },
	{ 1, 1, 9, 0 },
	{ 0, 0, 9, 1 },
	{ 1, 1, 0, 10 },
	{ 0, 1, 0, 0 },
	{ 2, 1, 0, 0 },
	{ 3, 1, 0, 0 },
};

struct answer
amqp_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	struct shape header;
	struct answer answer, ret = answer_no();
	size_t i;

	shape_text(&shape, "AMQP");
	if (shape_stopped(&shape))
		return shape_answer(&shape);
	for (i = 0; i < COUNT(amqp_headers); i++) {
		header = shape;
		shape_bytes(&header, amqp_headers[i], 4);
		answer = shape_answer(&header);
		if (answer.verdict != ANSWER_NO)
			ret = answer;
	}
	return ret;
}

static const char *const stomp_commands[] = { "CONNECT", "STOMP" };

struct answer
stomp_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_one_of(&shape, stomp_commands, COUNT(stomp_commands));
	shape_eol(&shape);
	return shape_answer(&shape);
}

struct answer
nats_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_text(&shape, "CONNECT {");
	return shape_answer(&shape);
}

#define KAFKA_HEADER 10 /* kind, version, correlation, length of a name */
#define KAFKA_LENGTH_MAX 0xffffff
#define KAFKA_KIND_MAX 127 /* fewer than a hundred are given out */
#define KAFKA_VERSION_MAX 31
#define KAFKA_NAME_MAX 255
#define KAFKA_NO_NAME 0xffff

struct answer
kafka_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	uint32_t length, name;

	length = shape_be(&shape, 4, KAFKA_HEADER, KAFKA_LENGTH_MAX);
	shape_be(&shape, 2, 0, KAFKA_KIND_MAX);
	shape_be(&shape, 2, 0, KAFKA_VERSION_MAX);
	shape_be(&shape, 4, 0, INT32_MAX);
	if (shape_peek(&shape) == 0xff) {
		shape_be(&shape, 2, KAFKA_NO_NAME, KAFKA_NO_NAME);
		return shape_answer(&shape);
	}
	name = shape_be(&shape, 2, 0, KAFKA_NAME_MAX);
	if (name > length - KAFKA_HEADER)
		shape_refuse(&shape);
	shape_field(&shape, byte_is_text, name);
	return shape_answer(&shape);
}
