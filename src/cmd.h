/*
 * cmd.h - what usher can be told to do, one function per verb.
 *
 * The one idea: a verb is a small program.  It gets argv with its own name
 * as argv[0] ("usher check"), for messages, begins with optind at 1, and
 * returns an exit status: EXIT_DONE, EXIT_FAILED, or EXIT_USAGE after
 * cmd_usage() has said how it is used.
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

/*
 * The same after complaining about a word too many; instead is the rest of
 * that sentence, or empty.
 */
int cmd_unexpected(char **argv, const char *word, const char *instead);

/*
 * For verbs whose only option is -c, --config FILE.  Returns EXIT_DONE with
 * the file, or NULL if none was given, in *ret_file; or EXIT_USAGE.
 */
int cmd_config(int argc, char **argv, const char **ret_file);

#endif
