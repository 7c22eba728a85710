/* cmd_dump.c - usher dump: print the rules in normal form. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "rules_files.h"

int
cmd_dump(int argc, char **argv)
{
	static const struct option none[] = { { NULL, 0, NULL, 0 } };
	const char *file = NULL;
	struct rules *rules;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:", none, NULL)) != -1) {
		if (c != 'c')
			return cmd_usage(argv);
		file = optarg;
	}
	if (optind < argc)
		return cmd_usage(argv);
	if (rules_load(file, 0, &rules) < 0)
		return EXIT_FAILED;
	r = rules_write(stdout, rules);
	rules_free(rules);
	if (r < 0)
		fprintf(stderr, "usher dump: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
