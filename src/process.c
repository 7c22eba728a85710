#include "process.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t
process_fork(_Atomic int32_t *pid_at)
{
	long r =
	    syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, pid_at, 0, 0);

	return r < 0 ? -errno : (pid_t)r;
}

void *
process_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	(void)madvise(at, size, MADV_DONTFORK);
	return at;
}

/* Of what was kept across setresuid(): one, and in force again. */
static int
keep_only_net_raw(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	data[0].permitted &= UINT32_C(1) << CAP_NET_RAW;
	data[0].effective = data[0].permitted;
	data[1].permitted = data[1].effective = 0;
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	return 0;
}

int
process_drop(uid_t uid, gid_t gid, bool keep_net_raw)
{
	int r = 0;

	/* Root keeps all of them anyway. */
	keep_net_raw = keep_net_raw && uid != 0;
	if (keep_net_raw && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return -errno;
	if (keep_net_raw)
		r = keep_only_net_raw();
	if (r < 0)
		return r;
	if (keep_net_raw && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return -errno;
	if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return -EPERM;
	if (getuid() != uid || geteuid() != uid || getgid() != gid ||
	    getegid() != gid)
		return -EPERM;
	return 0;
}
