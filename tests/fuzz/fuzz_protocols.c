/*
 * fuzz_protocols.c - any bytes as anything that is told by a few of them.
 */
#include "fuzz.h"
#include "protocol.h"
#include "stream.h"

/* No rule looks further than this, but those of TLS and HTTP. */
#define LOOKED_AT 8192

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const struct protocol *first = NULL;
	struct answer answer;
	size_t i;

	if (n > LOOKED_AT)
		n = LOOKED_AT;
	for (i = 0; i < protocols_count; i++) {
		answer = stream_check(
		    protocols[i].recognise, bytes, n, FUZZ_STEP(n));
		if (answer.verdict == ANSWER_YES && first == NULL)
			first = &protocols[i];
		if (answer.verdict != ANSWER_NO && protocols[i].server_first)
			stream_fail("a client of it is silent", n);
	}
	if (protocol_of(bytes, n) != first)
		stream_fail("another is found first", n);
	return 0;
}
