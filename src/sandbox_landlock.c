/*
 * sandbox_landlock.c - files, ports and neighbours out of reach.
 *
 * Defined in landlock(7).  The structures are written down here because the
 * kernel's headers of many systems are older than their kernels; a kernel that
 * is older than the structures takes them as long as what it does not know is
 * zero.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"
#include "sandbox_inner.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define VERSION_FLAG 1u

enum rule_type { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

struct ruleset_attr {
	uint64_t files, ports, scopes;
};

struct path_beneath_attr {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

struct net_port_attr {
	uint64_t allowed;
	uint64_t port;
};

#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define NET_BIND (UINT64_C(1) << 0)
#define NET_CONNECT (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

/* What each version of the interface has added; versions from 1 on. */
static const struct ruleset_attr versions[] = {
	{ .files = (UINT64_C(1) << 13) - 1 },
	{ .files = UINT64_C(1) << 13 }, /* 2: REFER */
	{ .files = UINT64_C(1) << 14 }, /* 3: TRUNCATE */
	{ .ports = NET_BIND | NET_CONNECT },
	{ .files = UINT64_C(1) << 15 }, /* 5: IOCTL_DEV */
	{ .scopes = SCOPE_ABSTRACT | SCOPE_SIGNAL },
};

static const size_t known = sizeof(versions) / sizeof(versions[0]);

static int
add_rule(int ruleset, enum rule_type type, const void *attr)
{
	if (syscall(SYS_landlock_add_rule, ruleset, type, attr, 0) < 0)
		return -errno;
	return 0;
}

static int
allow_path(int ruleset, int path, uint64_t rights)
{
	const struct path_beneath_attr attr = { rights, path };
	int r = add_rule(ruleset, RULE_PATH_BENEATH, &attr);

	/* Not on a file system that has paths: nothing to forbid. */
	return r == -EBADFD ? 0 : r;
}

static int
allow_port(int ruleset, uint16_t port, uint64_t rights)
{
	const struct net_port_attr attr = { rights, port };

	return add_rule(ruleset, RULE_NET_PORT, &attr);
}

/* To load itself, a program that is not static reads these. */
static int
allow_libraries(int ruleset)
{
	static const char *const places[] = { "/lib", "/lib64", "/usr/lib",
		"/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache" };
	int r = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && r == 0;
	     i++) {
		FD_AUTO int path = open(places[i], O_PATH | O_CLOEXEC);

		if (path < 0)
			continue;
		r = allow_path(ruleset, path, FS_EXECUTE | FS_READ_FILE);
	}
	return r;
}

static int
allow_files(int ruleset, const struct sandbox_spec *spec)
{
	int r;

	if (spec->relay_exe < 0)
		return 0;
	r = allow_path(ruleset, spec->relay_exe, FS_EXECUTE | FS_READ_FILE);
	if (r == 0 && !SELF_CONTAINED)
		r = allow_libraries(ruleset);
	return r;
}

static int
allow_ports(int ruleset, const struct sandbox_spec *spec)
{
	int r = 0;

	for (size_t i = 0; i < spec->n_ports && r == 0; i++)
		r = allow_port(ruleset, spec->ports[i], NET_CONNECT);
	/* Port 0: one of the kernel's choice, to connect from. */
	if (r == 0 && spec->bind)
		r = allow_port(ruleset, 0, NET_BIND);
	return r;
}

/* Everything that this kernel can forbid, as far as we know of it. */
static struct ruleset_attr
all_of(size_t version, const struct sandbox_spec *spec)
{
	struct ruleset_attr all = { 0 };

	for (size_t i = 0; i < version && i < known; i++) {
		all.files |= versions[i].files;
		all.ports |= versions[i].ports;
		all.scopes |= versions[i].scopes;
	}
	if (spec->abstract)
		all.scopes &= ~SCOPE_ABSTRACT;
	return all;
}

int
landlock_enforce(const struct sandbox_spec *spec)
{
	long version =
	    syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, VERSION_FLAG);
	FD_AUTO int ruleset = -1;
	struct ruleset_attr all;
	int r;

	if (version <= 0) /* none in this kernel, or not switched on */
		return 0;
	all = all_of((size_t)version, spec);
	ruleset =
	    (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (ruleset < 0)
		return -errno;
	r = allow_files(ruleset, spec);
	if (r == 0 && all.ports)
		r = allow_ports(ruleset, spec);
	if (r < 0)
		return r;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	return SANDBOX_FILES | (all.ports ? SANDBOX_PORTS : 0) |
	    (all.scopes ? SANDBOX_SCOPES : 0);
}
