/* door_rig.c - what tests of those who let clients in share; see door_rig.h. */
#include "door_rig.h"

#include <check.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rules_rig.h"

static int
listen_at_loopback(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	return fd;
}

void
door_rig_set_up(struct door_rig *rig, const char *text)
{
	struct mistakes mistakes;
	struct rules *rules;
	int32_t owner;

	(void)signal(SIGPIPE, SIG_IGN);
	memset(rig, 0, sizeof(*rig));
	ck_assert_int_eq(rules_try(text, &mistakes, &rules), 0);
	ck_assert_int_eq(scoreboard_open(&rig->board, NULL, -1, &owner), 0);
	ck_assert_uint_le(
	    rules->n_services, sizeof(rig->rows) / sizeof(rig->rows[0]));
	for (size_t i = 0; i < rules->n_services; i++)
		rig->rows[i] =
		    scoreboard_service(&rig->board, rules->services[i].name);
	rig->generation = (struct generation){
		.rules = rules,
		.rows = rig->rows,
		.board = &rig->board,
		.relay_exe = -1,
		.keeper = -1,
	};
	rig->listener = (struct listener){ listen_at_loopback(), "web" };
	rig->log = memfd_create("log", MFD_CLOEXEC);
	ck_assert_int_ge(rig->log, 0);
	ck_assert_int_ge(dup2(rig->log, STDERR_FILENO), 0);
}

void
door_rig_tear_down(struct door_rig *rig)
{
	rules_free((struct rules *)rig->generation.rules);
	scoreboard_close(&rig->board);
	(void)close(rig->listener.fd);
	(void)close(rig->log);
}

int
door_rig_connect(const struct door_rig *rig)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(
	    getsockname(rig->listener.fd, (struct sockaddr *)&at, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, len), 0);
	return fd;
}

uint32_t
door_rig_connections(const struct door_rig *rig)
{
	return atomic_load(&rig->board.head->connections);
}

int
door_rig_logged(const struct door_rig *rig, const char *text)
{
	static char all[65536];
	ssize_t len = pread(rig->log, all, sizeof(all) - 1, 0);
	int n = 0;

	ck_assert_int_ge(len, 0);
	all[len] = '\0';
	for (const char *at = all; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

void
door_rig_fail(int number, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
		    SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]),
		code };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}
