/* rules_lint.c - what is wrong between services. */
#include "rules_parser.h"

void
lint_services(struct parser *parser)
{
	(void)parser;
}
