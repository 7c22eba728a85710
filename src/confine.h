/*
 * confine.h - what the rules need the sandbox to leave open, and no more.
 */
#ifndef USHER_CONFINE_H
#define USHER_CONFINE_H

#include <stdatomic.h>
#include <stdint.h>

#include "rules.h"

/*
 * Locks this process and its descendants in (see sandbox.h), but for the
 * ports and the kinds of socket that these rules name and for executing
 * relay_exe (-1: nothing).  What the kernel is too old for is logged, unless
 * *told says that somebody else has done so; from then on it does.
 * Returns 0, or -errno after logging it: then nothing from the network may
 * be read.
 */
int confine(const struct rules *rules, int relay_exe, _Atomic uint32_t *told);

#endif
