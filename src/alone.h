/*
 * alone.h - one client in a process of its own.
 *
 * The one idea: this process may crash, be killed or be taken over without
 * anybody else noticing.  It may wait as long as it likes, too.
 */
#ifndef USHER_ALONE_H
#define USHER_ALONE_H

#include "session.h"

/*
 * Peeks, decides, and does what the rules say; logs, gives the slot back and
 * exits.  Signals are as signals_take() left them.
 */
_Noreturn void alone_run(struct session *session);

#endif
