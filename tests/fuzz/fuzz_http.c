/*
 * fuzz_http.c - any bytes as a first HTTP/1 request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hostname.h"
#include "http.h"
#include "stream.h"

static struct span path, host;

static struct answer
ask_path(const uint8_t *bytes, size_t n)
{
	return http_find_path(bytes, n, &path);
}

static struct answer
ask_host(const uint8_t *bytes, size_t n)
{
	return http_find_host(bytes, n, &host);
}

/* The place is within the bytes, and final: the whole stream has it too. */
static void
check_place(
    stream_question *ask, struct span *place, const uint8_t *bytes, size_t n)
{
	size_t step = FUZZ_STEP(n);
	struct span first;
	size_t i;

	stream_check(ask, bytes, n, step);
	for (i = 0; i < n; i += step)
		if (ask(bytes, i).verdict == ANSWER_YES)
			break;
	if (i >= n && ask(bytes, n).verdict != ANSWER_YES)
		return;
	first = *place;
	if (first.len == 0 || first.at + first.len > (i < n ? i : n))
		abort();
	ask(bytes, n);
	if (first.at != place->at || first.len != place->len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct answer recognised =
	    stream_check(http_recognise, bytes, n, FUZZ_STEP(n));
	const uint8_t *text;

	check_place(ask_path, &path, bytes, n);
	check_place(ask_host, &host, bytes, n);
	/* What is not a request has neither; what may be one may have both. */
	if (recognised.verdict != ANSWER_YES &&
	    (ask_path(bytes, n).verdict != recognised.verdict ||
		ask_host(bytes, n).verdict != recognised.verdict))
		abort();
	if (ask_host(bytes, n).verdict != ANSWER_YES)
		return 0;
	text = bytes + host.at;
	if (text[0] != '[' && !hostname_is_usable(text, host.len))
		abort();
	if (memchr(text, '\n', host.len) != NULL || host.len > HOSTNAME_MAX)
		abort();
	return 0;
}
