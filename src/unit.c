/* unit.c - usher.service, by way of systemctl; see unit.h. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define COMMAND                                                           \
	"systemctl show usher.service --property=LoadState,DynamicUser,"  \
	"NoNewPrivileges,User,AmbientCapabilities,CapabilityBoundingSet," \
	"PrivateUsers 2>/dev/null </dev/null"

/* Whether the line is this property with this value. */
static bool
is(const char *line, const char *property_and_value)
{
	return strcmp(line, property_and_value) == 0;
}

static bool
begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

/* What one line of "NAME=VALUE" says. */
struct reading {
	bool loaded, dynamic, stuck, other_user, ambient, bounded, apart;
};

static void
read_line(struct reading *reading, const char *line)
{
	bool raw = strstr(line, "cap_net_raw") != NULL ||
	    strstr(line, "cap_net_admin") != NULL;

	reading->loaded |= is(line, "LoadState=loaded");
	reading->dynamic |= is(line, "DynamicUser=yes");
	reading->stuck |= is(line, "NoNewPrivileges=yes");
	reading->apart |=
	    begins(line, "PrivateUsers=") && !is(line, "PrivateUsers=no");
	if (begins(line, "User="))
		reading->other_user = !is(line, "User=") &&
		    !is(line, "User=root") && !is(line, "User=0");
	if (begins(line, "AmbientCapabilities="))
		reading->ambient = raw;
	if (begins(line, "CapabilityBoundingSet="))
		reading->bounded = !raw;
}

const struct unit *
unit_look(void)
{
	static struct unit unit;
	static bool looked;
	struct reading reading = { false };
	char line[4096];
	FILE *out;
	bool root;

	if (looked)
		return &unit;
	looked = true;
	out = popen(COMMAND, "r");
	if (out == NULL)
		return &unit;
	while (fgets(line, sizeof(line), out) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		read_line(&reading, line);
	}
	if (pclose(out) != 0)
		return &unit;
	root = !reading.dynamic && !reading.other_user;
	unit.loaded = reading.loaded;
	unit.unprivileged = !root || reading.stuck;
	unit.net_raw =
	    (root || reading.ambient) && !reading.bounded && !reading.apart;
	return &unit;
}
