/* cmd_check.c - usher check: find every mistake in the rules. */
#include <getopt.h>
#include <stdio.h>

#include "cmd.h"
#include "rules_files.h"

int
cmd_check(int argc, char **argv)
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
