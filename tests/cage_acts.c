/*
 * cage_acts.c - what is tried inside the sandbox, but for sockets; see cage.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "cage.h"
#include "log.h"

int
open_a_file(void)
{
	return open("/etc/passwd", O_RDONLY);
}

int
make_a_file(void)
{
	return open("/tmp/usher-cage", O_WRONLY | O_CREAT, 0600);
}

/* A page of what it has, to what it is. */
int
protect_memory(void)
{
	static _Alignas(65536) char page[65536];

	return mprotect(page, sizeof(page), PROT_READ | PROT_WRITE);
}

int
grow_a_file(void)
{
	return (int)write(have.file, "x", 1);
}

int
exec_the_relay(void)
{
	return (int)syscall(SYS_execveat, have.relay_exe, "", have.relay_argv,
	    have.no_environment, AT_EMPTY_PATH);
}

int
exec_another_file(void)
{
	return (int)syscall(SYS_execveat, have.other_exe, "", have.relay_argv,
	    have.no_environment, AT_EMPTY_PATH);
}

int
exec_by_name(void)
{
	return execve("/bin/true", have.relay_argv, have.no_environment);
}

int
fork_and_wait(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(0);
	if (waitpid(child, &status, 0) == child && status == 0)
		return 0;
	errno = ECHILD;
	return -1;
}

int
end_a_child(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		for (;;)
			poll(NULL, 0, -1);
	if (kill(child, SIGTERM) < 0)
		return -1;
	if (waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM)
		return 0;
	errno = ECHILD;
	return -1;
}

int
signal_its_parent(void)
{
	return kill(getppid(), SIGTERM);
}

int
signal_a_stranger(void)
{
	return kill(have.stranger, SIGTERM);
}

int
signal_itself(void)
{
	return kill(getpid(), SIGTERM);
}

int
signal_everybody(void)
{
	return kill(-1, SIGTERM);
}

int
signal_the_group(void)
{
	return kill(0, SIGTERM);
}

int
stop_a_child(void)
{
	return kill(getpid(), SIGSTOP);
}

int
trace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

int
trace_somebody(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

int
read_anothers_memory(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &byte, 1 };

	return (int)syscall(
	    SYS_process_vm_readv, getppid(), &here, 1, &there, 1, 0);
}

int
take_anothers_descriptor(void)
{
	return (int)syscall(434, getppid(), 0); /* pidfd_open */
}

int
give_orders_to_the_terminal(void)
{
	return (int)syscall(SYS_ioctl, STDIN_FILENO, 0x5412, "x"); /* TIOCSTI */
}

int
mount_something(void)
{
	return (int)syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
}

int
change_the_root(void)
{
	return chroot("/tmp");
}

int
remove_a_file(void)
{
	return unlink("/tmp/usher-cage");
}

int
look_at_a_directory(void)
{
	return open("/", O_RDONLY | O_DIRECTORY);
}

int
map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ?
	    -1 :
	    0;
}

int
map_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ?
	    -1 :
	    0;
}

int
make_a_thread(void)
{
	return (int)syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND,
	    NULL, NULL, NULL, 0);
}

int
make_a_namespace(void)
{
	return (int)syscall(
	    SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);
}

int
leave_a_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

int
make_a_memfd(void)
{
	return memfd_create("x", 0);
}

int
be_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}

int
change_the_owner(void)
{
	return setuid(getuid());
}

int
use_io_uring(void)
{
	return (int)syscall(425, 1, NULL);
}

int
use_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

int
lock_a_file(void)
{
	struct flock whole = { .l_type = F_WRLCK };

	return fcntl(have.file, F_SETLK, &whole);
}

int
own_signals(void)
{
	return fcntl(have.stream[0], F_SETOWN, getpid());
}

int
say_something(void)
{
	log_event(LOG_INFO, "said from inside");
	return 0;
}

int
take_a_slot(void)
{
	struct endpoint client = { .family = 0 };

	return scoreboard_take(&have.board, 1000, &client) ? 0 : -1;
}

int
dump_no_core(void)
{
	struct rlimit core;

	return (int)syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &core);
}

int
dump_more_core(void)
{
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };

	return (int)syscall(SYS_prlimit64, 0, RLIMIT_CORE, &core, NULL);
}

int
make_an_epoll(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

int
wait_for_events(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll_ctl(have.epoll, EPOLL_CTL_ADD, have.stream[0], &event) < 0)
		return -1;
	return epoll_pwait(have.epoll, &event, 1, 0, NULL);
}
