#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "handover.h"
#include "line.h"
#include "log.h"
#include "process.h"
#include "signals.h"

#define VARIABLES_MAX 16
#define VARIABLES_SIZE 2048

/* An environment made from nothing, in one buffer. */
struct environment {
	char text[VARIABLES_SIZE];
	size_t used;
	char *list[VARIABLES_MAX + 1];
	size_t n;
};

static void
set(struct environment *env, const char *name, const char *value)
{
	struct line text =
	    line_over(env->text + env->used, sizeof(env->text) - env->used);

	line_text(&text, name);
	line_char(&text, '=');
	line_text(&text, value);
	if (text.cut || env->n == VARIABLES_MAX)
		return;
	env->list[env->n++] = text.text;
	env->list[env->n] = NULL;
	env->used += text.len + 1;
}

/* Sets HOST and PORT variables under both of the names they go by. */
static void
set_address(struct environment *env, const struct addr *addr,
    const char *const names[4])
{
	char host[ADDR_TEXT_MAX], port[8];
	struct line host_text = LINE(host), port_text = LINE(port);

	addr_write_host(&host_text, addr);
	line_uint(&port_text, addr_port(addr));
	set(env, names[0], host);
	set(env, names[1], port);
	set(env, names[2], host);
	set(env, names[3], port);
}

/* A PROXY header may have named another one than the socket's. */
static bool
find_local(int client, const struct connection *slot, struct addr *ret)
{
	ret->len = sizeof(struct sockaddr_un);
	if (slot->local.family != 0)
		endpoint_to(ret, &slot->local);
	else if (getsockname(client, &ret->any, &ret->len) < 0)
		return false;
	addr_unmap(ret);
	return ret->any.sa_family == AF_INET || ret->any.sa_family == AF_INET6;
}

static void
fill(struct environment *env, const struct service *service, int client,
    const struct connection *slot, const char *asked_for)
{
	static const char *const remote[] = { "REMOTE_ADDR", "REMOTE_PORT",
		"TCPREMOTEIP", "TCPREMOTEPORT" };
	static const char *const here[] = { "LOCAL_ADDR", "LOCAL_PORT",
		"TCPLOCALIP", "TCPLOCALPORT" };
	struct addr addr;
	char name[CONNECTION_NAME_MAX];

	env->used = env->n = 0;
	env->list[0] = NULL;
	set(env, "PATH",
	    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
	    "/sbin:/bin");
	set(env, "PROTO", "TCP");
	set(env, "USHER_SERVICE", service->name);
	if (slot->client.family != 0) {
		endpoint_to(&addr, &slot->client);
		set_address(env, &addr, remote);
	}
	if (find_local(client, slot, &addr))
		set_address(env, &addr, here);
	memcpy(name, asked_for, strnlen(asked_for, sizeof(name) - 1) + 1);
	name[sizeof(name) - 1] = '\0'; /* it is in shared memory */
	if (name[0] != '\0')
		set(env, "SERVER_NAME", name);
}

/* The record is in shared memory: the keeper will find this in it. */
_Noreturn static void
fail(const struct service *service, struct connection *slot, int error)
{
	char buffer[512];
	struct line text = LINE(buffer);

	line_text(&text, service->name);
	line_text(&text, ": cannot run ");
	line_text(&text, service->argv[0]);
	log_errno(LOG_ERR, buffer, error);
	slot->error = (int16_t)error;
	slot->end = END_ERROR;
	_exit(127);
}

static int
become_user(const struct service *service)
{
	char *end;
	unsigned long uid, gid;

	if (service->user == NULL)
		return 0;
	/* The normal form has numbers here: uid:gid. */
	uid = strtoul(service->user, &end, 10);
	if (end == service->user || *end != ':')
		return -EINVAL;
	gid = strtoul(end + 1, NULL, 10);
	return process_drop((uid_t)uid, (gid_t)gid, false);
}

_Noreturn static void
be_program(const struct service *service, int client, struct connection *slot,
    const char *asked_for)
{
	struct environment env;
	int r;

	fill(&env, service, client, slot, asked_for);
	/* Out of the way first: 0 and 1 are where it has to go. */
	client = fcntl(client, F_DUPFD, 3);
	if (client < 0)
		fail(service, slot, errno);
	(void)fd_set_nonblock(client, 0);
	(void)fd_set_urgent_inline(client, 0);
	if (dup2(client, 0) < 0 || dup2(client, 1) < 0)
		fail(service, slot, errno);
	(void)close(client);
	signals_release();
	(void)setsid();
	r = become_user(service);
	if (r < 0)
		fail(service, slot, -r);
	/* Only the log, which is CLOEXEC, may be needed once more: to say
	 * that the program cannot be run. */
	(void)fd_close_from(LOG_FD + 1);
	execve(service->argv[0], service->argv, env.list);
	fail(service, slot, errno);
}

bool
launch_is_wanted(const struct rules *rules)
{
	for (size_t i = 0; i < rules->n_services; i++)
		if (rules->services[i].target == GO_EXEC)
			return true;
	return false;
}

int
launch_listen(void)
{
	FD_AUTO int ours = -1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	/* Both ends are alike: ours is not the one that is in its place. */
	if (ends[0] == KEEPER_FD) {
		ends[0] = ends[1];
		ends[1] = KEEPER_FD;
	}
	ours = ends[0];
	if (ends[1] != KEEPER_FD) {
		if (dup3(ends[1], KEEPER_FD, O_CLOEXEC) < 0) {
			int error = errno;

			(void)close(ends[1]);
			return -error;
		}
		(void)close(ends[1]);
	}
	return fd_take(&ours);
}

int
launch_ask(int keeper, const struct launch_request *request, int client)
{
	ssize_t r = fd_send_now(keeper, request, sizeof(*request), client);

	return r < 0 ? (int)r : 0;
}

void
launch_inquire(int keeper)
{
	static const char message[LAUNCH_INQUIRY];

	if (keeper >= 0)
		(void)fd_send_now(keeper, message, sizeof(message), -1);
}

int
launch_program(const struct scoreboard *board, const struct service *service,
    int client, struct connection *slot)
{
	pid_t pid;

	slot->since_us = clock_us();
	pid = process_fork(&slot->pid);
	if (pid == 0)
		be_program(service, client, slot, scoreboard_name(board, slot));
	return pid < 0 ? (int)pid : 0;
}
