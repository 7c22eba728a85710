/*
 * fuzz_proxy.c - any bytes as a PROXY header, and what was read written again.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "proxy.h"
#include "stream.h"

static struct proxy_header header;

static struct answer
ask(const uint8_t *bytes, size_t n)
{
	return proxy_parse(bytes, n, &header);
}

/* Written by us and read again it is the same. */
static void
check_round_trip(int version)
{
	const struct proxy_header read = header;
	uint8_t written[PROXY_WRITE_MAX];
	size_t n = proxy_write(
	    version, &read.source, &read.destination, NULL, written);

	if (ask(written, n).verdict != ANSWER_YES || header.len != n ||
	    !header.known || !addr_equal(&header.source, &read.source) ||
	    !addr_equal(&header.destination, &read.destination))
		abort();
	header = read;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct answer answer = stream_check(ask, bytes, n, FUZZ_STEP(n));
	size_t len;

	if (answer.verdict != ANSWER_YES)
		return 0;
	ask(bytes, n);
	len = header.len;
	if (len == 0 || len > n)
		abort();
	/* The header alone is enough, and a byte less is not. */
	if (ask(bytes, len).verdict != ANSWER_YES ||
	    ask(bytes, len - 1).verdict != ANSWER_MORE)
		abort();
	ask(bytes, len);
	if (!header.known)
		return 0;
	check_round_trip(1);
	check_round_trip(2);
	return 0;
}
