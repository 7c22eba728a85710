/*
 * cmd.c - what the verbs have in common; cmd_usage() is in usher.c, with the
 * table of verbs.
 */
#include "cmd.h"

#include <getopt.h>
#include <stdio.h>

int
cmd_unexpected(char **argv, const char *word, const char *instead)
{
	fprintf(stderr, "%s: unexpected \"%s\"%s\n", argv[0], word, instead);
	return cmd_usage(argv);
}

int
cmd_config(int argc, char **argv, const char **ret_file)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*ret_file = NULL;
	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option != 'c')
			return cmd_usage(argv);
		*ret_file = optarg;
	}
	if (optind < argc)
		return cmd_unexpected(
		    argv, argv[optind], ", a file is named by -c FILE");
	return EXIT_DONE;
}
