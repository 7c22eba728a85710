/*
 * complaints.h - what goes wrong again and again, said now and then.
 *
 * The one idea: the first time is told at once, and the next when a minute is
 * over, with how often it was meanwhile.  Each cause has a minute of its own:
 * two that take turns neither fill the log nor hide one another.
 */
#ifndef USHER_COMPLAINTS_H
#define USHER_COMPLAINTS_H

#include <stdint.h>

/* Causes that are told apart; one more takes the place of the oldest. */
#define COMPLAINTS_MAX 16

#define COMPLAINTS_EVERY_US INT64_C(60000000)

/* Zeroed is empty. */
struct complaints {
	struct complaint {
		const char *what; /* NULL: unused */
		int error;
		int64_t said_us;
		uint64_t left_out; /* since then */
	} list[COMPLAINTS_MAX];
};

/*
 * Logs as an error "what: what errno error (positive) means", or counts it.
 * what is kept.
 */
void complaints_say(struct complaints *complaints, const char *what, int error);

#endif
