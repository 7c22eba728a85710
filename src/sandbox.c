/*
 * sandbox.c - the two cages.
 */
#include "sandbox.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox_inner.h"

static void
lower(struct rlimit *rlimit, rlim_t most)
{
	if (rlimit->rlim_max > most)
		rlimit->rlim_max = most;
	if (rlimit->rlim_cur > rlimit->rlim_max)
		rlimit->rlim_cur = rlimit->rlim_max;
}

/* A macro because the type of resource is not the same in every libc. */
#define LIMIT(resource, most)                                  \
	do {                                                   \
		struct rlimit rlimit_;                         \
		if (getrlimit((resource), &rlimit_) == 0) {    \
			lower(&rlimit_, (most));               \
			(void)setrlimit((resource), &rlimit_); \
		}                                              \
	} while (0)

static bool
stderr_is_file(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}

/*
 * Who has many connections may need more than the soft limit that it was
 * started with; never more than the hard one.
 */
static void
raise_descriptors(rlim_t most)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < most ? limit.rlim_max : most;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
limit_resources(const struct sandbox_spec *spec)
{
	LIMIT(RLIMIT_CORE, 0);
	LIMIT(RLIMIT_MEMLOCK, 0);
	LIMIT(RLIMIT_MSGQUEUE, 0);
	if (spec->descriptors > 0) {
		LIMIT(RLIMIT_NOFILE, spec->descriptors);
		raise_descriptors(spec->descriptors);
	}
	/* Growing a file is a SIGXFSZ: not where the log goes into one. */
	if (!stderr_is_file())
		LIMIT(RLIMIT_FSIZE, 0);
}

/* What this process may do for "transparent" its relays need not. */
static void
keep_rights_from_heirs(void)
{
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static bool for_heirs;

bool
sandbox_is_for_heirs(void)
{
	return for_heirs;
}

#ifdef USHER_SANITIZED

int
sandbox_acceptor(const struct sandbox_spec *spec)
{
	/* Sanitizers and coverage need the very things that are forbidden. */
	keep_rights_from_heirs();
	(void)limit_resources;
	(void)spec;
	return 0;
}

int
sandbox_relay(bool many)
{
	(void)many;
	return 0;
}

#else

int
sandbox_acceptor(const struct sandbox_spec *spec)
{
	unsigned when = WHEN_ALWAYS;
	int parts, r;

	keep_rights_from_heirs();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	limit_resources(spec);
	parts = landlock_enforce(spec);
	if (parts < 0)
		return parts;
	if (spec->bind)
		when |= WHEN_BIND;
	when |= spec->shared ? WHEN_SHARED : WHEN_ALONE;
	if (spec->local)
		when |= WHEN_LOCAL;
	r = seccomp_enforce(&acceptor_list, when);
	for_heirs = r > 0 && r & SANDBOX_HEIR;
	return r < 0 ? r : parts | r;
}

int
sandbox_relay(bool many)
{
	/* Inherited from the acceptor; for a relay that had none. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return seccomp_enforce(&relay_list, many ? WHEN_SHARED : WHEN_ALWAYS);
}

#endif

void
sandbox_missing(int parts, struct line *text)
{
	static const struct {
		int part;
		const char *name;
	} names[] = {
		{ SANDBOX_SECCOMP, "seccomp" },
		{ SANDBOX_FILES, "Landlock for files" },
		{ SANDBOX_PORTS, "Landlock for ports" },
		{ SANDBOX_SCOPES, "Landlock for signals" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (parts & names[i].part)
			continue;
		if (text->len > 0)
			line_text(text, ", ");
		line_text(text, names[i].name);
	}
}
