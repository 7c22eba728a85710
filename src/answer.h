/*
 * answer.h - yes, no, or more: the three things a question about the first
 * bytes of a stream can be answered with.
 *
 * The one idea: an answer is a function of a prefix.  ANSWER_YES and
 * ANSWER_NO are final, whatever follows; ANSWER_MORE says that the bytes so
 * far decide nothing, and how many there must be before that can change.  So
 * an answer never depends on how the network cut the stream into pieces.
 */
#ifndef USHER_ANSWER_H
#define USHER_ANSWER_H

#include <stddef.h>

enum verdict {
	ANSWER_NO,
	ANSWER_YES,
	ANSWER_MORE,
};

/*
 * need: with ANSWER_MORE, the least total number of bytes, counted from the
 * start of the stream, with which the answer may differ; always more than
 * there were.  0 with the other two.
 */
struct answer {
	enum verdict verdict;
	size_t need;
};

static inline struct answer
answer_no(void)
{
	return (struct answer){ ANSWER_NO, 0 };
}

static inline struct answer
answer_yes(void)
{
	return (struct answer){ ANSWER_YES, 0 };
}

static inline struct answer
answer_more(size_t need)
{
	return (struct answer){ ANSWER_MORE, need };
}

#endif
