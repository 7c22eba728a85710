/*
 * process.h - making processes, at the least cost.
 */
#ifndef USHER_PROCESS_H
#define USHER_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * fork() without what the C library does around it; nothing here has threads
 * or atfork handlers.  The kernel has written the child's pid to *pid_at,
 * which may be shared memory, before the child runs.  Returns as fork(), but
 * -errno on failure: -EAGAIN at a limit, -ENOMEM.
 */
pid_t process_fork(_Atomic int32_t *pid_at);

/*
 * Zeroed memory, of which a page exists once it is used, and which children
 * do not inherit: there is nothing of it to copy at a fork.  NULL without.
 */
void *process_memory(size_t size);

/*
 * Gives up root for good: supplementary groups, group, user, and verifies
 * that there is no way back.  With keep_net_raw CAP_NET_RAW stays, if it was
 * there, until the next exec.  0 or -errno; -EPERM if it did not take.
 */
int process_drop(uid_t uid, gid_t gid, bool keep_net_raw);

#endif
