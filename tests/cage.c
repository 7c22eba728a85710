/*
 * cage.c - tries from inside the sandbox what must not work, and what must.
 *
 * A program of its own, not a unit test, because it is linked as usherd and
 * usher-relay are: what a libc asks of the kernel depends on which it is.
 * Each row runs in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "fd.h"
#include "log.h"
#include "sandbox.h"
#include "sandbox_inner.h"
#include "scoreboard.h"

#define SKIPPED 77
#define RUN_AS_RELAY "relay" /* argv[1] after the exec */

/* What is open before the cage is shut. */
static int relay_exe, other_exe, file, ends[2], stream[2];
static uint16_t allowed_port, other_port;
static struct sockaddr_un abstract_name;
static socklen_t abstract_len;
static struct scoreboard board;
static char *relay_argv[3], *no_environment[] = { NULL };

/*
 * Acts: return 0 or more if they were let, -1 with errno if not.
 */

static int
open_a_file(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static int
make_a_file(void)
{
	return open("/tmp/usher-cage", O_WRONLY | O_CREAT, 0600);
}

static int
grow_a_file(void)
{
	return (int)write(file, "x", 1);
}

static int
connect_to(uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int backend = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(backend, (struct sockaddr *)&to, sizeof(to));
}

static int
connect_where_a_rule_goes(void)
{
	return connect_to(allowed_port);
}

static int
connect_elsewhere(void)
{
	return connect_to(other_port);
}

static int
connect_to_an_abstract_name(void)
{
	int backend = socket(AF_UNIX, SOCK_STREAM, 0);

	return connect(
	    backend, (struct sockaddr *)&abstract_name, abstract_len);
}

static int
bind_to(uint16_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int backend = socket(AF_INET, SOCK_STREAM, 0);

	return bind(backend, (struct sockaddr *)&at, sizeof(at));
}

static int
bind_to_any_port(void)
{
	return bind_to(0);
}

static int
bind_to_a_port(void)
{
	return bind_to(other_port);
}

static int
make_a_datagram_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static int
make_a_netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static int
make_a_seqpacket_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static int
make_a_local_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
connect_elsewhere_by_ipv6(void)
{
	struct sockaddr_in6 to = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(other_port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	int backend = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(backend, (struct sockaddr *)&to, sizeof(to));
}

/* A socket that is open already does not lead elsewhere. */
static int
connect_by_sending(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(other_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int backend = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return (int)sendto(backend, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
	    (struct sockaddr *)&to, sizeof(to));
}

static int
exec_the_relay(void)
{
	return (int)syscall(SYS_execveat, relay_exe, "", relay_argv,
	    no_environment, AT_EMPTY_PATH);
}

static int
exec_another_file(void)
{
	return (int)syscall(SYS_execveat, other_exe, "", relay_argv,
	    no_environment, AT_EMPTY_PATH);
}

static int
exec_by_name(void)
{
	return execve("/bin/true", relay_argv, no_environment);
}

static int
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

static int
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

static int
signal_somebody_else(void)
{
	return kill(getppid(), SIGTERM);
}

static int
signal_everybody(void)
{
	return kill(-1, SIGTERM);
}

static int
signal_the_group(void)
{
	return kill(0, SIGTERM);
}

static int
stop_a_child(void)
{
	return kill(getpid(), SIGSTOP);
}

static int
trace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int
trace_somebody(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int
read_anothers_memory(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &byte, 1 };

	return (int)syscall(
	    SYS_process_vm_readv, getppid(), &here, 1, &there, 1, 0);
}

static int
take_anothers_descriptor(void)
{
	return (int)syscall(434, getppid(), 0); /* pidfd_open */
}

static int
give_orders_to_the_terminal(void)
{
	return (int)syscall(SYS_ioctl, STDIN_FILENO, 0x5412, "x"); /* TIOCSTI */
}

static int
mount_something(void)
{
	return (int)syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
}

static int
change_the_root(void)
{
	return chroot("/tmp");
}

static int
remove_a_file(void)
{
	return unlink("/tmp/usher-cage");
}

static int
look_at_a_directory(void)
{
	return open("/", O_RDONLY | O_DIRECTORY);
}

static int
map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ?
	    -1 :
	    0;
}

static int
map_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ?
	    -1 :
	    0;
}

static int
make_a_thread(void)
{
	return (int)syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND,
	    NULL, NULL, NULL, 0);
}

static int
make_a_namespace(void)
{
	return (int)syscall(
	    SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);
}

static int
leave_a_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int
make_a_memfd(void)
{
	return memfd_create("x", 0);
}

static int
be_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}

static int
change_the_owner(void)
{
	return setuid(getuid());
}

static int
use_io_uring(void)
{
	return (int)syscall(425, 1, NULL);
}

static int
use_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int
set_option(int level, int name)
{
	int value = 1;

	return setsockopt(stream[0], level, name, &value, sizeof(value));
}

static int
wait_for_many_bytes(void)
{
	return set_option(SOL_SOCKET, SO_RCVLOWAT);
}

static int
filter_packets(void)
{
	return set_option(SOL_SOCKET, SO_ATTACH_FILTER);
}

static int
lock_a_file(void)
{
	struct flock whole = { .l_type = F_WRLCK };

	return fcntl(file, F_SETLK, &whole);
}

static int
own_signals(void)
{
	return fcntl(stream[0], F_SETOWN, getpid());
}

static int
say_something(void)
{
	log_event(LOG_INFO, "said from inside");
	return 0;
}

static int
take_a_slot(void)
{
	struct endpoint client = { .family = 0 };

	return scoreboard_take(&board, 1000, &client) ? 0 : -1;
}

static int
move_bytes(void)
{
	struct linger linger = { 0 };
	struct pollfd ready = { .fd = stream[1], .events = POLLIN };
	int pipe[2], error;
	socklen_t n = sizeof(error);

	if (send(stream[0], "hello", 5, MSG_NOSIGNAL) != 5 ||
	    poll(&ready, 1, 1000) != 1 || pipe2(pipe, O_NONBLOCK) < 0 ||
	    fcntl(pipe[1], F_SETPIPE_SZ, 65536) < 0 ||
	    splice(stream[1], NULL, pipe[1], NULL, 5, SPLICE_F_NONBLOCK) != 5 ||
	    splice(pipe[0], NULL, stream[1], NULL, 5, SPLICE_F_NONBLOCK) != 5 ||
	    getsockopt(stream[0], SOL_SOCKET, SO_ERROR, &error, &n) < 0 ||
	    setsockopt(stream[0], SOL_SOCKET, SO_LINGER, &linger,
		sizeof(linger)) < 0 ||
	    shutdown(stream[0], SHUT_WR) < 0 || close(stream[1]) < 0)
		return -1;
	return 0;
}

static int
take_a_client(void)
{
	return accept4(ends[0], NULL, NULL, SOCK_CLOEXEC) >= 0 ||
		errno == EINVAL || errno == EOPNOTSUPP ?
	    0 :
	    -1;
}

static int
keep_an_option(void)
{
	return set_option(IPPROTO_TCP, TCP_NODELAY) == 0 ||
		errno == EOPNOTSUPP || errno == ENOPROTOOPT ?
	    0 :
	    -1;
}

static int
dump_no_core(void)
{
	struct rlimit core;

	return (int)syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &core);
}

/*
 * What is expected of them: 0, an errno, or a signal.
 */

#define SIGNALLED(number) (-(number))
#define KILLED SIGNALLED(SIGSYS)
/* Where programs load libraries, seccomp leaves more to Landlock. */
#define KILLED_OR(error) (SELF_CONTAINED ? KILLED : (error))

enum cage { ACCEPTOR, BINDER, LOCAL, RELAY };

static const struct trial {
	enum cage cage;
	int parts; /* that have to be in force */
	const char *name;
	int (*act)(void);
	int expected;
} trials[] = {
#define TRIAL(cage, parts, act, expected)        \
	{                                        \
		cage, parts, #act, act, expected \
	}
	TRIAL(ACCEPTOR, 0, fork_and_wait, 0),
	TRIAL(ACCEPTOR, 0, end_a_child, 0),
	TRIAL(ACCEPTOR, 0, take_a_client, 0),
	TRIAL(ACCEPTOR, 0, connect_where_a_rule_goes, 0),
	TRIAL(LOCAL, 0, make_a_seqpacket_socket, 0),
	TRIAL(LOCAL, 0, make_a_local_socket, 0),
	TRIAL(ACCEPTOR, 0, make_a_seqpacket_socket, KILLED),
	TRIAL(ACCEPTOR, 0, make_a_local_socket, KILLED),
	TRIAL(ACCEPTOR, 0, wait_for_many_bytes, 0),
	TRIAL(ACCEPTOR, 0, keep_an_option, 0),
	TRIAL(ACCEPTOR, 0, move_bytes, 0),
	TRIAL(ACCEPTOR, 0, map_memory, 0),
	TRIAL(ACCEPTOR, 0, take_a_slot, 0),
	TRIAL(ACCEPTOR, 0, say_something, 0),
	TRIAL(ACCEPTOR, 0, exec_the_relay, 0),
	TRIAL(ACCEPTOR, SANDBOX_FILES, exec_another_file, EACCES),
	TRIAL(ACCEPTOR, 0, exec_by_name, KILLED),
	TRIAL(ACCEPTOR, SANDBOX_FILES, open_a_file, KILLED_OR(EACCES)),
	TRIAL(ACCEPTOR, 0, make_a_file, KILLED),
	TRIAL(ACCEPTOR, 0, grow_a_file, SIGNALLED(SIGXFSZ)),
	TRIAL(ACCEPTOR, SANDBOX_PORTS, connect_elsewhere, EACCES),
	TRIAL(ACCEPTOR, 0, connect_by_sending, KILLED),
	TRIAL(LOCAL, SANDBOX_SCOPES, connect_to_an_abstract_name, EPERM),
	TRIAL(ACCEPTOR, 0, bind_to_any_port, KILLED),
	TRIAL(BINDER, 0, bind_to_any_port, 0),
	TRIAL(BINDER, SANDBOX_PORTS, bind_to_a_port, EACCES),
	TRIAL(ACCEPTOR, 0, make_a_datagram_socket, KILLED),
	TRIAL(ACCEPTOR, 0, make_a_netlink_socket, KILLED),
	TRIAL(ACCEPTOR, SANDBOX_SCOPES, signal_somebody_else, EPERM),
	TRIAL(ACCEPTOR, 0, signal_everybody, KILLED),
	TRIAL(ACCEPTOR, 0, signal_the_group, KILLED),
	TRIAL(ACCEPTOR, 0, stop_a_child, KILLED),
	TRIAL(ACCEPTOR, 0, trace, KILLED),
	TRIAL(ACCEPTOR, SANDBOX_PORTS, connect_elsewhere_by_ipv6, EACCES),
	TRIAL(ACCEPTOR, SANDBOX_FILES, look_at_a_directory, KILLED_OR(EACCES)),
	TRIAL(ACCEPTOR, 0, remove_a_file, KILLED),
	TRIAL(ACCEPTOR, 0, trace_somebody, KILLED),
	TRIAL(ACCEPTOR, 0, read_anothers_memory, KILLED),
	TRIAL(ACCEPTOR, 0, take_anothers_descriptor, KILLED),
	TRIAL(ACCEPTOR, 0, give_orders_to_the_terminal, KILLED),
	TRIAL(ACCEPTOR, 0, mount_something, KILLED),
	TRIAL(ACCEPTOR, 0, change_the_root, KILLED),
	TRIAL(ACCEPTOR, 0, map_code, KILLED_OR(0)),
	TRIAL(ACCEPTOR, 0, make_a_thread, KILLED),
	TRIAL(ACCEPTOR, 0, make_a_namespace, KILLED),
	TRIAL(ACCEPTOR, 0, leave_a_namespace, KILLED),
	TRIAL(ACCEPTOR, 0, make_a_memfd, KILLED),
	TRIAL(ACCEPTOR, 0, be_dumpable, KILLED),
	TRIAL(ACCEPTOR, 0, change_the_owner, KILLED),
	TRIAL(ACCEPTOR, 0, use_io_uring, KILLED),
	TRIAL(ACCEPTOR, 0, use_bpf, KILLED),
	TRIAL(ACCEPTOR, 0, filter_packets, KILLED),
	TRIAL(ACCEPTOR, 0, lock_a_file, KILLED),
	TRIAL(ACCEPTOR, 0, own_signals, KILLED),
	TRIAL(ACCEPTOR, 0, dump_no_core, KILLED_OR(0)),

	TRIAL(RELAY, 0, move_bytes, 0),
	TRIAL(RELAY, 0, say_something, 0),
	TRIAL(RELAY, 0, open_a_file, KILLED),
	TRIAL(RELAY, 0, connect_where_a_rule_goes, KILLED),
	TRIAL(RELAY, 0, make_a_seqpacket_socket, KILLED),
	TRIAL(RELAY, 0, take_a_client, KILLED),
	TRIAL(RELAY, 0, fork_and_wait, KILLED),
	TRIAL(RELAY, 0, exec_the_relay, KILLED),
	TRIAL(RELAY, 0, signal_somebody_else, KILLED),
	TRIAL(RELAY, 0, map_memory, KILLED),
	TRIAL(RELAY, 0, keep_an_option, KILLED),
	TRIAL(RELAY, 0, lock_a_file, KILLED),
	TRIAL(RELAY, 0, dump_no_core, KILLED),
	TRIAL(RELAY, 0, look_at_a_directory, KILLED),
	TRIAL(RELAY, 0, make_a_file, KILLED),
	TRIAL(RELAY, 0, remove_a_file, KILLED),
	TRIAL(RELAY, 0, grow_a_file, SIGNALLED(SIGXFSZ)),
	TRIAL(RELAY, 0, connect_elsewhere, KILLED),
	TRIAL(RELAY, 0, connect_elsewhere_by_ipv6, KILLED),
	TRIAL(RELAY, 0, make_a_datagram_socket, KILLED),
	TRIAL(RELAY, 0, make_a_local_socket, KILLED),
	TRIAL(RELAY, 0, exec_another_file, KILLED),
	TRIAL(RELAY, 0, exec_by_name, KILLED),
	TRIAL(RELAY, 0, signal_everybody, KILLED),
	TRIAL(RELAY, 0, signal_the_group, KILLED),
	TRIAL(RELAY, 0, trace, KILLED),
	TRIAL(RELAY, 0, trace_somebody, KILLED),
	TRIAL(RELAY, 0, read_anothers_memory, KILLED),
	TRIAL(RELAY, 0, take_anothers_descriptor, KILLED),
	TRIAL(RELAY, 0, give_orders_to_the_terminal, KILLED),
	TRIAL(RELAY, 0, map_code, KILLED),
	TRIAL(RELAY, 0, make_a_thread, KILLED),
	TRIAL(RELAY, 0, make_a_namespace, KILLED),
	TRIAL(RELAY, 0, be_dumpable, KILLED),
	TRIAL(RELAY, 0, change_the_owner, KILLED),
	TRIAL(RELAY, 0, use_io_uring, KILLED),
	TRIAL(RELAY, 0, use_bpf, KILLED),
};

static int
listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (struct sockaddr *)&at, len);
	listen(listener, 100);
	getsockname(listener, (struct sockaddr *)&at, &len);
	*ret_port = ntohs(at.sin_port);
	return listener;
}

static void
listen_to_a_name(void)
{
	socklen_t len = sizeof(abstract_name.sun_family);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	abstract_name.sun_family = AF_UNIX;
	bind(listener, (struct sockaddr *)&abstract_name, len);
	abstract_len = sizeof(abstract_name);
	getsockname(listener, (struct sockaddr *)&abstract_name, &abstract_len);
	listen(listener, 100);
}

static void
prepare(char **argv)
{
	char name[] = "/tmp/usher-cage-XXXXXX";
	int32_t owner;

	/* A file there would leave files without a limit. */
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	relay_exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	other_exe = open("/bin/true", O_RDONLY | O_CLOEXEC);
	file = mkstemp(name);
	unlink(name);
	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	listen_somewhere(&allowed_port);
	listen_somewhere(&other_port);
	listen_to_a_name();
	scoreboard_open(&board, NULL, -1, &owner);
	relay_argv[0] = argv[0];
	relay_argv[1] = (char *)(uintptr_t)RUN_AS_RELAY;
}

static int
enter(enum cage cage)
{
	const struct sandbox_spec spec = {
		.relay_exe = relay_exe,
		.ports = &allowed_port,
		.n_ports = 1,
		.bind = cage == BINDER,
		.local = cage == LOCAL,
	};
	int parts = sandbox_acceptor(&spec), r;

	if (parts < 0 || cage != RELAY)
		return parts;
	r = sandbox_relay();
	return r < 0 ? r : parts;
}

static void
say(const char *a, const char *b, int number)
{
	char buffer[256];
	struct line line = LINE(buffer);

	line_text(&line, a);
	line_text(&line, b);
	line_int(&line, number);
	line_char(&line, '\n');
	(void)!write(STDOUT_FILENO, line.text, line.len);
}

/* Runs a trial; returns 0, an errno or SIGNALLED(...); -1000 if skipped. */
static int
try(const struct trial *trial)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		int parts;

		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, stream);
		parts = enter(trial->cage);

		if (parts < 0 || (parts & trial->parts) != trial->parts)
			_exit(255);
		errno = 0;
		_exit(trial->act() >= 0 ? 0 : errno ? errno : EIO);
	}
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		return SIGNALLED(WTERMSIG(status));
	return WEXITSTATUS(status) == 255 ? -1000 : WEXITSTATUS(status);
}

static bool
run_all(void)
{
	bool good = true;

	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		const struct trial *trial = &trials[i];
		int r = try(trial);

		if (r == -1000) {
			say("not in this kernel: ", trial->name, 0);
		} else if (r != trial->expected) {
			good = false;
			say(trial->name, ": ", r);
			say("  expected: ", "", trial->expected);
		}
	}
	return good;
}

/* After the exec: what usher-relay does first has to be let. */
static int
be_relay(void)
{
	static struct scoreboard again;
	int fd, mapped = -1;

	(void)prctl(PR_SET_NAME, "usher-relay");
	for (fd = 3; fd < 64 && mapped < 0; fd++)
		mapped = scoreboard_map(&again, fd);
	if (sandbox_relay() < 0)
		return 1;
	return mapped == 0 ? 0 : 2;
}

int
main(int argc, char **argv)
{
	int probe;

	signal(SIGTERM, SIG_DFL);
	if (argc == 2 && strcmp(argv[1], RUN_AS_RELAY) == 0)
		return be_relay();
	prepare(argv);
	fd_set_cloexec(board.fd, 0);
	probe = fork();
	if (probe == 0)
		_exit(enter(ACCEPTOR) > 0 ? 0 : 1);
	waitpid(probe, &probe, 0);
	if (probe != 0) {
		say("there is no sandbox", "", 0);
		return SKIPPED;
	}
	return run_all() ? 0 : 1;
}
