/* rules_write_value.c - addresses, words and conditions in normal form. */
#include "rules_write.h"

#include <string.h>

#include "duration.h"
#include "rules_keys.h"

/* Values of one condition are spread over lines of about this many bytes. */
#define LINE_WANTED 1000

/* Room for an address, a network or a duration; not for a path. */
#define SHORT_MAX ADDR_TEXT_MAX

static bool
needs_quotes(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c == 0x7f || c == '"' || c == '\\')
			return true;
	}
	return n == 0 || text[0] == '#' || text[0] == '!';
}

/* Between quotes, as rules_text.h reads it; UTF-8 stays as it is. */
static void
write_quoted(FILE *out, const char *text, size_t n)
{
	putc('"', out);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			fprintf(out, "\\%c",
			    c == '\n'     ? 'n' :
				c == '\r' ? 'r' :
					    't');
		else if (c < ' ' || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

void
put_word(FILE *out, const char *text, size_t n)
{
	if (needs_quotes(text, n))
		write_quoted(out, text, n);
	else
		fwrite(text, 1, n, out);
}

void
put_addr(FILE *out, const struct addr *addr)
{
	char buffer[SHORT_MAX];
	struct line line = LINE(buffer);
	char path[sizeof(addr->path.sun_path) + sizeof("unix:")] = "unix:";
	size_t n = addr->len - offsetof(struct sockaddr_un, sun_path);

	if (addr->any.sa_family != AF_UNIX) {
		addr_write(&line, addr);
		fputs(line.text, out);
		return;
	}
	memcpy(path + 5, addr->path.sun_path, n);
	if (path[5] == '\0')
		path[5] = '@';
	else
		n = strnlen(addr->path.sun_path, n);
	put_word(out, path, 5 + n);
}

void
put_host(FILE *out, const struct addr *addr)
{
	char buffer[SHORT_MAX];
	struct line line = LINE(buffer);

	addr_write_host(&line, addr);
	fputs(line.text, out);
}

void
put_network(FILE *out, const struct network *network)
{
	char buffer[SHORT_MAX];
	struct line line = LINE(buffer);

	network_write(&line, network);
	fputs(line.text, out);
}

void
put_duration(FILE *out, int64_t ms)
{
	char buffer[SHORT_MAX];
	struct line line = LINE(buffer);

	duration_write(&line, ms);
	fputs(line.text, out);
}

/* Whether people would rather read the pattern as text. */
static bool
is_text(const struct payload_pattern *payload)
{
	for (uint32_t i = 0; i < payload->len; i++) {
		uint8_t c = payload->bytes[i];

		if (payload->mask[i] == 0 || c > '~' ||
		    (c < ' ' && c != '\n' && c != '\r' && c != '\t'))
			return false;
	}
	return true;
}

/* ?? where the mask says so. */
static void
write_payload(FILE *out, const struct payload_pattern *payload)
{
	if (payload->offset > 0)
		fprintf(out, "%u:", (unsigned)payload->offset);
	if (is_text(payload)) {
		write_quoted(out, (const char *)payload->bytes, payload->len);
		return;
	}
	for (uint32_t i = 0; i < payload->len; i++) {
		if (payload->mask[i] == 0)
			fputs("??", out);
		else
			fprintf(out, "%02x", payload->bytes[i]);
	}
}

static void
write_protocol(FILE *out, const struct value *value)
{
	static const char *const names[] = {
		[PROTOCOL_SILENT] = "silent",
		[PROTOCOL_ANY] = "any",
	};

	fputs(value->protocol.kind == PROTOCOL_NAMED ?
		value->protocol.protocol->name :
		names[value->protocol.kind],
	    out);
}

static void
write_local(FILE *out, const struct value *value)
{
	struct addr whole = value->local.host;

	if (!value->local.has_host) {
		fprintf(out, ":%u", value->local.port);
	} else if (value->local.port == 0) {
		put_host(out, &whole);
	} else {
		if (whole.any.sa_family == AF_INET)
			whole.v4.sin_port = htons(value->local.port);
		else
			whole.v6.sin6_port = htons(value->local.port);
		put_addr(out, &whole);
	}
}

static void
write_value(FILE *out, enum condition_kind kind, const struct value *value)
{
	if (value->negated)
		putc('!', out);
	switch (kind) {
	case COND_PROTOCOL:
		write_protocol(out, value);
		break;
	case COND_SERVER_NAME:
	case COND_HTTP_HOST:
		if (value->name.suffix)
			putc('*', out);
		fwrite(value->name.text, 1, value->name.len, out);
		break;
	case COND_ALPN:
	case COND_HTTP_PATH:
	case COND_SOCKET:
		put_word(out, value->text.text, value->text.len);
		break;
	case COND_TLS_VERSION:
		fprintf(out, "1.%u", value->tls_version - 0x0301u);
		break;
	case COND_PAYLOAD:
		write_payload(out, &value->payload);
		break;
	case COND_FROM:
		put_network(out, &value->from);
		break;
	case COND_LOCAL:
		write_local(out, value);
		break;
	case COND_KINDS:
		break;
	}
}

/* At most the bytes that write_value writes, roughly. */
static size_t
value_size(enum condition_kind kind, const struct value *value)
{
	switch (kind) {
	case COND_PAYLOAD:
		return 4 * (size_t)value->payload.len;
	case COND_SERVER_NAME:
	case COND_HTTP_HOST:
		return value->name.len;
	case COND_ALPN:
	case COND_HTTP_PATH:
	case COND_SOCKET:
		return 4 * value->text.len;
	default:
		return SHORT_MAX;
	}
}

/* As many lines as it takes: the key may be repeated. */
void
put_condition(FILE *out, const struct condition *condition)
{
	const char *name = key_of_condition(condition->kind)->name;
	size_t used = 0;

	for (size_t i = 0; i < condition->n; i++) {
		const struct value *value = &condition->values[i];
		size_t size = value_size(condition->kind, value);

		if (i == 0 || used + size > LINE_WANTED) {
			fprintf(out, "%s%s =", i > 0 ? "\n" : "", name);
			used = 0;
		}
		putc(' ', out);
		write_value(out, condition->kind, value);
		used += size;
	}
	putc('\n', out);
}
