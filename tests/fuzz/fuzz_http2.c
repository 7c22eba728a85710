/*
 * fuzz_http2.c - any bytes as what comes after the preface of HTTP/2, and as
 * one header block, cut at any place.
 *
 * With FUZZ_NGHTTP2 also nghttp2 decodes that block: it has to find the same
 * host and the same path, or the same fault.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef FUZZ_NGHTTP2
#include <nghttp2/nghttp2.h>
#endif

#include "fuzz.h"
#include "hostname.h"
#include "hpack.h"
#include "http2.h"
#include "stream.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"

enum { START = sizeof(PREFACE) - 1, BLOCK_MAX = 8192, FRAME_HEADER = 9 };

static struct http2_request found;

static struct answer
ask(const uint8_t *bytes, size_t n)
{
	return http2_find(bytes, n, &found);
}

static void
check_request(void)
{
	const uint8_t *host = (const uint8_t *)found.host;

	if (found.host_len > HOSTNAME_MAX ||
	    strlen(found.host) != found.host_len ||
	    found.has_host != (found.host_len > 0))
		abort();
	if (found.has_host && host[0] != '[' &&
	    !hostname_is_usable(host, found.host_len))
		abort();
	if (found.path_len > HTTP2_PATH_MAX ||
	    (found.has_path && strlen(found.path) != found.path_len))
		abort();
}

static void
check_table(const struct hpack *hpack)
{
	uint32_t size = 0;
	unsigned i;

	for (i = 0; i < hpack->entries; i++)
		size +=
		    hpack->table[(hpack->newest + i) % HPACK_ENTRIES_MAX].size;
	if (size != hpack->table_size || size > hpack->table_max)
		abort();
}

static size_t
put_frame(uint8_t *to, int type, int flags, const uint8_t *block, size_t n)
{
	const uint8_t header[FRAME_HEADER] = { 0, (uint8_t)(n >> 8), (uint8_t)n,
		(uint8_t)type, (uint8_t)flags, 0, 0, 0, 1 };

	memcpy(to, header, sizeof(header));
	memcpy(to + sizeof(header), block, n);
	return sizeof(header) + n;
}

#ifdef FUZZ_NGHTTP2
/* The first value of a field. */
struct value {
	bool there;
	size_t len;
	uint8_t text[HPACK_PATH_MAX];
};

static void
note(const nghttp2_nv *field, const char *name, struct value *ret)
{
	size_t len = field->valuelen;

	if (ret->there || field->namelen != strlen(name) ||
	    memcmp(field->name, name, field->namelen) != 0)
		return;
	ret->there = true;
	ret->len = len;
	memcpy(ret->text, field->value,
	    len < sizeof(ret->text) ? len : sizeof(ret->text));
}

/* Whether nghttp2 can decode the block, and what it finds. */
static bool
decode(const uint8_t *block, size_t n, struct value *authority,
    struct value *host, struct value *path)
{
	nghttp2_hd_inflater *inflater;
	nghttp2_nv field;
	int flags = 0;
	ssize_t used = 0;

	if (nghttp2_hd_inflate_new(&inflater) != 0)
		abort();
	while (used >= 0 && (flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
		flags = 0;
		used = nghttp2_hd_inflate_hd2(
		    inflater, &field, &flags, block, n, 1);
		if (used < 0)
			break;
		block += used;
		n -= (size_t)used;
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0)
			continue;
		note(&field, ":authority", authority);
		note(&field, "host", host);
		note(&field, ":path", path);
	}
	nghttp2_hd_inflate_del(inflater);
	return used >= 0;
}

static void
compare(const struct value *value, bool there, const uint8_t *text, size_t len,
    size_t max)
{
	if (there != value->there || (there && len != value->len) ||
	    (there && memcmp(text, value->text, len < max ? len : max) != 0))
		abort();
}

/* hpack has been fed with all of the block, or refused it. */
static void
check_reference(
    const struct hpack *hpack, bool good, const uint8_t *block, size_t n)
{
	struct value authority = { 0 }, host = { 0 }, path = { 0 };

	if (decode(block, n, &authority, &host, &path) != good)
		abort();
	if (!good || hpack->malformed)
		return;
	compare(authority.there ? &authority : &host,
	    hpack->has_authority || hpack->has_host, hpack->host,
	    hpack->host_len, HPACK_HOST_MAX);
	compare(&path, hpack->has_path, hpack->path, hpack->path_len,
	    HPACK_PATH_MAX);
}
#endif

/* The same header block in one frame, and in two. */
static void
check_block(const uint8_t *block, size_t n)
{
	static uint8_t bytes[START + BLOCK_MAX + 4 * FRAME_HEADER] =
	    PREFACE SETTINGS;
	size_t size = START + FRAME_HEADER, cut = n > 0 ? block[0] % n : 0;
	struct http2_request first = { 0 };
	struct answer one, two;
	struct hpack hpack;
	size_t i;

	hpack_begin(&hpack);
	for (i = 0; i < n && hpack_feed(&hpack, block[i]); i++)
		check_table(&hpack);
#ifdef FUZZ_NGHTTP2
	check_reference(&hpack, i == n && hpack_may_end(&hpack), block, n);
#endif
	size += put_frame(bytes + size, 1, 4, block, n);
	one = stream_check(ask, bytes, size, FUZZ_STEP(size));
	if (one.verdict == ANSWER_YES) {
		check_request();
		first = found;
	}
	size = START + FRAME_HEADER;
	size += put_frame(bytes + size, 1, 0, block, cut);
	size += put_frame(bytes + size, 9, 4, block + cut, n - cut);
	two = ask(bytes, size);
	if (one.verdict != two.verdict || one.verdict == ANSWER_MORE)
		abort();
	if (one.verdict == ANSWER_YES &&
	    memcmp(&first, &found, sizeof(found)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static uint8_t stream[START + BLOCK_MAX] = PREFACE;

	stream_check(http2_recognise, bytes, n, FUZZ_STEP(n));
	if (stream_check(ask, bytes, n, FUZZ_STEP(n)).verdict == ANSWER_YES)
		check_request();
	if (n == 0 || n > BLOCK_MAX)
		return 0;
	memcpy(stream + START, bytes, n);
	if (stream_check(ask, stream, START + n, FUZZ_STEP(n)).verdict ==
	    ANSWER_YES)
		check_request();
	check_block(bytes, n);
	return 0;
}
