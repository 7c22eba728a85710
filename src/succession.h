/*
 * succession.h - one acceptor after the other.
 *
 * The one idea: the one before goes on until its successor says that it
 * accepts, so that there is no moment without.  One that dies is replaced.
 */
#ifndef USHER_SUCCESSION_H
#define USHER_SUCCESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "complaints.h"
#include "listener.h"

/* Zeroed but for the first part. */
struct succession {
	const struct listener *listeners;
	size_t n;
	bool drop; /* running as root: the acceptor must not */

	_Atomic int32_t acceptor, retiring; /* 0: there is none */
	int64_t since_us, due_us; /* due: 0, or start one then */
	int64_t retire_due_us; /* 0, or tell the old one again then */
	struct complaints complaints;
};

/*
 * Starts an acceptor, which closes the keeper's own end of requests; or
 * complains, and has another try due.
 */
void succession_start(struct succession *succession,
    const struct generation *generation, int requests);

/* The acceptor there is retires once it has a successor, which is to follow. */
void succession_prepare(struct succession *succession);

/* The successor accepts: the one before is told to go. */
void succession_complete(struct succession *succession);

/* Tells the acceptor alone, or both, to go. */
void succession_dismiss(struct succession *succession);
void succession_end(struct succession *succession);

/*
 * A child has ended.  Returns whether it was one of these; if it was the one
 * that accepts, and nobody has told us all to end, another is due.
 */
bool succession_reap(struct succession *succession, pid_t pid, bool ending);

/* What is due by now: see due_us and retire_due_us. */
void succession_keep_time(struct succession *succession,
    const struct generation *generation, int requests);

#endif
