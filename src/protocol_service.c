/*
 * protocol_service.c - recognises the services that a network has.
 */
#include "protocol_bytes.h"
#include "shape.h"

/* unbind (of clients that think better of it), bind, search, extended */
static const char *const ldap_operations[] = { "\x42", "\x60", "\x63", "\x77" };
#define LDAP_LENGTH_MIN 5 /* a message number and an empty operation */
#define LDAP_LENGTH_MAX 0xffffff

/* BER: one byte below 0x80, or 0x80 and how many bytes follow. */
static uint32_t
ber_length(struct shape *shape)
{
	uint32_t first = shape_be(shape, 1, LDAP_LENGTH_MIN, 0x84);

	if (first < 0x80)
		return first;
	if (first == 0x80)
		shape_refuse(shape);
	return shape_be(shape, first & 7, LDAP_LENGTH_MIN, LDAP_LENGTH_MAX);
}

struct answer
ldap_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	uint32_t size;

	shape_byte(&shape, 0x30);
	ber_length(&shape);
	shape_byte(&shape, 2);
	size = shape_be(&shape, 1, 1, 4);
	shape_be(&shape, size, 1, INT32_MAX);
	shape_one_of(&shape, ldap_operations, COUNT(ldap_operations));
	return shape_answer(&shape);
}

#define SMB1_MIN 35 /* header, count of words, count of bytes */
#define SMB2_MIN 100 /* header, negotiate without a dialect */
#define SMB_LENGTH_MAX 0xffff

/* A name in the first-level encoding: a nibble a letter, from A. */
static bool
is_nibble(uint8_t byte)
{
	return byte >= 'A' && byte <= 'P';
}

/* 0x81, no flags, the length of two names, the called one first. */
static struct answer
netbios(struct shape *shape)
{
	shape_bytes(shape, "\x81\0\0\x44\x20", 5);
	shape_field(shape, is_nibble, 32);
	return shape_answer(shape);
}

struct answer
smb_recognise(const uint8_t *bytes, size_t n)
{
	static const char *const headers[] = { "\xffSMB\x72", "\xfeSMB\x40" };
	static const uint32_t least[] = { SMB1_MIN, SMB2_MIN };
	struct shape shape = shape_over(bytes, n);
	uint32_t length;
	size_t version;

	if (shape_peek(&shape) == 0x81)
		return netbios(&shape);
	length = shape_be(&shape, 4, SMB1_MIN, SMB_LENGTH_MAX);
	version = shape_one_of(&shape, headers, COUNT(headers));
	if (length < least[version])
		shape_refuse(&shape);
	return shape_answer(&shape);
}

#define SYSLOG_COUNT_MAX 999999
#define SYSLOG_PRIORITY_MAX 191

struct answer
syslog_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	if (shape_peek(&shape) != '<') {
		shape_decimal(&shape, 1, SYSLOG_COUNT_MAX);
		shape_byte(&shape, ' ');
	}
	shape_byte(&shape, '<');
	shape_decimal(&shape, 0, SYSLOG_PRIORITY_MAX);
	shape_byte(&shape, '>');
	return shape_answer(&shape);
}

struct answer
zabbix_recognise(const uint8_t *bytes, size_t n)
{
	/* a protocol, and perhaps compressed (2) or large (4) */
	static const char *const flags[] = { "\x01", "\x03", "\x05", "\x07" };
	struct shape shape = shape_over(bytes, n);

	shape_text(&shape, "ZBXD");
	shape_one_of(&shape, flags, COUNT(flags));
	return shape_answer(&shape);
}

struct answer
rsync_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_text(&shape, "@RSYNCD:");
	return shape_answer(&shape);
}

static const char *const git_services[] = { "git-upload-pack /",
	"git-receive-pack /", "git-upload-archive /" };

struct answer
git_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_field(&shape, byte_is_hex, 4);
	shape_one_of(&shape, git_services, COUNT(git_services));
	return shape_answer(&shape);
}
