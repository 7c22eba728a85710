/*
 * session_inner.h - what the two session files share.  For them only.
 */
#ifndef USHER_SESSION_INNER_H
#define USHER_SESSION_INNER_H

#include "session.h"

/* It is over, and this is how. */
enum session_next session_over(struct session *session, enum end end);

/* Has session->local; asked for only where somebody wants to know. */
void session_learn_local(struct session *session);

/* Goes where session->service says, and on after a wait there. */
enum session_next session_go(
    struct session *session, struct await *await, int *backend);
enum session_next session_go_on(
    struct session *session, struct await *await, int *backend);

#endif
