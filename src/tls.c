#include "tls.h"

#include <string.h>

#include "hostname.h"
#include "records.h"

enum {
	HANDSHAKE_CLIENT_HELLO = 1,
	HANDSHAKE_HEADER = 4,
	RANDOM_SIZE = 32,
	SESSION_ID_MAX = 32,
	/* After a session id: a length and a cipher, a length and a zero. */
	AFTER_SESSION_ID_MIN = 2 + 2 + 1 + 1,
	HELLO_MIN = 2 + RANDOM_SIZE + 1 + AFTER_SESSION_ID_MIN,
	EXTENSION_HEADER = 4,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ALPN = 16,
	EXTENSION_VERSIONS = 43,
	NAME_HEADER = 3,
	NAME_TYPE_HOST = 0,
};

/* What a hello says, as far as it has been read. */
struct draft {
	uint16_t version;
	uint16_t offered; /* highest of supported_versions */
	bool seen_name, seen_alpn, seen_versions;
	struct records name; /* at the first host name's bytes */
	size_t name_size; /* 0: there is none */
	struct tls_alpn alpn;
	unsigned n_alpn;
};

/* Keep the host name, whose bytes are all there, if it is usable. */
static void
keep_name(struct draft *draft, struct tls_hello *ret)
{
	size_t size = draft->name_size;
	size_t i;

	for (i = 0; i < size; i++)
		ret->name[i] = (char)records_u8(&draft->name);
	ret->has_name = hostname_is_usable((const uint8_t *)ret->name, size);
	ret->name_len = ret->has_name ? size : 0;
	ret->name[ret->name_len] = '\0';
}

/*
 * One entry of the list of names, left bytes of which are still to be read;
 * returns how many are left after it.  There should be one host name at most;
 * of several the first counts.
 */
static size_t
read_name(struct records *records, size_t left, struct draft *draft)
{
	bool host = records_u8(records) == NAME_TYPE_HOST;
	size_t max = left - NAME_HEADER;
	size_t size;

	if (host && max > HOSTNAME_MAX)
		max = HOSTNAME_MAX;
	size = records_length(records, 2, max);
	records_require(records, !host || size > 0);
	left -= NAME_HEADER + size;
	records_require(records, left == 0 || left >= NAME_HEADER);
	if (host && draft->name_size == 0 && size <= HOSTNAME_MAX) {
		draft->name = *records;
		draft->name_size = size;
	}
	records_skip(records, size);
	return left;
}

/* RFC 6066 section 3. */
static void
read_names(struct records *records, size_t size, struct draft *draft)
{
	size_t left;

	records_require(records, !draft->seen_name && size >= 2 + NAME_HEADER);
	if (records_stopped(records))
		return;
	draft->seen_name = true;
	left = size - 2;
	records_expect(records, left);
	while (left > 0 && !records_stopped(records))
		left = read_name(records, left, draft);
}

/*
 * RFC 7301 section 3.1.  An empty entry is an error there, but clients that
 * send one are TLS clients none the less.
 */
static void
read_alpn(struct records *records, size_t size, struct draft *draft)
{
	size_t left;

	records_require(records, !draft->seen_alpn && size >= 2);
	if (records_stopped(records))
		return;
	draft->seen_alpn = true;
	left = size - 2;
	records_expect(records, left);
	draft->alpn =
	    (struct tls_alpn){ records->raw.at, records->record, left };
	while (left > 0 && !records_stopped(records)) {
		size = records_length(records, 1, left - 1);
		left -= 1 + size;
		records_skip(records, size);
		if (size > 0)
			draft->n_alpn++;
	}
}

/* RFC 8446 section 4.2.1; drafts and GREASE values are passed over. */
static void
read_versions(struct records *records, size_t size, struct draft *draft)
{
	struct records list;

	records_require(
	    records, !draft->seen_versions && size >= 3 && size % 2 == 1);
	if (records_stopped(records))
		return;
	draft->seen_versions = true;
	size--;
	records_require(records, records_u8(records) == size);
	list = *records;
	records_skip(records, size);
	if (records_stopped(records))
		return;
	for (; size >= 2; size -= 2) {
		uint8_t major = records_u8(&list);
		uint8_t minor = records_u8(&list);

		if (major == TLS_MAJOR_VERSION && minor <= 4 &&
		    draft->offered <= (major << 8 | minor))
			draft->offered = (uint16_t)(major << 8 | minor);
	}
}

static void
read_extension(struct records *records, struct draft *draft)
{
	size_t type = records_length(records, 2, UINT16_MAX);
	size_t left, size;

	if (records_stopped(records))
		return;
	left = records->message - 2;
	size = records_length(records, 2, left);
	left -= size;
	records_require(records, left == 0 || left >= EXTENSION_HEADER);
	if (records_stopped(records))
		return;
	if (type == EXTENSION_SERVER_NAME)
		read_names(records, size, draft);
	else if (type == EXTENSION_ALPN)
		read_alpn(records, size, draft);
	else if (type == EXTENSION_VERSIONS)
		read_versions(records, size, draft);
	else
		records_skip(records, size);
}

/* They fill the rest of the hello to its last byte. */
static void
read_extensions(struct records *records, struct draft *draft)
{
	if (records_stopped(records) || records->message == 0)
		return;
	records_expect(records, records->message - 2);
	records_require(records,
	    records->message == 0 || records->message >= EXTENSION_HEADER);
	while (records->message > 0 && !records_stopped(records))
		read_extension(records, draft);
}

/* Session id, ciphers, compression: each leaves room for what must follow. */
static void
read_lists(struct records *records)
{
	size_t max = records->message - 1 - AFTER_SESSION_ID_MIN;
	size_t size;

	if (max > SESSION_ID_MAX)
		max = SESSION_ID_MAX;
	records_skip(records, records_length(records, 1, max));
	if (records_stopped(records))
		return;
	size = records_length(records, 2, records->message - 2 - 1 - 1);
	records_require(records, size >= 2 && size % 2 == 0);
	records_skip(records, size);
	if (records_stopped(records))
		return;
	size = records_length(records, 1, records->message - 1);
	records_require(records, size >= 1 && size + 1 != records->message);
	records_skip(records, size);
}

/*
 * RFC 8446 section 4.1.2.  Without supported_versions no server goes above
 * TLS 1.2, whatever the old field says (section 4.2.1).
 */
static void
read_hello(struct records *records, struct draft *draft)
{
	uint8_t minor;

	records_require(records, records_u8(records) == HANDSHAKE_CLIENT_HELLO);
	records->message = records_length(records, 3, RECORDS_MAX - 1);
	records_require(records, records->message >= HELLO_MIN);
	records_require_budget(records);
	records_require(records, records_u8(records) == TLS_MAJOR_VERSION);
	minor = records_u8(records);
	draft->version = (uint16_t)(0x0300 + (minor < 3 ? minor : 3));
	records_skip(records, RANDOM_SIZE);
	if (records_stopped(records))
		return;
	read_lists(records);
	read_extensions(records, draft);
	if (draft->offered != 0)
		draft->version = draft->offered;
}

static struct answer
read_all(const uint8_t *bytes, size_t n, struct draft *ret)
{
	struct records records = { cursor_over(bytes, n), 0, HANDSHAKE_HEADER,
		false };

	*ret = (struct draft){ .name = records };
	read_hello(&records, ret);
	if (records.bad)
		return answer_no();
	if (cursor_is_short(&records.raw))
		return cursor_more(&records.raw);
	return answer_yes();
}

struct answer
tls_parse(const uint8_t *bytes, size_t n, struct tls_hello *ret)
{
	struct draft draft;
	struct answer answer = read_all(bytes, n, &draft);

	if (answer.verdict != ANSWER_YES)
		return answer;
	ret->version = draft.version;
	ret->n_alpn = draft.n_alpn;
	ret->alpn = draft.alpn;
	keep_name(&draft, ret);
	return answer;
}

struct answer
tls_recognise(const uint8_t *bytes, size_t n)
{
	struct draft draft;

	return read_all(bytes, n, &draft);
}

bool
tls_alpn_next(const uint8_t *bytes, size_t n, struct tls_alpn *alpn,
    struct tls_alpn_name *ret)
{
	struct records records = { cursor_over(bytes, n), alpn->record,
		alpn->left, false };
	uint8_t size = 0;
	size_t i;

	if (alpn->at > n)
		return false;
	records.raw.at = alpn->at;
	while (size == 0 && records.message > 0 && !records_stopped(&records))
		size =
		    (uint8_t)records_length(&records, 1, records.message - 1);
	for (i = 0; i < size; i++)
		ret->text[i] = (char)records_u8(&records);
	if (size == 0 || records_stopped(&records))
		return false;
	ret->text[size] = '\0';
	ret->len = size;
	*alpn = (struct tls_alpn){ records.raw.at, records.record,
		records.message };
	return true;
}

bool
tls_offers_alpn(const uint8_t *bytes, size_t n, const struct tls_hello *hello,
    const char *name, size_t len)
{
	struct tls_alpn list = hello->alpn;
	struct tls_alpn_name offered;

	while (tls_alpn_next(bytes, n, &list, &offered))
		if (offered.len == len && memcmp(offered.text, name, len) == 0)
			return true;
	return false;
}
