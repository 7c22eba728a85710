/* cmd_protocols.c - usher protocols: list what can be recognised. */
#include <stdio.h>

#include "cmd.h"
#include "protocol.h"

int
cmd_protocols(int argc, char **argv)
{
	if (argc > 1)
		return cmd_unexpected(argv, argv[1], "");
	for (size_t i = 0; i < protocols_count; i++)
		printf("%-12s %s\n", protocols[i].name, protocols[i].summary);
	printf("%-12s %s\n", "silent", "nothing came in silence-timeout");
	printf("%-12s %s\n", "any", "something came, whatever it is");
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
