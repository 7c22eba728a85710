/*
 * cmd_serve.c - usher serve: everything that is large or needs rights, done
 * once; then it becomes usherd, with the same pid.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "cmd.h"
#include "fd.h"
#include "handover.h"
#include "listener.h"
#include "programs.h"
#include "rules.h"
#include "rules_files.h"

/* Above every fixed number, where descriptors wait for their place. */
#define ASIDE_FD (LISTENERS_FD + LISTENERS_MAX)

#define BACKLOG 4096

struct serve {
	const char *config; /* -c; NULL: the default place */
	struct addr listen[LISTENERS_MAX]; /* --listen */
	size_t n_listen;
	struct rules *rules;
	int sockets[LISTENERS_MAX];
	char *names[LISTENERS_MAX];
	size_t n;
	bool passed; /* the sockets came from systemd or the like */
	char drop[32], chroot[PROGRAMS_PATH_MAX];
};

static bool
has_room(size_t n)
{
	if (n < LISTENERS_MAX)
		return true;
	fprintf(
	    stderr, "usher: cannot take more than %d sockets\n", LISTENERS_MAX);
	return false;
}

static int
parse_listen(struct serve *s, const char *text)
{
	struct addr *addr = &s->listen[s->n_listen];

	if (!has_room(s->n_listen))
		return -1;
	if (addr_parse(text, strlen(text), true, addr) < 0) {
		fprintf(stderr,
		    "usher: --listen %s: expected ADDR:PORT, such as "
		    "0.0.0.0:443 or [::]:443\n",
		    text);
		return -1;
	}
	s->n_listen++;
	return 0;
}

/* Returns EXIT_DONE or EXIT_USAGE. */
static int
parse_options(int argc, char **argv, struct serve *s)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == 'c')
			s->config = optarg;
		else if (option != 'l' || parse_listen(s, optarg) < 0)
			return cmd_usage(argv);
	}
	if (optind < argc)
		return cmd_unexpected(
		    argv, argv[optind], ", a file is named by -c FILE");
	return EXIT_DONE;
}

static int
add_socket(struct serve *s, int socket, const char *name)
{
	char *copy = strdup(name);
	int aside = fcntl(socket, F_DUPFD_CLOEXEC, ASIDE_FD);

	if (copy == NULL || aside < 0) {
		fprintf(stderr,
		    "usher: cannot keep a socket: %s (descriptors up to %d "
		    "are needed, see ulimit -n)\n",
		    strerror(errno), ASIDE_FD + LISTENERS_MAX);
		free(copy);
		return -1;
	}
	(void)close(socket);
	s->sockets[s->n] = aside;
	s->names[s->n++] = copy;
	return 0;
}

/* Those that systemd, or whoever speaks its protocol, has for us. */
static int
take_passed(struct serve *s)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	if (n < 0) {
		fprintf(stderr, "usher: bad LISTEN_FDS: %s\n", strerror(-n));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		int socket = SD_LISTEN_FDS_START + i;

		if (sd_is_socket(socket, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
			fprintf(stderr,
			    "usher: descriptor %d (%s) is not a "
			    "listening stream socket: give usher.socket "
			    "ListenStream= and Accept=no\n",
			    socket, names[i]);
			return -1;
		}
		if (!has_room(s->n) || fd_set_nonblock(socket, 1) < 0 ||
		    add_socket(s, socket, names[i]) < 0)
			return -1;
		free(names[i]);
	}
	free(names);
	s->passed = n > 0;
	return 0;
}

static int
bind_to(struct serve *s, const struct addr *addr)
{
	struct addr bound = { .len = sizeof(struct sockaddr_un) };
	char buffer[ADDR_TEXT_MAX];
	struct line text = LINE(buffer);
	int on = 1;
	int socket_fd = socket(
	    addr->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (!has_room(s->n))
		return -1;
	addr_write(&text, addr);
	if (socket_fd < 0 ||
	    (addr->any.sa_family != AF_UNIX &&
		setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on,
		    sizeof(on)) < 0) ||
	    (addr->any.sa_family == AF_INET6 &&
		setsockopt(socket_fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on)) < 0) ||
	    bind(socket_fd, &addr->any, addr->len) < 0 ||
	    listen(socket_fd, BACKLOG) < 0) {
		fprintf(stderr, "usher: cannot listen on %s: %s\n", buffer,
		    strerror(errno));
		return -1;
	}
	/* With port 0 it is only known now. */
	text = LINE(buffer);
	if (getsockname(socket_fd, &bound.any, &bound.len) == 0)
		addr_write(&text, &bound);
	fprintf(stderr, "listening on %s\n", buffer);
	return add_socket(s, socket_fd, "");
}

static int
bind_listed(struct serve *s)
{
	const struct settings *settings = &s->rules->settings;

	for (size_t i = 0; i < s->n_listen; i++)
		if (bind_to(s, &s->listen[i]) < 0)
			return -1;
	for (size_t i = 0; s->n_listen == 0 && i < settings->n_listen; i++)
		if (bind_to(s, &settings->listen[i]) < 0)
			return -1;
	return 0;
}

static int
take_sockets(struct serve *s)
{
	int r = take_passed(s);

	if (r < 0)
		return EXIT_FAILED;
	if (!s->passed && bind_listed(s) < 0)
		return EXIT_FAILED;
	if (s->n > 0)
		return EXIT_DONE;
	fputs("usher: there is no socket to serve: none was passed by "
	      "systemd, and nothing says where to listen\n"
	      "start it by its socket:   systemctl enable --now usher.socket\n"
	      "or name an address:       usher serve --listen 0.0.0.0:443\n"
	      "or put one in the rules:  listen = 0.0.0.0:443\n",
	    stderr);
	return EXIT_USAGE;
}

/* Who to be once everything is open, as numbers: usherd has no NSS. */
static int
find_user(struct serve *s)
{
	const struct settings *settings = &s->rules->settings;
	const char *name = settings->user == NULL ? "nobody" : settings->user;
	const struct passwd *user;
	const struct group *group;
	gid_t gid;

	if (getuid() != 0 || s->passed) {
		if (settings->user != NULL || settings->group != NULL ||
		    settings->chroot != NULL)
			fprintf(stderr,
			    "usher: user, group and chroot are "
			    "ignored: %s\n",
			    s->passed ?
				"the sockets were passed, so use the unit's "
				"User=" :
				"not started as root");
		return 0;
	}
	user = getpwnam(name);
	if (user == NULL) {
		fprintf(stderr, "usher: no such user: %s\n", name);
		return -1;
	}
	gid = user->pw_gid;
	if (settings->group != NULL) {
		group = getgrnam(settings->group);
		if (group == NULL) {
			fprintf(stderr, "usher: no such group: %s\n",
			    settings->group);
			return -1;
		}
		gid = group->gr_gid;
	}
	if (settings->chroot != NULL)
		snprintf(s->chroot, sizeof(s->chroot), "%s", settings->chroot);
	snprintf(s->drop, sizeof(s->drop), "%u:%u", user->pw_uid, gid);
	return 0;
}

/* The rules in normal form, in memory that nobody can change any more. */
static int
write_rules(const struct rules *rules)
{
	int memory = memfd_create("rules", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	FILE *out = memory < 0 ? NULL : fdopen(dup(memory), "w");
	int r;

	if (out == NULL) {
		fprintf(stderr, "usher: cannot hand the rules over: %s\n",
		    strerror(errno));
		return -1;
	}
	r = rules_write(out, rules);
	if (fclose(out) != 0 || r < 0 ||
	    fcntl(memory, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
		fprintf(stderr, "usher: cannot hand the rules over: %s\n",
		    strerror(errno));
		(void)close(memory);
		return -1;
	}
	return memory;
}

static int
put(int fd, int at)
{
	int aside = fcntl(fd, F_DUPFD_CLOEXEC, ASIDE_FD);

	(void)close(fd);
	return aside < 0 || dup2(aside, at) < 0 ? -1 : 0;
}

/* Everything to where handover.h says, and nothing else left open. */
static int
arrange(const struct serve *s, int rules, int relay)
{
	int aside[2] = { fcntl(rules, F_DUPFD_CLOEXEC, ASIDE_FD),
		fcntl(relay, F_DUPFD_CLOEXEC, ASIDE_FD) };

	if (aside[0] < 0 || aside[1] < 0 || put(aside[0], RULES_FD) < 0 ||
	    put(aside[1], RELAY_EXE_FD) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		if (dup2(s->sockets[i], LISTENERS_FD + (int)i) < 0)
			return -1;
	(void)close(LOG_FD);
	(void)close(BOARD_FD);
	(void)close(KEEPER_FD);
	return fd_close_from(LISTENERS_FD + (int)s->n);
}

static int
become_usherd(struct serve *s)
{
	static char usher[PROGRAMS_PATH_MAX], usherd[PROGRAMS_PATH_MAX];
	const char *argv[LISTENERS_MAX + 16];
	size_t n = 0;

	programs_beside("usher", usher);
	programs_beside("usherd", usherd);
	argv[n++] = "usherd";
	argv[n++] = "--serve";
	argv[n++] = "--usher";
	argv[n++] = usher;
	if (s->config != NULL) {
		argv[n++] = "--config";
		argv[n++] = s->config;
	}
	if (s->drop[0] != '\0') {
		argv[n++] = "--drop";
		argv[n++] = s->drop;
	}
	if (s->chroot[0] != '\0') {
		argv[n++] = "--chroot";
		argv[n++] = s->chroot;
	}
	argv[n++] = "--";
	for (size_t i = 0; i < s->n; i++)
		argv[n++] = s->names[i];
	argv[n] = NULL;
	execv(usherd, (char *const *)argv);
	fprintf(stderr, "usher: cannot run %s: %s\n", usherd, strerror(errno));
	return EXIT_FAILED;
}

/*
 * From when a socket is open on, somebody may ask for a reload.  Blocked, the
 * signal waits, through the exec too, for usherd to hear it.
 */
static void
hold_reloads(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

int
cmd_serve(int argc, char **argv)
{
	static struct serve serve;
	struct serve *s = &serve;
	char relay[PROGRAMS_PATH_MAX];
	int r, rules, relay_fd;

	r = parse_options(argc, argv, s);
	if (r != EXIT_DONE)
		return r;
	r = rules_load(s->config, 0, &s->rules);
	if (r < 0)
		return EXIT_FAILED;
	hold_reloads();
	r = take_sockets(s);
	if (r != EXIT_DONE)
		return r;
	if (find_user(s) < 0)
		return EXIT_FAILED;
	programs_relay(relay);
	relay_fd = open(relay, O_RDONLY | O_CLOEXEC);
	if (relay_fd < 0) {
		fprintf(stderr, "usher: cannot open %s: %s\n", relay,
		    strerror(errno));
		return EXIT_FAILED;
	}
	rules = write_rules(s->rules);
	if (rules < 0)
		return EXIT_FAILED;
	(void)sd_notify(0, "STATUS=rules read, starting usherd");
	if (arrange(s, rules, relay_fd) < 0) {
		fprintf(stderr, "usher: cannot arrange descriptors: %s\n",
		    strerror(errno));
		return EXIT_FAILED;
	}
	return become_usherd(s);
}
