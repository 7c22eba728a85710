/* rules_look.c - what is there on this machine; see rules_look.h. */
#include "rules_look.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "origin.h"
#include "own.h"
#include "unit.h"
#include "way_back.h"

static const char *
look_at_file(const char *path, mode_t type, const char *otherwise)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return errno == ENOENT || errno == ENOTDIR ?
		    "is not there" :
		    "cannot be looked at";
	return (status.st_mode & S_IFMT) == type ? NULL : otherwise;
}

static const char *
look_at_program(const char *path)
{
	const char *wrong = look_at_file(path, S_IFREG, "is no program");

	if (wrong != NULL)
		return wrong;
	return access(path, X_OK) == 0 ? NULL : "is not executable";
}

/* By usher.service if there is one, else by whoever asks. */
static const char *
look_at_right(void)
{
	const struct unit *unit = unit_look();

	if (unit->loaded && !unit->net_raw)
		return "\"transparent\" needs CAP_NET_RAW, and usher.service "
		       "does not give it: systemctl edit usher, with the "
		       "lines of contrib/transparent/usher.service.d";
	if (!unit->loaded && !way_back_is_permitted())
		return "\"transparent\" needs CAP_NET_RAW: start usher as "
		       "root, which keeps nothing else, or by a unit with "
		       "AmbientCapabilities=CAP_NET_RAW";
	return NULL;
}

static const char *
look_at_way_back(const char *host)
{
	static char text[640];
	struct line why = LINE(text);
	struct addr backend;

	line_text(&why, origin_no_way_back);
	if (addr_parse_host(host, strlen(host), &backend) < 0)
		return NULL;
	return way_back_look(&backend, &why) == 1 ? text : NULL;
}

static const char *
look_at_unit(void)
{
	const struct unit *unit = unit_look();

	if (!unit->loaded || !unit->unprivileged)
		return NULL;
	return "would run without root's rights, and sudo would not work in "
	       "it: usher.service has none to give (DynamicUser=, "
	       "NoNewPrivileges=); what needs them, such as sshd -i, is "
	       "reached by \"pass\", see contrib/pass";
}

const char *
look_at_system(enum look look, const char *name)
{
	switch (look) {
	case LOOK_PROGRAM:
		return look_at_program(name);
	case LOOK_SOCKET:
		return look_at_file(name, S_IFSOCK, "is no socket");
	case LOOK_USER:
		return getpwnam(name) != NULL ? NULL : "is no user here";
	case LOOK_GROUP:
		return getgrnam(name) != NULL ? NULL : "is no group here";
	case LOOK_DIRECTORY:
		return look_at_file(name, S_IFDIR, "is no directory");
	case LOOK_ADDRESS:
		return own_address_text(name) ? NULL : "is another machine's";
	case LOOK_TRANSPARENT:
		return look_at_right();
	case LOOK_WAY_BACK:
		return look_at_way_back(name);
	case LOOK_RIGHTS:
		return look_at_unit();
	case LOOK_NOT:
		break;
	}
	return NULL;
}
