/*
 * sandbox_inner.h - what the sandbox's files share.  For them only.
 */
#ifndef USHER_SANDBOX_INNER_H
#define USHER_SANDBOX_INNER_H

#include "sandbox.h"

/*
 * Whether the programs are complete in themselves.  Others load libraries
 * after an exec, inside the cage, and get what that takes.
 */
#if defined(USHER_STATIC) && !defined(__GLIBC__)
#define SELF_CONTAINED 1
#else
#define SELF_CONTAINED 0
#endif

/* Where usher-relay's code begins, above all of usherd's; 0: anywhere. */
#if SELF_CONTAINED && defined(USHER_RELAY_BASE)
#define RELAY_BASE USHER_RELAY_BASE
#else
#define RELAY_BASE 0
#endif

/* A condition on the low 32 bits of a system call's argument. */
struct check {
	uint8_t arg;
	bool differs; /* (arg & mask) != value instead of == */
	uint32_t mask; /* 0: no condition */
	uint32_t value;
};

#define CHECKS_MAX 3

/* Rows that are there only if the rules need them. */
enum sandbox_when {
	WHEN_ALWAYS,
	WHEN_BIND = 1,
	WHEN_SHARED = 2,
	WHEN_LOCAL = 4,
	WHEN_ALONE = 8, /* a child for each connection */
};

/* A system call that is allowed if all checks hold; rows are ORed. */
struct row {
	unsigned call;
	enum sandbox_when when;
	struct check checks[CHECKS_MAX];
};

struct list {
	const struct row *rows;
	size_t n;
	size_t n_common; /* the first so many are usher-relay's, too */
	bool spares_elders; /* kill() of the caller, or its parent, kills */
	/* What usher-relay may do besides, if it gets no list of its own. */
	const struct row *heir_rows;
	size_t n_heir_rows;
};

extern const struct list acceptor_list;
extern const struct list relay_list;

/*
 * Installs a list; when is the sum of the conditions that hold.  Returns
 * SANDBOX_SECCOMP, 0 where this processor or kernel has none, or -errno.
 * With SANDBOX_HEIR added it holds usher-relay as its own list would.
 */
int seccomp_enforce(const struct list *list, unsigned when);

/* Returns the sum of the parts in force, or -errno. */
int landlock_enforce(const struct sandbox_spec *spec);

#endif
