/*
 * cmd.h - what usher can be told to do, one function per verb.
 *
 * The one idea: a verb is a small program.  It gets argv with its own name
 * as argv[0], begins with optind at 1, and returns an exit status: EXIT_DONE,
 * EXIT_FAILED, or EXIT_USAGE after cmd_usage() has said what is wrong.
 */
#ifndef USHER_CMD_H
#define USHER_CMD_H

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

int cmd_check(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_protocols(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_status(int argc, char **argv);

/*
 * Says on standard error how the verb argv[0] is used, after getopt_long()
 * has complained.  Returns EXIT_USAGE.
 */
int cmd_usage(char **argv);

#endif
