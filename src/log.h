/*
 * log.h - where lines go: the journal, syslog, or standard error.
 *
 * The one idea: the target is opened once, by whoever still may open things;
 * everybody after that inherits one descriptor, LOG_FD, and writes each line
 * with one system call.  Nothing here ever blocks or fails a caller.
 *
 * No printf: lines are built with line.h.
 */
#ifndef USHER_LOG_H
#define USHER_LOG_H

#include <stdbool.h>

#include "line.h"
#include "rules.h"
#include "scoreboard.h"

/* What log_open found; small enough to be handed over in an environment. */
enum log_kind {
	LOG_TO_STDERR, /* plain text */
	LOG_TO_STDERR_MARKED, /* "<6>" in front: it is the journal's */
	LOG_TO_JOURNAL, /* native protocol */
	LOG_TO_SYSLOG, /* RFC 3164 */
};

/*
 * Chooses and opens the target and puts its socket at LOG_FD (handover.h).
 * A target that cannot be had falls back to standard error, said there once.
 */
void log_open(const char *program, enum rules_log_target target);

/* After exec: the target is kind, its socket is at LOG_FD already. */
void log_adopt(const char *program, enum log_kind kind);
enum log_kind log_kind(void);

/*
 * One event, without a newline.  priority is syslog's (LOG_ERR ...).
 */
void log_event(int priority, const char *text);

/* "text: what errno error (positive) means". */
void log_errno(int priority, const char *text, int error);

/*
 * The line of a connection that has ended, from its record.  Says nothing
 * if log is LOG_NONE, or LOG_ERRORS and it ended as connections do.  Lines
 * with an error are rate-limited per service, with a count of those left
 * out in the next one.
 */
void log_connection(struct scoreboard *board, const struct connection *slot,
    enum rules_log log, bool hide_client);

#endif
