/*
 * protocol_database.c - recognises the clients of databases.
 */
#include "protocol_bytes.h"
#include "shape.h"

/* The codes that are not versions have 1234 in the upper half. */
#define POSTGRES_CANCEL 0x04d2162e
#define POSTGRES_SSL 0x04d2162f
#define POSTGRES_GSSENC 0x04d21630
#define POSTGRES_V3 0x00030000
#define POSTGRES_V3_LAST 0x0003ffff
#define POSTGRES_LENGTH_MAX 10000

/* "user", "database", "_pq_.option" ... */
static bool
is_parameter(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || byte == '_';
}

struct answer
postgres_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	uint32_t length;

	length = shape_be(&shape, 4, 8, POSTGRES_LENGTH_MAX);
	if (length == 8) {
		shape_be(&shape, 4, POSTGRES_SSL, POSTGRES_GSSENC);
	} else if (shape_peek(&shape) != 0) {
		shape_be(&shape, 4, POSTGRES_CANCEL, POSTGRES_CANCEL);
		/* the process and a key, of 4 bytes up to protocol 3.0 */
		if (length < 16 || length > 12 + 256)
			shape_refuse(&shape);
	} else {
		shape_be(&shape, 4, POSTGRES_V3, POSTGRES_V3_LAST);
		shape_run(&shape, is_parameter, 1, 64);
	}
	return shape_answer(&shape);
}

struct answer
mysql_recognise(const uint8_t *bytes, size_t n)
{
	(void)bytes;
	(void)n;
	return answer_no();
}

/* The least is OP_MSG: header 16, flags 4, kind 1, empty document 5. */
#define MONGODB_LENGTH_MIN 26
static const char *const mongodb_opcodes[] = {
	"\xd4\x07", /* OP_QUERY */
	"\xdd\x07", /* OP_MSG */
};

struct answer
mongodb_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_le16(&shape, MONGODB_LENGTH_MIN, 0xffff);
	shape_be(&shape, 2, 0, 0);
	shape_skip(&shape, 4);
	shape_be(&shape, 4, 0, 0);
	shape_one_of(&shape, mongodb_opcodes, COUNT(mongodb_opcodes));
	shape_be(&shape, 2, 0, 0);
	return shape_answer(&shape);
}

#define TDS_PRELOGIN 0x12
#define TDS_LOGIN7 0x10
#define TDS_HEADER 8
#define TDS_VERSION 6 /* bytes of the option VERSION */
#define TDS_LOGIN7_MIN (TDS_HEADER + 86)
#define TDS_LENGTH_MAX 4096

/* The option VERSION, which is first: 0, where it is, how long it is. */
static void
prelogin(struct shape *shape, uint32_t length)
{
	shape_byte(shape, 0);
	shape_be(shape, 2, 5 + 1, length - TDS_HEADER - TDS_VERSION);
	shape_be(shape, 2, TDS_VERSION, TDS_VERSION);
}

/* le32 length, le32 version 7.0 to 7.4 */
static void
login7(struct shape *shape, uint32_t length)
{
	shape_le16(shape, length - TDS_HEADER, length - TDS_HEADER);
	shape_be(shape, 2, 0, 0);
	shape_skip(shape, 3);
	shape_be(shape, 1, 0x70, 0x74);
}

struct answer
mssql_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	bool is_login = shape_peek(&shape) == TDS_LOGIN7;
	uint32_t length;

	shape_byte(&shape, is_login ? TDS_LOGIN7 : TDS_PRELOGIN);
	shape_byte(&shape, 1);
	length = shape_be(&shape, 2,
	    is_login ? TDS_LOGIN7_MIN : TDS_HEADER + 5 + 1 + TDS_VERSION,
	    TDS_LENGTH_MAX);
	shape_be(&shape, 2, 0, 0);
	shape_skip(&shape, 1);
	shape_byte(&shape, 0);
	if (is_login)
		login7(&shape, length);
	else
		prelogin(&shape, length);
	return shape_answer(&shape);
}

#define CQL_STARTUP 1
#define CQL_OPTIONS 5
/* A map of one, CQL_VERSION with three numbers of one digit. */
#define CQL_STARTUP_MIN 22
#define CQL_STARTUP_MAX 4096

static const char *const cql_versions[] = { "\x01", "\x02", "\x03", "\x04",
	"\x05", "\x41", "\x42" };

struct answer
cassandra_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	size_t version;

	version = shape_one_of(&shape, cql_versions, COUNT(cql_versions));
	shape_byte(&shape, 0);
	shape_skip(&shape, version < 2 ? 1 : 2);
	switch (shape_be(&shape, 1, CQL_STARTUP, CQL_OPTIONS)) {
	case CQL_STARTUP:
		shape_be(&shape, 4, CQL_STARTUP_MIN, CQL_STARTUP_MAX);
		break;
	case CQL_OPTIONS:
		shape_be(&shape, 4, 0, 0);
		break;
	default:
		shape_refuse(&shape);
	}
	return shape_answer(&shape);
}

struct answer
redis_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_byte(&shape, '*');
	shape_decimal(&shape, 1, 1024 * 1024);
	shape_text(&shape, "\r\n$");
	shape_be(&shape, 1, '0', '9');
	return shape_answer(&shape);
}
