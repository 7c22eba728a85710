#include "process.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t
process_fork(_Atomic int32_t *pid_at)
{
	long r =
	    syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, pid_at, 0, 0);

	return r < 0 ? -errno : (pid_t)r;
}

int
process_drop(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return -errno;
	if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return -EPERM;
	if (getuid() != uid || geteuid() != uid || getgid() != gid ||
	    getegid() != gid)
		return -EPERM;
	return 0;
}
