/*
 * faults.c - runs a program whose system calls can be made to fail.
 *
 *	faults CONTROL COMMAND [ARGUMENT...]
 *
 * becomes the command, under a seccomp filter that asks before each call of
 * it and of all its descendants (seccomp_unotify(2)).  Whom it asks is a
 * process of ours, which lets all go on but what it is told to at the unix
 * socket CONTROL, one datagram each, to be answered with one:
 *
 *	N ERRNO EVERY FLAG PID	call N fails with ERRNO, in each process the
 *				first time and each EVERY-th after (0: none);
 *				only in PID (FLAG 1) or in all others (0)
 *
 * The answer is how many have failed since, and the numbers of all calls that
 * those processes have made.  A ptrace(2)-based tool cannot do this: what it
 * makes of a call is not on the list of a sandbox, whose filter comes second.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 512
#define PROCESSES 65536

static struct {
	int call, error;
	unsigned every;
	bool only;
	pid_t pid;
} order = { .call = -1 };

static unsigned failed, turns[PROCESSES];
static bool made[CALLS];

/* What becomes of this call: 0 or an errno. */
static int
judge(const struct seccomp_notif *request)
{
	pid_t pid = (pid_t)request->pid;
	int call = request->data.nr;
	unsigned turn;

	if (order.only != (pid == order.pid) || call < 0 || call >= CALLS)
		return 0;
	made[call] = true;
	if (call != order.call || order.every == 0)
		return 0;
	turn = turns[pid % PROCESSES]++;
	if (turn % order.every != 0)
		return 0;
	failed++;
	return order.error;
}

static void
answer(int listener)
{
	struct seccomp_notif request = { 0 };
	struct seccomp_notif_resp response = { 0 };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return;
	response.id = request.id;
	response.error = -judge(&request);
	if (response.error == 0)
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	/* If it fails, whoever asked is gone. */
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void
obey(int control)
{
	struct sockaddr_un from;
	socklen_t len = sizeof(from);
	char text[8 * CALLS];
	unsigned only;
	int n;
	ssize_t got = recvfrom(
	    control, text, sizeof(text) - 1, 0, (struct sockaddr *)&from, &len);

	if (got < 0)
		return;
	text[got] = '\0';
	if (sscanf(text, "%d %d %u %u %d", &order.call, &order.error,
		&order.every, &only, &order.pid) != 5)
		abort();
	order.only = only;
	n = sprintf(text, "%u", failed);
	for (int i = 0; i < CALLS; i++)
		if (made[i])
			n += sprintf(text + n, " %d", i);
	failed = 0;
	memset(turns, 0, sizeof(turns));
	memset(made, 0, sizeof(made));
	(void)sendto(
	    control, text, (size_t)n, 0, (struct sockaddr *)&from, len);
}

_Noreturn static void
supervise(int listener, const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int control = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct pollfd fds[] = { { .fd = listener, .events = POLLIN },
		{ .fd = control, .events = POLLIN } };

	strncpy(at.sun_path, name, sizeof(at.sun_path) - 1);
	if (bind(control, (struct sockaddr *)&at, sizeof(at)) < 0)
		_exit(1);
	while (poll(fds, 2, -1) > 0 && !(fds[0].revents & POLLHUP)) {
		if (fds[0].revents)
			answer(listener);
		else if (fds[1].revents)
			obey(control);
	}
	_exit(0);
}

/* Asks about all calls but the last ones.  Returns the listener. */
static int
install(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
}

/*
 * The supervisor shares our descriptors until it has the listener, whose
 * number it knows beforehand: after the filter we can ask for nothing without
 * it.  It is nobody's child, so that it is not taken for one of the command's.
 */
static void
start_supervisor(int listener, const char *name)
{
	pid_t child = (pid_t)syscall(
	    SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);

	if (child < 0)
		exit(1);
	if (child > 0) {
		(void)waitpid(child, NULL, 0);
		return;
	}
	if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0) ==
	    0) {
		struct seccomp_notif_sizes sizes;

		while (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0,
			   &sizes) == 0 &&
		    fcntl(listener, F_GETFD) < 0)
			(void)poll(NULL, 0, 1);
		supervise(listener, name);
	}
	_exit(0);
}

int
main(int argc, char **argv)
{
	int listener;

	if (argc < 3) {
		fputs("usage: faults CONTROL COMMAND [ARGUMENT...]\n", stderr);
		return 2;
	}
	listener = dup(STDERR_FILENO);
	close(listener);
	start_supervisor(listener, argv[1]);
	if (install() != listener) {
		perror("faults: seccomp");
		return 1;
	}
	if (unshare(CLONE_FILES) < 0)
		return 1;
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
