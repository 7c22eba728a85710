/* rules_condition.c - the values of conditions; see rules_parser.h. */
#include "rules_parser.h"

#include <errno.h>
#include <string.h>

#include "byte.h"
#include "suggest.h"

#define NAME_MAX_BYTES 253 /* RFC 1035, section 2.3.4, as text */
#define LABEL_MAX_BYTES 63
#define ALPN_MAX_BYTES 255 /* RFC 7301, section 3.1 */

static int
refuse_protocol(struct parser *parser, const struct word *word)
{
	struct suggestion best = { NULL, 0 };

	for (size_t i = 0; i < protocols_count; i++)
		suggest_offer(&best, word->text, word->len, protocols[i].name);
	suggest_offer(&best, word->text, word->len, "any");
	suggest_offer(&best, word->text, word->len, "silent");
	return COMPLAIN(parser, word->at, "unknown protocol ",
	    QUOTE_WORD(parser, *word),
	    suggest_likely(&best, word->len) ? ", did you mean \"" :
					       ", the nearest is \"",
	    best.name == NULL ? "any" : best.name,
	    "\"? usher protocols lists them");
}

static int
read_protocol(struct parser *parser, const struct word *word, struct value *ret)
{
	const struct protocol *found = NULL;

	ret->protocol.kind = PROTOCOL_NAMED;
	if (word_is(word, "any"))
		ret->protocol.kind = PROTOCOL_ANY;
	else if (word_is(word, "silent"))
		ret->protocol.kind = PROTOCOL_SILENT;
	if (ret->protocol.kind != PROTOCOL_NAMED)
		return 0;
	for (size_t i = 0; i < protocols_count && found == NULL; i++)
		if (word_is(word, protocols[i].name))
			found = &protocols[i];
	if (found == NULL)
		return refuse_protocol(parser, word);
	if (found->server_first)
		return COMPLAIN(parser, word->at, "in ",
		    QUOTE_WORD(parser, *word),
		    " the server speaks first, so "
		    "its clients send nothing: write \"silent\"");
	ret->protocol.protocol = found;
	return 0;
}

/* What is wrong with a host name in lower case, or NULL. */
static const char *
name_fault(const char *text, size_t n)
{
	size_t label = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if ((unsigned char)c >= 0x80)
			return "is not ASCII, write it as clients send it: "
			       "xn--...";
		if (c == '*')
			return "has a * inside, expected NAME, *.DOMAIN or *";
		if (c == '/' || (c == ':' && i + 1 < n && text[i + 1] == '/'))
			return "looks like a URL, expected only the name";
		if (c == ':')
			return "has a colon, expected a name without a port";
		if (c == '.' && label == 0)
			return "has an empty label";
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX_BYTES)
			return "has a label of more than 63 bytes";
		if (c != '.' && c != '-' && c != '_' &&
		    !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z'))
			return "has a byte that no host name has";
	}
	return n > NAME_MAX_BYTES ? "has more than 253 bytes" : NULL;
}

static void
lower(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text[i] = (char)byte_lower((uint8_t)text[i]);
}

static bool
is_address(const char *text, size_t n)
{
	struct addr ignored;

	return addr_parse_host(text, n, &ignored) == 0;
}

static const char *
pattern_fault(const char *text, size_t n, enum condition_kind kind)
{
	/* [2001:db8::1], which only the Host of a request can be */
	if (kind == COND_HTTP_HOST && text[0] == '[' && is_address(text, n))
		return NULL;
	if (n == 2 && text[0] == '*')
		return "has no domain, expected *.DOMAIN, or * for any name";
	if (n > 2 && text[0] == '*' && text[1] == '.')
		return name_fault(text + 2, n - 2);
	if (text[0] == '.')
		return "begins with a dot, expected *.DOMAIN";
	return name_fault(text, n);
}

static int
read_name(struct parser *parser, const struct word *word,
    enum condition_kind kind, struct value *ret)
{
	const char *copy, *fault;
	char *text;
	size_t n;
	int r = read_string(parser, word, &copy);

	if (r < 0)
		return r;
	text = (char *)copy;
	n = word->len;
	lower(text, n);
	if (n > 1 && text[n - 1] == '.' && text[n - 2] != '*')
		text[--n] = '\0';
	ret->name.any = n == 1 && text[0] == '*';
	fault = ret->name.any ? NULL : pattern_fault(text, n, kind);
	if (fault != NULL)
		return COMPLAIN(
		    parser, word->at, QUOTE_WORD(parser, *word), " ", fault);
	ret->name.suffix = n > 1 && text[0] == '*';
	if (ret->name.suffix) {
		text++;
		n--;
	}
	ret->name.text = text;
	ret->name.len = (uint8_t)n;
	if (kind == COND_SERVER_NAME && is_address(text, n))
		WARN(parser, word->at,
		    "clients send no address as their "
		    "server name, use local for the one they reached");
	return 0;
}

static int
read_alpn(struct parser *parser, const struct word *word, struct value *ret)
{
	ret->text.len = word->len;
	if (word->len > ALPN_MAX_BYTES)
		return COMPLAIN(
		    parser, word->at, "an ALPN name has at most 255 bytes");
	return read_string(parser, word, &ret->text.text);
}

static int
read_tls_version(
    struct parser *parser, const struct word *word, struct value *ret)
{
	if (word->len != 3 || word->text[0] != '1' || word->text[1] != '.' ||
	    word->text[2] < '0' || word->text[2] > '3')
		return COMPLAIN(parser, word->at, "unknown version ",
		    QUOTE_WORD(parser, *word),
		    ", expected 1.0, 1.1, 1.2 or 1.3");
	ret->tls_version = (uint16_t)(0x0301 + word->text[2] - '0');
	return 0;
}

static int
read_http_path(
    struct parser *parser, const struct word *word, struct value *ret)
{
	if (word->len > 0 && word->text[0] != '/')
		return COMPLAIN(parser, word->at, QUOTE_WORD(parser, *word),
		    " is no path, expected one that begins with /");
	ret->text.len = word->len;
	return read_string(parser, word, &ret->text.text);
}

static int
read_socket(struct parser *parser, const struct word *word, struct value *ret)
{
	if (memchr(word->text, ':', word->len) != NULL)
		return COMPLAIN(parser, word->at, QUOTE_WORD(parser, *word),
		    " is no socket's name, use local for an address or port");
	ret->text.len = word->len;
	return read_string(parser, word, &ret->text.text);
}

static int
explain_local(struct parser *parser, const struct word *word)
{
	bool digits = word->len > 0;

	for (size_t i = 0; i < word->len; i++)
		digits = digits && byte_is_digit((uint8_t)word->text[i]);
	if (digits)
		return COMPLAIN(parser, word->at, QUOTE_WORD(parser, *word),
		    " is no address, write a port as :", NUMBER(parser, 443));
	return COMPLAIN(parser, word->at, QUOTE_WORD(parser, *word),
	    " is no address or port, expected one such as 192.0.2.1, :443, "
	    "192.0.2.1:443 or [2001:db8::1]:443");
}

static int
read_local(struct parser *parser, const struct word *word, struct value *ret)
{
	char whole[64] = "0.0.0.0";
	struct addr addr;
	size_t zero = strlen(whole);

	if (addr_parse_host(word->text, word->len, &ret->local.host) == 0) {
		ret->local.has_host = true;
		return 0;
	}
	/* A port alone is that of any address. */
	if (word->len > 0 && word->text[0] == ':' && word->len < 7) {
		memcpy(whole + zero, word->text, word->len);
		if (addr_parse(whole, zero + word->len, false, &addr) < 0)
			return explain_local(parser, word);
		ret->local.port = addr_port(&addr);
		return 0;
	}
	if (addr_parse(word->text, word->len, false, &addr) < 0 ||
	    addr.any.sa_family == AF_UNIX)
		return explain_local(parser, word);
	ret->local.has_host = true;
	ret->local.port = addr_port(&addr);
	ret->local.host = addr;
	if (addr.any.sa_family == AF_INET)
		ret->local.host.v4.sin_port = 0;
	else
		ret->local.host.v6.sin6_port = 0;
	return 0;
}

static int
read_one(struct parser *parser, enum condition_kind kind,
    const struct word *word, struct value *ret)
{
	switch (kind) {
	case COND_PROTOCOL:
		return read_protocol(parser, word, ret);
	case COND_SERVER_NAME:
	case COND_HTTP_HOST:
		return read_name(parser, word, kind, ret);
	case COND_ALPN:
		return read_alpn(parser, word, ret);
	case COND_TLS_VERSION:
		return read_tls_version(parser, word, ret);
	case COND_HTTP_PATH:
		return read_http_path(parser, word, ret);
	case COND_PAYLOAD:
		return read_payload(parser, word, &ret->payload);
	case COND_FROM:
		return read_network(parser, word, &ret->from);
	case COND_LOCAL:
		return read_local(parser, word, ret);
	case COND_SOCKET:
		return read_socket(parser, word, ret);
	case COND_KINDS:
		break;
	}
	return -EINVAL;
}

/* Takes a ! off the word. */
static int
read_value(struct parser *parser, enum condition_kind kind, struct word word,
    struct value *ret)
{
	ret->negated = word.at[0] == '!';
	if (!ret->negated)
		return read_one(parser, kind, &word, ret);
	if (word.len == 1)
		return COMPLAIN(parser, word.at,
		    "\"!\" stands right before the value it excludes");
	word.text++;
	word.len--;
	if (kind == COND_PAYLOAD) {
		word.at++;
		word.span--;
	}
	return read_one(parser, kind, &word, ret);
}

/* The condition of this kind in the section that is read, made if need be. */
static struct condition *
condition_for(struct parser *parser, enum condition_kind kind)
{
	struct service *service = &parser->now->service;

	for (size_t i = 0; i < service->n_conditions; i++)
		if (service->conditions[i].kind == kind)
			return &service->conditions[i];
	if (service->conditions == NULL)
		service->conditions = arena_alloc(
		    parser->scratch, COND_KINDS * sizeof(*service->conditions));
	if (service->conditions == NULL)
		return NULL;
	service->conditions[service->n_conditions].kind = kind;
	return &service->conditions[service->n_conditions++];
}

/* Room for more values and for where they stand. */
static int
make_room(struct parser *parser, struct condition *condition, size_t more)
{
	struct place **places = &parser->now->value_at[condition->kind];
	size_t *room = &parser->now->value_room[condition->kind];
	size_t n = condition->n, size = sizeof(*condition->values);
	size_t wanted = n + more > 2 * n ? n + more : 2 * n;
	struct value *values;
	struct place *grown;

	if (n + more <= *room)
		return 0;
	values = arena_grow(
	    parser->scratch, condition->values, n * size, wanted * size);
	grown = arena_grow(parser->scratch, *places, n * sizeof(*grown),
	    wanted * sizeof(*grown));
	if (values == NULL || grown == NULL)
		return -ENOMEM;
	condition->values = values;
	*places = grown;
	*room = wanted;
	return 0;
}

int
read_condition(struct parser *parser, const struct key *key, struct words value)
{
	enum condition_kind kind = (enum condition_kind)key->at;
	struct condition *condition = condition_for(parser, kind);
	struct word word;
	int r, next, one;

	if (condition == NULL)
		return -ENOMEM;
	r = make_room(parser, condition, words_count(value));
	if (r < 0)
		return r;
	while ((next = words_next(&value, parser->scratch, &word)) > 0) {
		one = read_value(
		    parser, kind, word, &condition->values[condition->n]);
		if (one < 0) {
			r = one;
			continue;
		}
		parser->now->value_at[kind][condition->n++] =
		    parser_place(parser, word.at);
	}
	return next < 0 ? next : r;
}
