/* cmd_dump.c - usher dump: print the rules in normal form. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "rules_files.h"

/* What --need asks for; also handed to usherd by usher serve. */
static const struct {
	const char *word;
	int flag;
} needs[] = {
	{ "file", RULES_NEED_FILE },
	{ "any", RULES_NEED_ANY },
};

static int
find_need(const char *word)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (strcmp(needs[i].word, word) == 0)
			return needs[i].flag;
	return 0;
}

static int
parse_options(int argc, char **argv, const char **ret_file, int *ret_flags)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "need", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == 'c')
			*ret_file = optarg;
		else if (option == 'n')
			*ret_flags |= find_need(optarg);
		if (option == '?' || (option == 'n' && find_need(optarg) == 0))
			return cmd_usage(argv);
	}
	if (optind < argc)
		return cmd_unexpected(
		    argv, argv[optind], ", a file is named by -c FILE");
	return EXIT_DONE;
}

int
cmd_dump(int argc, char **argv)
{
	const char *file = NULL;
	struct rules *rules;
	int flags = 0;
	int r = parse_options(argc, argv, &file, &flags);

	if (r != EXIT_DONE)
		return r;
	if (rules_load(file, flags, &rules) < 0)
		return EXIT_FAILED;
	r = rules_write(stdout, rules);
	rules_free(rules);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[0], strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
