/*
 * sandbox.h - what a process may still ask of the kernel.
 *
 * The one idea: there are two cages, one inside the other.  The acceptor
 * locks itself into the first before it forks its first child, so that every
 * child is born in it at no cost; usher-relay is in the second, in which two
 * sockets can be pumped and little else.  What is outside a cage's list kills
 * the process that asks for it (SIGSYS), and that process alone.
 *
 * A filter of its own would be a tenth of an idle relay's memory.  So the
 * acceptor's knows both cages, by where a call comes from: usher-relay is
 * linked above usherd, and neither has other code or can get any.
 *
 * The keeper and the programs it runs are never in a cage.
 */
#ifndef USHER_SANDBOX_H
#define USHER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"

/*
 * Descriptors that all processes share, and that none may shut or lead
 * elsewhere.  Something has to be open at both numbers, or an innocent one
 * might get them.
 */
#define SANDBOX_LOG_FD 3
#define SANDBOX_KEEPER_FD 5

/* What the children of this acceptor will need. */
struct sandbox_spec {
	int relay_exe; /* the one file they may execute; -1: none */
	const uint16_t *ports; /* TCP ports of all backends, host order */
	size_t n_ports;
	bool local; /* a rule goes to a unix socket */
	bool abstract; /* one of those is unix:@abstract */
	bool bind; /* a service has bind or transparent */
	bool shared; /* isolation = shared: one child, many connections */
	unsigned descriptors; /* RLIMIT_NOFILE, if it can be; 0: as is */
};

/* What is in force: the result of both functions is a sum of these. */
enum sandbox_part {
	SANDBOX_SECCOMP = 1,
	SANDBOX_FILES = 2, /* Landlock, since Linux 5.13 */
	SANDBOX_PORTS = 4, /* Landlock, since 6.7 */
	SANDBOX_SCOPES = 8, /* Landlock, since 6.12: signals, abstract */
	SANDBOX_ALL = 15,
	/* What the children execute is in the relay's cage from its start. */
	SANDBOX_HEIR = 16,
};

/*
 * Locks the calling process and all its descendants in, for good: no new
 * privileges, no ambient capability for what it will execute, Landlock, small
 * rlimits, and the acceptor's seccomp list. Everything must be open by now.
 * Returns the sum of the parts in force (the kernel may be too old for some;
 * none at all in a build for sanitizers), or -errno if a part that the kernel
 * has was refused; then nothing from the network may be read.
 */
int sandbox_acceptor(const struct sandbox_spec *spec);

/* Whether sandbox_acceptor() in this process, or a parent, gave the last. */
bool sandbox_is_for_heirs(void);

/*
 * Adds the relay's list on top, for one connection or for many.  For
 * usher-relay, after exec, with its scoreboard mapped, unless it is in that
 * cage already.  Returns SANDBOX_SECCOMP, 0 where there is none, or -errno.
 */
int sandbox_relay(bool many);

/* "seccomp, Landlock for ports": what is not in force.  Empty if all is. */
void sandbox_missing(int parts, struct line *text);

#endif
