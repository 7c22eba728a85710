/* rules_look.c - what is there on this machine; see rules_look.h. */
#include "rules_look.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
	case LOOK_TRANSPARENT:
	case LOOK_NOT:
		break;
	}
	return NULL;
}
