/*
 * protocol_mail.c - recognises the clients of mail and chat that speak lines.
 *
 * Mail servers greet first, and a client that is polite is silent.  These
 * are for those that are not.
 */
#include "protocol_bytes.h"
#include "shape.h"

#define LINE_MAX 512

static const char *const smtp_commands[] = { "EHLO ", "HELO ", "LHLO " };

struct answer
smtp_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_word(&shape, smtp_commands, COUNT(smtp_commands));
	shape_run(&shape, byte_is_graph, 1, LINE_MAX);
	shape_eol(&shape);
	return shape_answer(&shape);
}

#define TAG_MAX 32

/* ASTRING-CHAR but "+": RFC 9051 section 9 */
static bool
is_tag(uint8_t byte)
{
	switch (byte) {
	case '(':
	case ')':
	case '{':
	case '%':
	case '*':
	case '"':
	case '\\':
	case '+':
		return false;
	default:
		return byte_is_graph(byte);
	}
}

static const char *const imap_commands[] = { "CAPABILITY\r", "NOOP\r",
	"LOGOUT\r", "STARTTLS\r", "LOGIN ", "AUTHENTICATE ", "ID (", "ID NIL" };

struct answer
imap_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_run(&shape, is_tag, 1, TAG_MAX);
	shape_byte(&shape, ' ');
	shape_word(&shape, imap_commands, COUNT(imap_commands));
	return shape_answer(&shape);
}

static const char *const pop3_commands[] = { "APOP ", "CAPA\r\n", "CAPA\n",
	"STLS\r\n", "STLS\n" };
#define APOP_DIGEST 32 /* MD5 in hexadecimal */

struct answer
pop3_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	if (shape_word(&shape, pop3_commands, COUNT(pop3_commands)) > 0)
		return shape_answer(&shape);
	shape_run(&shape, byte_is_graph, 1, LINE_MAX);
	shape_byte(&shape, ' ');
	shape_field(&shape, byte_is_hex, APOP_DIGEST);
	return shape_answer(&shape);
}

static bool
is_word(uint8_t byte)
{
	return byte > 0x20 && byte != 0x7f;
}

enum { IRC_STARTTLS, IRC_USER, IRC_NICK, IRC_PASS };

/* "CAP LS" may go on, "CAP REQ" must. */
static const char *const irc_commands[] = { "STARTTLS", "USER ", "NICK ",
	"PASS ", "CAP LS ", "CAP LS\r", "CAP LS\n", "CAP REQ " };

/* USER name mode unused :real name */
static void
irc_user(struct shape *shape)
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		shape_run(shape, is_word, 1, LINE_MAX);
		shape_byte(shape, ' ');
	}
	shape_be(shape, 1, '!', 0xff);
}

struct answer
irc_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	switch (shape_one_of(&shape, irc_commands, COUNT(irc_commands))) {
	case IRC_STARTTLS:
		shape_eol(&shape);
		break;
	case IRC_USER:
		irc_user(&shape);
		break;
	case IRC_NICK:
	case IRC_PASS:
		shape_run(&shape, is_word, 1, LINE_MAX);
		shape_eol(&shape);
		break;
	}
	return shape_answer(&shape);
}
