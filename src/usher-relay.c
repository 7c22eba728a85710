/*
 * usher-relay.c - carries connections that have shown that they stay.
 *
 * One connection: the process that accepted it has become this one: same PID,
 * same place in the scoreboard, and the same relay goes on where it was.
 * Many: a worker has started this one, and hands them over as they come.
 * See handover.h for what is found where.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include "handover.h"
#include "lean.h"
#include "log.h"
#include "many.h"
#include "relay.h"
#include "sandbox.h"
#include "scoreboard.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usher-relay: usherd runs this for every connection that stays; it is of\n"
    "no use by hand.  Its arguments tell ps(1) the service, client and "
    "backend.\n"
    "See usher-relay(8).\n";

static struct handover handover;
static struct relay relay;
static struct scoreboard board;
static struct connection unlisted; /* a record where there is no scoreboard */

static volatile int stop;

static void
ask_to_stop(int number)
{
	(void)number;
	stop = 1;
}

/* SIGTERM came blocked; these stay so but for the waits. */
static void
catch_signal(int number)
{
	struct sigaction action = { .sa_handler = ask_to_stop };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, number);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(number, &action, NULL);
}

/* The connection's record; it can be carried without one. */
static struct connection *
find_record(void)
{
	int r = scoreboard_map(&board, BOARD_FD);

	if (r == 0)
		return scoreboard_slot(&board, handover.slot);
	log_errno(LOG_ERR, "cannot map the scoreboard", -r);
	return &unlisted;
}

static void
put_on_record(struct connection *record, enum end end)
{
	record->end = (uint8_t)end;
	if (record == &unlisted)
		return;
	log_end(&board, record, handover.log, handover.hide_client);
}

/* Without it the wider cage that we were born in still holds. */
static void
tighten(bool many)
{
	int r = sandbox_relay(many);

	if (r < 0)
		log_errno(LOG_WARNING, "cannot tighten the sandbox", -r);
}

static void
carry(void)
{
	struct connection *record;
	enum end end;

	lean_forget_data();
	clock_tick();
	record = find_record();
	if (!handover.caged)
		tighten(false);
	handover_adopt(&relay, &handover, record);
	lean_trim();
	end = relay_run(&relay, &stop);
	relay_finish(&relay, end);
	log_be_patient(LOG_PATIENCE_MS);
	put_on_record(record, end);
}

static void
tighten_many(void)
{
	tighten(true);
}

/* Without a scoreboard nothing can be taken over: the worker carries on. */
static int
carry_many(enum log_kind kind)
{
	int r;

	catch_signal(SIGTERM);
	catch_signal(SIGINT);
	(void)signal(SIGPIPE, SIG_IGN);
	log_adopt("usher-relay", kind);
	clock_by_vdso(); /* for many: its pages do not count */
	r = scoreboard_map(&board, BOARD_FD);
	if (r < 0) {
		log_errno(LOG_ERR, "cannot map the scoreboard", -r);
		return EXIT_FAILURE;
	}
	return many_run(&board, &stop, tighten_many);
}

int
main(int argc, char **argv)
{
	const char *state = getenv(RELAY_STATE_ENV);
	enum log_kind kind;

	/* After execveat() the kernel's name for us is the descriptor's. */
	(void)prctl(PR_SET_NAME, "usher-relay");
	/* As usherd ends, for the same reasons. */
	if (handover_is_many(&kind) > 0)
		_exit(carry_many(kind));

	if (state == NULL || handover_decode(state, &handover) < 0) {
		(void)!write(STDERR_FILENO, usage, sizeof(usage) - 1);
		return EXIT_USAGE;
	}
	catch_signal(SIGTERM);
	log_adopt("usher-relay", handover.log_kind);
	lean_begin(argc, argv);
	lean_drop_vdso();
	lean_run(carry);
}
