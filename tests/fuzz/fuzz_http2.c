/*
 * fuzz_http2.c - any bytes as what comes after the preface of HTTP/2, and as
 * one header block, cut at any place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
