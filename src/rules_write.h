/*
 * rules_write.h - the parts of the normal form that rules_write() puts
 * together.
 *
 * The one idea: whatever is written here is read as the same by the readers
 * of rules_parser.h.
 */
#ifndef USHER_RULES_WRITE_H
#define USHER_RULES_WRITE_H

#include <stdint.h>
#include <stdio.h>

#include "rules.h"

/* n bytes as one word, quoted where it must be. */
void put_word(FILE *out, const char *text, size_t n);

/* With a port, or a path; without a port; a network. */
void put_addr(FILE *out, const struct addr *addr);
void put_host(FILE *out, const struct addr *addr);
void put_network(FILE *out, const struct network *network);

void put_duration(FILE *out, int64_t ms);

/* "key = values", on as many lines as it takes. */
void put_condition(FILE *out, const struct condition *condition);

#endif
