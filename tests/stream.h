/*
 * stream.h - what must hold for everything that answers questions about the
 * first bytes of a stream, whatever the bytes.
 *
 * Needs nothing but libc, so that fuzzers can use it too: it aborts.
 */
#ifndef TESTS_STREAM_H
#define TESTS_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

typedef struct answer stream_question(const uint8_t *bytes, size_t n);

static inline void
stream_fail(const char *what, size_t n)
{
	fprintf(stderr, "prefix of %zu bytes: %s\n", n, what);
	abort();
}

/* Ask in a copy that ends where an over-read is noticed by a sanitizer. */
static inline struct answer
stream_ask(stream_question *question, const uint8_t *bytes, size_t n)
{
	uint8_t *copy = malloc(n);
	struct answer answer;

	if (n > 0 && copy == NULL)
		stream_fail("out of memory", n);
	if (n > 0)
		memcpy(copy, bytes, n);
	answer = question(copy, n);
	free(copy);
	return answer;
}

/*
 * Ask for every step-th prefix: yes and no are final, more says truly how many
 * bytes it needs.  Returns the answer to the whole.
 */
static inline struct answer
stream_check(
    stream_question *question, const uint8_t *bytes, size_t n, size_t step)
{
	struct answer before = answer_more(0), now = before;
	size_t i;

	for (i = 0; i <= n; i = i < n && n - i < step ? n : i + step) {
		now = stream_ask(question, bytes, i);
		if (before.verdict != ANSWER_MORE &&
		    now.verdict != before.verdict)
			stream_fail("takes its answer back", i);
		if (now.verdict == ANSWER_MORE && now.need <= i)
			stream_fail("needs what it has", i);
		if (now.verdict != ANSWER_MORE && i < before.need)
			stream_fail("needed less than it said", i);
		if (now.verdict == ANSWER_MORE && now.need < before.need)
			now.need = before.need;
		before = now;
	}
	return now;
}

#endif
