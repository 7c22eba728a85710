/* cmd_dump.c - usher dump: print the rules in normal form. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "rules_files.h"

int
cmd_dump(int argc, char **argv)
{
	const char *file;
	struct rules *rules;
	int r = cmd_config(argc, argv, &file);

	if (r != EXIT_DONE)
		return r;
	if (rules_load(file, 0, &rules) < 0)
		return EXIT_FAILED;
	r = rules_write(stdout, rules);
	rules_free(rules);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[0], strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
