/*
 * sandbox_lists.c - the system calls of both cages, one table each.
 *
 * A call that is missing here kills the process that makes it.  Arguments are
 * looked at where a call can do more than we need it for.
 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox_inner.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* clang-format off */

#define CALL(name)		{ SYS_##name, WHEN_ALWAYS, { { 0 } } }
#define CALL_IF(name, ...)	{ SYS_##name, WHEN_ALWAYS, { __VA_ARGS__ } }
#define CALL_WHEN(when, name)	{ SYS_##name, when, { { 0 } } }
#define CALL_WHEN_IF(when, name, ...)	{ SYS_##name, when, { __VA_ARGS__ } }

/* Argument n is, is not, or has none of, value. */
#define IS(n, value)	  { n, false, UINT32_MAX, (uint32_t)(value) }
#define NOT(n, value)	  { n, true, UINT32_MAX, (uint32_t)(value) }
#define NONE_OF(n, bits)  { n, false, (uint32_t)(bits), 0 }
/* Argument n, but for the bits of but, is value. */
#define IS_BUT(n, but, value) \
	{ n, false, ~(uint32_t)(but), (uint32_t)(value) }

/*
 * Not what is the same for every process of ours: whoever shut it, or led it
 * elsewhere, would do so for all.  Under other numbers it is not to be had.
 */
#define NOT_SHARED \
	NOT(0, SANDBOX_LOG_FD), NOT(0, SANDBOX_KEEPER_FD)

#ifdef SYS_poll
#define POLL_ROW CALL(poll),
#else
#define POLL_ROW
#endif
#ifdef SYS_arch_prctl
#define ARCH_ROW CALL(arch_prctl),
#else
#define ARCH_ROW
#endif

/* A relay, between its exec and its first byte. */
#define START_ROWS \
	ARCH_ROW \
	CALL(set_tid_address), \
	CALL(fstat), \
	CALL_IF(prctl, IS(0, PR_SET_NAME)), \
	CALL_IF(prctl, IS(0, PR_SET_MM))

/*
 * Every process of ours: bytes, waiting, memory, signals, time, the end.
 * MSG_FASTOPEN is a connect() that Landlock does not see.
 */
#define COMMON_ROWS \
	POLL_ROW \
	CALL_IF(sendto, NONE_OF(3, MSG_FASTOPEN)), \
	CALL_IF(sendmsg, NONE_OF(2, MSG_FASTOPEN)), \
	CALL(read), CALL(write), CALL(writev), CALL(close), CALL(recvfrom), \
	CALL(splice), CALL(pipe2), \
	CALL_IF(shutdown, NOT_SHARED), \
	CALL_IF(fcntl, IS(1, F_SETPIPE_SZ)), \
	CALL_IF(fcntl, IS(1, F_GETPIPE_SZ)), \
	CALL_IF(getsockopt, IS(1, SOL_SOCKET), IS(2, SO_ERROR)), \
	CALL_IF(getsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_INFO)), \
	CALL_IF(setsockopt, IS(1, SOL_SOCKET), IS(2, SO_LINGER)), \
	CALL(ppoll), CALL(restart_syscall), CALL(clock_gettime), \
	CALL(munmap), CALL(madvise), CALL(getpid), CALL(rt_sigprocmask), \
	CALL(rt_sigaction), CALL(rt_sigreturn), CALL(exit), \
	CALL(exit_group)

/* Those that wait for many. */
#define EPOLL_ROWS(when) \
	CALL_WHEN(when, epoll_ctl), \
	CALL_WHEN(when, epoll_pwait)

/* clang-format on */

#define NEW_SOCKET (SOCK_NONBLOCK | SOCK_CLOEXEC)
#define NEW_PROCESS \
	(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
#define SIGN_BIT 0x80000000u

#define COUNT(rows) (sizeof(rows) / sizeof(struct row))
#define N_COMMON COUNT(((const struct row[]){ COMMON_ROWS }))

static const struct row acceptor_rows[] = {
	COMMON_ROWS,

	/* The acceptor. */
	CALL(accept4),
	CALL(accept), /* musl's second try when accept4 says EINVAL */
	CALL_IF(clone, IS_BUT(0, NEW_PROCESS, SIGCHLD)),
#ifdef SYS_fork
	CALL(fork),
#endif
	CALL(gettid), /* what musl's fork() does next */
	CALL(wait4),
	CALL(getppid),
	EPOLL_ROWS(WHEN_ALWAYS), /* for who is silent, or for all */
	/*
	 * Not -1, everybody, nor 0, the group, in which the keeper is; the list
	 * spares the keeper itself and the acceptor.
	 */
	CALL_WHEN_IF(
	    WHEN_ALONE, kill, NONE_OF(0, SIGN_BIT), NOT(0, 0), IS(1, SIGTERM)),
	CALL_IF(fallocate, IS(1, 0)),
	CALL_IF(prctl, IS(0, PR_SET_PDEATHSIG)),
	CALL_IF(mmap, NONE_OF(2, PROT_EXEC)),
	CALL_IF(mprotect, NONE_OF(2, PROT_EXEC)),
	CALL(mremap),
	CALL(brk),
	CALL(getrandom),

	/* A child: towards the backend.  Landlock knows which ports. */
	CALL_IF(socket, IS(0, AF_INET), IS_BUT(1, NEW_SOCKET, SOCK_STREAM)),
	CALL_IF(socket, IS(0, AF_INET6), IS_BUT(1, NEW_SOCKET, SOCK_STREAM)),
	/* Landlock knows no paths of sockets: not even one if none is needed.
	 */
	CALL_WHEN_IF(WHEN_LOCAL, socket, IS(0, AF_UNIX),
	    IS_BUT(1, NEW_SOCKET, SOCK_STREAM)),
	CALL_WHEN_IF(WHEN_LOCAL, socket, IS(0, AF_UNIX),
	    IS_BUT(1, NEW_SOCKET, SOCK_SEQPACKET)),
	CALL_IF(connect, NOT_SHARED),
	CALL(getsockname),
	CALL(getpeername),
	CALL_IF(setsockopt, IS(1, SOL_SOCKET), IS(2, SO_RCVLOWAT)),
	CALL_IF(setsockopt, IS(1, SOL_SOCKET), IS(2, SO_KEEPALIVE)),
	CALL_IF(setsockopt, IS(1, SOL_SOCKET), IS(2, SO_OOBINLINE)),
	CALL_IF(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)),
	CALL_IF(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPIDLE)),
	CALL_IF(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPINTVL)),
	CALL_IF(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPCNT)),
	CALL_WHEN(WHEN_BIND, bind),
	CALL_WHEN_IF(WHEN_BIND, setsockopt, IS(1, IPPROTO_IP),
	    IS(2, IP_BIND_ADDRESS_NO_PORT)),
	CALL_WHEN_IF(
	    WHEN_BIND, setsockopt, IS(1, IPPROTO_IP), IS(2, IP_TRANSPARENT)),
	CALL_WHEN_IF(WHEN_BIND, setsockopt, IS(1, IPPROTO_IPV6),
	    IS(2, IPV6_TRANSPARENT)),

	/* A child that carries many, and starts a relay for them. */
	CALL_WHEN(WHEN_SHARED, recvmsg),
	CALL_WHEN(WHEN_SHARED, epoll_create1),
	CALL_WHEN_IF(WHEN_SHARED, socketpair, IS(0, AF_UNIX)),
	/* To ask, not to set. */
	CALL_WHEN_IF(WHEN_SHARED, prlimit64, IS(0, 0), IS(2, 0)),

	/* A child that becomes a relay.  Landlock knows which file. */
	CALL_IF(execveat, IS(4, AT_EMPTY_PATH)),
	CALL(close_range),
	CALL_IF(dup3, NOT_SHARED),
#ifdef SYS_dup2
	CALL_IF(dup2, NOT_SHARED),
#endif
	CALL_IF(fcntl, IS(1, F_DUPFD_CLOEXEC), NOT_SHARED),
	CALL_IF(fcntl, IS(1, F_GETFD)),
	CALL_IF(fcntl, IS(1, F_SETFD)),
	CALL_IF(fcntl, IS(1, F_GETFL)),
	CALL_IF(fcntl, IS(1, F_SETFL), NOT_SHARED),

	/* A relay that puts itself into its cage, until it is there. */
	START_ROWS,
	CALL_IF(prctl, IS(0, PR_SET_NO_NEW_PRIVS)),
	CALL_IF(seccomp, IS(0, SECCOMP_SET_MODE_FILTER)),

#if !SELF_CONTAINED
	CALL(set_robust_list),
/* ld.so, or a static glibc. */
#ifdef SYS_access
	CALL(access),
#endif
#ifdef SYS_rseq
	CALL(rseq),
#endif
	CALL(faccessat),
	CALL_IF(openat, NONE_OF(2, O_ACCMODE | O_CREAT | O_TRUNC)),
	CALL(newfstatat),
	CALL(readlinkat),
#ifdef SYS_readlink
	CALL(readlink),
#endif
	CALL(pread64),
	CALL(mmap),
	CALL(mprotect),
	CALL(prlimit64),
	CALL(futex),
	CALL(uname),
#endif
};

static const struct row relay_rows[] = {
	COMMON_ROWS,
	EPOLL_ROWS(WHEN_SHARED),
	CALL_WHEN(WHEN_SHARED, recvmsg),
	CALL_WHEN_IF(WHEN_SHARED, mmap, NONE_OF(2, PROT_EXEC)),
#if !SELF_CONTAINED
	CALL(futex),
	CALL(brk),
#endif
};

/* One that is in its cage from its start; the scoreboard is to be mapped. */
static const struct row heir_rows[] = {
	START_ROWS,
	CALL_IF(mmap, NONE_OF(2, PROT_EXEC)),
};

const struct list acceptor_list = {
	.rows = acceptor_rows,
	.n = COUNT(acceptor_rows),
	.n_common = N_COMMON,
	.spares_elders = true,
	.heir_rows = heir_rows,
	.n_heir_rows = COUNT(heir_rows),
};
const struct list relay_list = {
	.rows = relay_rows,
	.n = COUNT(relay_rows),
};
