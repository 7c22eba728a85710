/*
 * usher-receive.c - takes the connections that usher passes, and runs a
 * program on each, in the way of inetd: its standard input and output are the
 * client's socket.
 *
 *	usher-receive [--listen PATH] PROGRAM [ARGUMENT]...
 *
 * It is for programs that must not run where usher does: sshd -i as root,
 * for one, while usher has no rights at all.  Its socket comes from systemd
 * (usher-receive.socket), or is made at PATH.
 *
 * One message a connection: the socket as SCM_RIGHTS, and as payload a PROXY
 * version 2 header, from which the program's environment is made.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "addr.h"
#include "fd.h"
#include "proxy.h"

enum {
	PASSED_FD = 3, /* systemd's first */
	MESSAGE_SECONDS = 5, /* to send the message once connected */
	USAGE = 2,
};

static void
set_address(
    const char *host_name, const char *port_name, const struct addr *addr)
{
	char host[ADDR_TEXT_MAX], port[8];
	struct line host_text = LINE(host), port_text = LINE(port);

	addr_write_host(&host_text, addr);
	line_uint(&port_text, addr_port(addr));
	(void)setenv(host_name, host, 1);
	(void)setenv(port_name, port, 1);
}

/* What is no header is no reason to turn a client away. */
static void
describe(const uint8_t *payload, size_t n)
{
	struct proxy_header header;

	if (proxy_parse(payload, n, &header).verdict != ANSWER_YES ||
	    !header.known)
		return;
	set_address("REMOTE_ADDR", "REMOTE_PORT", &header.source);
	set_address("TCPREMOTEIP", "TCPREMOTEPORT", &header.source);
	set_address("LOCAL_ADDR", "LOCAL_PORT", &header.destination);
	set_address("TCPLOCALIP", "TCPLOCALPORT", &header.destination);
	(void)setenv("PROTO", "TCP", 1);
}

/* In a process of its own, so that nobody can keep others waiting. */
_Noreturn static void
serve(int sender, char **argv)
{
	const struct timeval patience = { .tv_sec = MESSAGE_SECONDS };
	uint8_t payload[PROXY_WRITE_MAX];
	int client = -1;
	ssize_t n;

	(void)setsockopt(
	    sender, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = fd_receive(sender, payload, sizeof(payload), &client);
	if (n < 0 || client < 0) {
		fputs("usher-receive: no socket came\n", stderr);
		_exit(EXIT_FAILURE);
	}
	describe(payload, (size_t)n);
	if (dup2(client, 0) < 0 || dup2(client, 1) < 0)
		_exit(EXIT_FAILURE);
	(void)fd_close_from(3);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)setsid();
	execv(argv[0], argv);
	fprintf(stderr, "usher-receive: %s: %s\n", argv[0], strerror(errno));
	_exit(EXIT_FAILURE);
}

static int
listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path) + 1);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listener, SOMAXCONN) < 0)
		return -1;
	return listener;
}

static int
take_listener(const char *path)
{
	const char *pid = getenv("LISTEN_PID");

	if (path != NULL)
		return listen_at(path);
	if (pid == NULL || strtol(pid, NULL, 10) != (long)getpid()) {
		fputs("usher-receive: no socket was passed: start it by "
		      "usher-receive.socket, or give --listen PATH\n",
		    stderr);
		return -1;
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	(void)fd_set_cloexec(PASSED_FD, 1);
	return PASSED_FD;
}

static void
accept_one(int listener, char **argv)
{
	int sender = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (sender < 0) {
		/* Short of something: whoever comes next may be luckier. */
		if (errno != EINTR && errno != ECONNABORTED)
			(void)sleep(1);
		return;
	}
	if (fork() == 0)
		serve(sender, argv);
	(void)close(sender);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	int option, listener;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) == 'l')
		path = optarg;
	if (option != -1 || optind == argc) {
		fputs("usage: usher-receive [--listen PATH] PROGRAM "
		      "[ARGUMENT]...\n",
		    stderr);
		return USAGE;
	}
	listener = take_listener(path);
	if (listener < 0) {
		if (path != NULL)
			perror(path);
		return EXIT_FAILURE;
	}
	/* Nobody waits for the programs: the kernel reaps them. */
	(void)signal(SIGCHLD, SIG_IGN);
	for (;;)
		accept_one(listener, argv + optind);
}
