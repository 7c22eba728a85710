/*
 * rules_look.h - whether what rules speak of is there on this machine.
 *
 * Only "usher check" asks: what is missing now may be there when it is
 * needed, so the answers are warnings.
 */
#ifndef USHER_RULES_LOOK_H
#define USHER_RULES_LOOK_H

#include "rules.h"

/* For struct mistakes. */
rules_look look_at_system;

#endif
