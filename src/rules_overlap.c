/* rules_overlap.c - values against values; see rules_overlap.h. */
#include "rules_overlap.h"

#include <string.h>

static bool
protocol_covers(const struct value *a, const struct value *b)
{
	if (a->protocol.kind == PROTOCOL_ANY)
		return b->protocol.kind != PROTOCOL_SILENT;
	if (a->protocol.kind != b->protocol.kind)
		return false;
	return a->protocol.kind == PROTOCOL_SILENT ||
	    a->protocol.protocol == b->protocol.protocol;
}

static bool
ends_with(const struct name_pattern *name, const struct name_pattern *end)
{
	return name->len >= end->len &&
	    memcmp(name->text + name->len - end->len, end->text, end->len) == 0;
}

static bool
name_covers(const struct name_pattern *a, const struct name_pattern *b)
{
	if (a->any || b->any)
		return a->any;
	if (a->suffix)
		return ends_with(b, a) && (b->suffix || b->len > a->len);
	return !b->suffix && a->len == b->len && ends_with(b, a);
}

static bool
text_equal(const struct value *a, const struct value *b)
{
	return a->text.len == b->text.len &&
	    memcmp(a->text.text, b->text.text, a->text.len) == 0;
}

static bool
prefix_covers(const struct value *a, const struct value *b)
{
	return a->text.len <= b->text.len &&
	    memcmp(a->text.text, b->text.text, a->text.len) == 0;
}

/* The byte that the pattern wants at, or -1 where any will do. */
static int
byte_at(const struct payload_pattern *pattern, uint32_t at)
{
	if (at < pattern->offset || at - pattern->offset >= pattern->len ||
	    pattern->mask[at - pattern->offset] == 0)
		return -1;
	return pattern->bytes[at - pattern->offset];
}

static bool
payload_covers(const struct payload_pattern *a, const struct payload_pattern *b)
{
	if (b->offset + b->len < a->offset + a->len)
		return false;
	for (uint32_t at = a->offset; at < a->offset + a->len; at++)
		if (byte_at(a, at) >= 0 && byte_at(a, at) != byte_at(b, at))
			return false;
	return true;
}

static bool
payload_apart(const struct payload_pattern *a, const struct payload_pattern *b)
{
	for (uint32_t at = a->offset; at < a->offset + a->len; at++)
		if (byte_at(a, at) >= 0 && byte_at(b, at) >= 0 &&
		    byte_at(a, at) != byte_at(b, at))
			return true;
	return false;
}

static bool
network_covers(const struct network *a, const struct network *b)
{
	unsigned whole = a->bits / 8, rest = a->bits % 8;

	if (a->v4 != b->v4 || a->bits > b->bits ||
	    memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	    (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

static bool
local_covers(const struct value *a, const struct value *b)
{
	if (a->local.has_host &&
	    (!b->local.has_host || !addr_equal(&a->local.host, &b->local.host)))
		return false;
	return a->local.port == 0 || a->local.port == b->local.port;
}

static bool
local_apart(const struct value *a, const struct value *b)
{
	if (a->local.has_host && b->local.has_host &&
	    !addr_equal(&a->local.host, &b->local.host))
		return true;
	return a->local.port != 0 && b->local.port != 0 &&
	    a->local.port != b->local.port;
}

bool
value_covers(
    enum condition_kind kind, const struct value *a, const struct value *b)
{
	switch (kind) {
	case COND_PROTOCOL:
		return protocol_covers(a, b);
	case COND_SERVER_NAME:
	case COND_HTTP_HOST:
		return name_covers(&a->name, &b->name);
	case COND_ALPN:
	case COND_SOCKET:
		return text_equal(a, b);
	case COND_TLS_VERSION:
		return a->tls_version == b->tls_version;
	case COND_HTTP_PATH:
		return prefix_covers(a, b);
	case COND_PAYLOAD:
		return payload_covers(&a->payload, &b->payload);
	case COND_FROM:
		return network_covers(&a->from, &b->from);
	case COND_LOCAL:
		return local_covers(a, b);
	case COND_KINDS:
		break;
	}
	return false;
}

bool
value_apart(
    enum condition_kind kind, const struct value *a, const struct value *b)
{
	switch (kind) {
	case COND_PROTOCOL:
		/* Two protocols may well say yes to the same bytes. */
		return (a->protocol.kind == PROTOCOL_SILENT) !=
		    (b->protocol.kind == PROTOCOL_SILENT);
	case COND_ALPN:
		/* A client offers several. */
		return false;
	case COND_PAYLOAD:
		return payload_apart(&a->payload, &b->payload);
	case COND_LOCAL:
		return local_apart(a, b);
	case COND_SERVER_NAME:
	case COND_HTTP_HOST:
	case COND_TLS_VERSION:
	case COND_HTTP_PATH:
	case COND_FROM:
	case COND_SOCKET:
		return !value_covers(kind, a, b) && !value_covers(kind, b, a);
	case COND_KINDS:
		break;
	}
	return false;
}
