/*
 * cmd_missing.c - stands in for verbs that are not written yet.
 */
#include <stdio.h>

#include "cmd.h"

#define MISSING(verb)                                                    \
	__attribute__((weak)) int verb(int argc, char **argv)            \
	{                                                                \
		(void)argc;                                              \
		fprintf(stderr, "usher %s: not written yet\n", argv[0]); \
		return EXIT_FAILED;                                      \
	}

MISSING(cmd_explain)
MISSING(cmd_serve)
MISSING(cmd_status)
