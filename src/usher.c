/*
 * usher.c - the program that people and units call: finds the verb and runs
 * it.  Everything shown here comes from the rows of one table.
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fd.h"
#include "suggest.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *options;
	const char *help;
};

static const struct verb verbs[] = {
	{ "serve", cmd_serve, "[-c FILE] [--listen ADDR:PORT]...",
	    "share the ports between the services" },
	{ "check", cmd_check, "[-c FILE]", "find every mistake in the rules" },
	{ "dump", cmd_dump, "[-c FILE] [--need file | any]",
	    "print the rules in normal form" },
	{ "explain", cmd_explain,
	    "[-c FILE] [--from ADDR] [--local ADDR:PORT] [--socket NAME]\n"
	    "       [--json] [--save FILE] [--listen ADDR:PORT | BYTES-FILE | -]",
	    "say where a client's first bytes lead" },
	{ "status", cmd_status, "[-d DIRECTORY] [--json | --prometheus]",
	    "list connections and totals" },
	{ "protocols", cmd_protocols, "", "list what can be recognised" },
};

#define USHER "usher " /* before a verb */
#define VERB_MAX 16 /* bytes of its name */
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *
find(const char *name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static void
print_help(FILE *out)
{
	fputs("usage: usher VERB [OPTION]...\n\n", out);
	for (size_t i = 0; i < VERBS; i++)
		fprintf(out, "  %-10s  %s\n", verbs[i].name, verbs[i].help);
	fputs(
	    "\nusher VERB --help lists a verb's options; see usher(8).\n", out);
}

static void
print_usage(FILE *out, const struct verb *verb)
{
	fprintf(out, "usage: usher %s%s%s\n", verb->name,
	    *verb->options ? " " : "", verb->options);
}

int
cmd_usage(char **argv)
{
	print_usage(stderr, find(argv[0] + strlen(USHER)));
	return EXIT_USAGE;
}

static int
refuse_verb(const char *name)
{
	struct suggestion best = { NULL, 0 };

	for (size_t i = 0; i < VERBS; i++)
		suggest_offer(&best, name, strlen(name), verbs[i].name);
	fprintf(stderr, "usher: unknown verb \"%s\"", name);
	if (suggest_likely(&best, strlen(name)))
		fprintf(stderr, ", did you mean \"%s\"?", best.name);
	fputc('\n', stderr);
	print_help(stderr);
	return EXIT_USAGE;
}

/* The verb as argv[0] in full: getopt_long() puts it before its messages. */
static int
run(const struct verb *verb, int argc, char **argv)
{
	char name[sizeof(USHER) + VERB_MAX];

	(void)snprintf(name, sizeof(name), USHER "%s", verb->name);
	argv[0] = name;
	return verb->run(argc, argv);
}

/* --help and --version, of usher or of a verb. */
static int
print_about(const struct verb *verb, const char *option)
{
	if (strcmp(option, "--version") == 0)
		puts("usher " PACKAGE_VERSION);
	else if (verb == NULL)
		print_help(stdout);
	else {
		print_usage(stdout, verb);
		printf("%s\n", verb->help);
	}
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int
is_about(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
	    strcmp(word, "--version") == 0;
}

int
main(int argc, char **argv)
{
	const struct verb *verb;
	int r = fd_sanitise_standard();

	/* Or a socket could land there, and messages be sent to a client. */
	if (r < 0) {
		fprintf(
		    stderr, "usher: cannot open /dev/null: %s\n", strerror(-r));
		return EXIT_FAILED;
	}
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (is_about(argv[1]))
		return print_about(NULL, argv[1]);
	verb = find(argv[1]);
	if (verb == NULL)
		return refuse_verb(argv[1]);
	if (argc == 3 && is_about(argv[2]))
		return print_about(verb, argv[2]);
	return run(verb, argc - 1, argv + 1);
}
