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
#include "programs.h"
#include "rules.h"
#include "rules_files.h"
#include "sockets.h"

struct serve {
	const char *config; /* -c; NULL: the default place */
	struct addr listen[LISTENERS_MAX]; /* --listen */
	size_t n_listen;
	struct rules *rules;
	enum rules_origin origin;
	struct sockets sockets;
	char drop[32], chroot[PROGRAMS_PATH_MAX];
};

static int
parse_listen(struct serve *s, const char *text)
{
	struct addr *addr = &s->listen[s->n_listen];

	if (!sockets_have_room(s->n_listen))
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
take_sockets(struct serve *s)
{
	if (sockets_take(&s->sockets, s->listen, s->n_listen, s->rules) < 0)
		return EXIT_FAILED;
	sockets_warn_of_loops(&s->sockets, s->rules);
	if (s->sockets.n > 0)
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

	if (getuid() != 0 || s->sockets.passed) {
		if (settings->user != NULL || settings->group != NULL ||
		    settings->chroot != NULL)
			fprintf(stderr,
			    "usher: user, group and chroot are "
			    "ignored: %s\n",
			    s->sockets.passed ?
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
	for (size_t i = 0; i < s->sockets.n; i++)
		if (dup2(s->sockets.fds[i], LISTENERS_FD + (int)i) < 0)
			return -1;
	(void)close(LOG_FD);
	(void)close(BOARD_FD);
	(void)close(KEEPER_FD);
	return fd_close_from(LISTENERS_FD + (int)s->sockets.n);
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
	if (s->origin != RULES_BUILT_IN) {
		argv[n++] = "--need";
		argv[n++] = s->origin == RULES_FROM_FILE ? "file" : "any";
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
	for (size_t i = 0; i < s->sockets.n; i++)
		argv[n++] = s->sockets.names[i];
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
	s->origin = (enum rules_origin)r;
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
