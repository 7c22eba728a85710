/* cmd_check.c - usher check: find every mistake in the rules. */
#include <stdio.h>

#include "cmd.h"
#include "rules_files.h"

int
cmd_check(int argc, char **argv)
{
	const char *file;
	struct rules *rules;
	int r = cmd_config(argc, argv, &file);

	if (r != EXIT_DONE)
		return r;
	r = rules_load(file, RULES_LOOK, &rules);
	if (r < 0)
		return EXIT_FAILED;
	if (file == NULL)
		file = r > 0 ? "built-in rules" : USHER_RULES_PATH;
	printf("%s: OK, %zu service%s\n", file, rules->n_services,
	    rules->n_services == 1 ? "" : "s");
	rules_free(rules);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
