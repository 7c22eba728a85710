/*
 * log_inner.h - what the two log files share.  For them only.
 */
#ifndef USHER_LOG_INNER_H
#define USHER_LOG_INNER_H

#include "line.h"

/* Longest datagram or line; shorter than what a pipe takes in one piece. */
#define LOG_TEXT_MAX 2048

/*
 * Sends one line, with prefix in front on standard error.  fields are those of
 * a connection, "NAME=value" lines for the journal; NULL: it is of something
 * else.
 */
void log_send(int priority, const char *prefix, const char *text,
    const struct line *fields);

#endif
