/*
 * generation.h - rules in force, with all that is worked out of them once.
 *
 * The one idea: whatever a connection needs of its rules is ready before the
 * first one comes; a reload makes another of these, and takes it as a whole.
 */
#ifndef USHER_GENERATION_H
#define USHER_GENERATION_H

#include "session.h"

/*
 * rules, which are its own on success, over board; it says where there is no
 * room to count a service apart.  relay_exe is a descriptor, or -1.  NULL
 * without memory.
 */
struct generation *generation_new(
    struct scoreboard *board, int relay_exe, struct rules *rules);

/* NULL is fine. */
void generation_free(struct generation *generation);

#endif
