/*
 * keeper.h - the process that stays: sockets, scoreboard, generations.
 *
 * The one idea: it never touches a byte from the network, so it may do what
 * nobody after it may: run "usher dump" for new rules, start the programs of
 * "exec" services, replace a dead acceptor.
 */
#ifndef USHER_KEEPER_H
#define USHER_KEEPER_H

#include "listener.h"
#include "rules.h"
#include "scoreboard.h"

struct keeper_options {
	struct rules *rules; /* the keeper's from then on */
	const struct listener *listeners;
	size_t n;
	struct scoreboard *board;
	int relay_exe; /* or -1 */
	const char *dump_path; /* usher's file; NULL: no reload */
	char **dump_argv;
	char *config; /* where the rules are from; NULL: as by default */
	bool drop_acceptor; /* running as root: the acceptor must not */
	int64_t watchdog_us; /* as systemd asks; 0: none */
	bool notify; /* somebody listens: see notify_open() */
	int64_t exit_idle_ms; /* if the rules say off; RULES_OFF: never */
};

/* Runs until SIGTERM or the idle limit.  Returns the exit status. */
int keeper_run(const struct keeper_options *options);

#endif
