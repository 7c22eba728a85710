/*
 * protocol_xmpp.c - recognises XMPP by the header of its stream.
 *
 * As much of XML as the beginning of one element needs.
 */
#include "protocol_bytes.h"
#include "shape.h"

#define DECLARATION_MAX 128
#define BLANKS_MAX 64
#define NAME_MAX_LEN 64
#define VALUE_MAX 1024
#define ATTRIBUTES_MAX 16

static const char *const namespaces[] = { "jabber:client", "jabber:server",
	"jabber:component:accept", "jabber:component:connect",
	"http://etherx.jabber.org/streams" };

static bool
is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool
is_name(uint8_t byte)
{
	return byte_is_alnum(byte) || byte == '_' || byte == '-' ||
	    byte == '.' || byte >= 0x80;
}

static bool
is_declaration(uint8_t byte)
{
	return is_blank(byte) ||
	    (byte_is_graph(byte) && byte != '?' && byte != '<' && byte != '>');
}

static bool
is_in_quotes(uint8_t byte)
{
	return byte_is_text(byte) && byte != '"' && byte != '<';
}

static bool
is_in_apostrophes(uint8_t byte)
{
	return byte_is_text(byte) && byte != '\'' && byte != '<';
}

/* <?xml version='1.0'?> and blanks */
static void
declaration(struct shape *shape)
{
	shape_text(shape, "?xml");
	shape_run(shape, is_declaration, 1, DECLARATION_MAX);
	shape_text(shape, "?>");
	shape_run(shape, is_blank, 0, BLANKS_MAX);
	shape_byte(shape, '<');
}

/* stream, or prefix:stream */
static void
element(struct shape *shape)
{
	struct shape name = *shape;

	shape_run(shape, is_name, 1, NAME_MAX_LEN);
	if (shape_peek(shape) == ':') {
		shape_byte(shape, ':');
		name = *shape;
		shape_run(shape, is_name, 1, NAME_MAX_LEN);
	}
	if (shape_stopped(shape))
		return;
	shape_text(&name, "stream");
	if (name.wrong || name.cursor.at != shape->cursor.at)
		shape_refuse(shape);
}

/* Is the whole of value, up to before its closing quote, one of ours? */
static bool
is_namespace(struct shape value, size_t length)
{
	size_t end = value.cursor.at + length;

	shape_one_of(&value, namespaces, COUNT(namespaces));
	return shape_answer(&value).verdict == ANSWER_YES &&
	    value.cursor.at == end;
}

/* xmlns or xmlns:prefix */
static bool
is_declaring(struct shape name)
{
	uint8_t next;

	shape_text(&name, "xmlns");
	next = shape_peek(&name);
	return next == ':' || next == '=' || is_blank(next);
}

/* name = 'value'; true if that declares a namespace of XMPP. */
static bool
attribute(struct shape *shape)
{
	struct shape name = *shape, value;
	size_t length;
	uint8_t quote;

	shape_run(shape, is_name, 1, NAME_MAX_LEN);
	if (shape_peek(shape) == ':') {
		shape_byte(shape, ':');
		shape_run(shape, is_name, 1, NAME_MAX_LEN);
	}
	shape_run(shape, is_blank, 0, BLANKS_MAX);
	shape_byte(shape, '=');
	shape_run(shape, is_blank, 0, BLANKS_MAX);
	quote = shape_peek(shape);
	if (quote != '"' && quote != '\'')
		shape_refuse(shape);
	shape_skip(shape, 1);
	value = *shape;
	length = shape_run(shape,
	    quote == '"' ? is_in_quotes : is_in_apostrophes, 0, VALUE_MAX);
	shape_byte(shape, quote);
	if (shape_stopped(shape))
		return false;
	return is_declaring(name) && is_namespace(value, length);
}

struct answer
xmpp_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);
	unsigned i;

	shape_byte(&shape, '<');
	if (shape_peek(&shape) == '?')
		declaration(&shape);
	element(&shape);
	for (i = 0; i < ATTRIBUTES_MAX && !shape_stopped(&shape); i++) {
		shape_run(&shape, is_blank, 1, BLANKS_MAX);
		if (attribute(&shape))
			return answer_yes();
	}
	shape_refuse(&shape);
	return shape_answer(&shape);
}
