/*
 * log.h - where lines go: the journal, syslog, or standard error.
 *
 * The one idea: the target is opened once, by whoever still may open things;
 * everybody after that inherits one descriptor, LOG_FD, and writes each line
 * with one system call.  Nothing here ever fails a caller, or blocks one that
 * has not asked for it.
 *
 * No printf: lines are built with line.h.
 */
#ifndef USHER_LOG_H
#define USHER_LOG_H

#include <stdbool.h>

#include "line.h"
#include "rules.h"
#include "scoreboard.h"

/*
 * MESSAGE_ID of every connection's entry in the journal:
 * "journalctl MESSAGE_ID=..." finds them all.
 */
#define LOG_CONNECTION_ID "f5a12949eff045dfb07ee69d59389306"

/*
 * Who speaks, in the journal and in syslog, whichever program it is: one name
 * to filter by.
 */
#define LOG_IDENTIFIER "usher"

/* What log_open found; small enough to be handed over in an environment. */
enum log_kind {
	LOG_TO_STDERR, /* plain text */
	LOG_TO_STDERR_MARKED, /* "<6>" in front: it is the journal's */
	LOG_TO_JOURNAL, /* native protocol */
	LOG_TO_SYSLOG, /* RFC 3164 */
	LOG_TO_RFC5424, /* to the same socket */
};

#define LOG_KIND_LAST LOG_TO_RFC5424

/*
 * Chooses and opens the target and puts its socket at LOG_FD (handover.h).
 * A target that cannot be had falls back to standard error, said there once.
 * TARGET_AUTO: the journal if standard error is its or systemd started us;
 * else standard error if it is a terminal; else syslog.
 */
void log_open(const char *program, enum rules_log_target target);

/* After exec: the target is kind, its socket is at LOG_FD already. */
void log_adopt(const char *program, enum log_kind kind);
enum log_kind log_kind(void);

/*
 * For a process that has nothing else to do any more, as its connection is
 * over: a journal or syslog daemon that is behind gets up to ms milliseconds
 * to make room for a line, which is thrown away otherwise.
 */
void log_be_patient(int ms);

/* Short: the connection keeps its slot meanwhile, also if nobody reads. */
#define LOG_PATIENCE_MS 100

/*
 * One event; text ends at a newline, if there is one.  priority is syslog's
 * (LOG_ERR ...).  Standard error gets "program: " in front.
 */
void log_event(int priority, const char *text);

/* "text: what errno error (positive) means". */
void log_errno(int priority, const char *text, int error);

/*
 * The line of a connection that has ended, from its record: key=value pairs
 * in fixed order, what is not known left out, and the same as fields for the
 * journal.  With hide_client no client address or port.
 *
 * An error is an end by killed, refused, connect-timeout, limit or error:
 * those are warnings, all others information.  Nothing is said if log is
 * LOG_NONE, or LOG_ERRORS and it is no error.  Errors are rate-limited per
 * service: the first line of the next period says how many were suppressed.
 */
void log_connection(struct scoreboard *board, const struct connection *slot,
    enum rules_log log, bool hide_client);

/* Whether the next error of this service begins a period of lines. */
bool log_is_quiet(
    const struct scoreboard *board, const struct connection *slot);

/*
 * The connection has ended, slot->end says how: its line as above, and the
 * slot is given back.  For the process that serves it.
 */
void log_end(struct scoreboard *board, struct connection *slot,
    enum rules_log log, bool hide_client);

/*
 * The same for a connection whose process is gone, by whoever has claimed its
 * slot.  end and error (an errno or 0) are what is known from outside; if the
 * connection had ended before its process was killed, what it said stays, and
 * a line that it has written is not written again.
 */
void log_lost(struct scoreboard *board, struct connection *slot, enum end end,
    int error, enum rules_log log, bool hide_client);

/* Says so if status (wait(2)) is that of a process the sandbox has killed. */
void log_violation(int status);

/* So many error lines of one service in so many microseconds. */
#define LOG_BURST 10
#define LOG_PERIOD_US 10000000

#endif
