#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <syslog.h>
#include <unistd.h>

#include "arena.h"
#include "handover.h"
#include "log.h"
#include "sandbox.h"

/* In a process that carries many: two sockets and a pipe's ends. */
#define FDS_PER_CONNECTION 4
/*
 * Listeners, and what is on its way to the keeper or a relay, for that of all
 * children counts against each one's limit.
 */
#define SPARE_FDS 1024

_Static_assert(SANDBOX_LOG_FD == LOG_FD && SANDBOX_KEEPER_FD == KEEPER_FD,
    "the sandbox looks after other descriptors than ours");

/* With what standard input is, which is nothing. */
static int
occupy(int fd)
{
	if (fcntl(fd, F_GETFD) >= 0)
		return 0;
	return dup3(STDIN_FILENO, fd, O_CLOEXEC) < 0 ? -errno : 0;
}

static size_t
count_backends(const struct rules *rules)
{
	size_t n = 0;

	for (size_t i = 0; i < rules->n_services; i++)
		n += rules->services[i].n_backends;
	return n;
}

static bool
is_abstract(const struct addr *addr)
{
	return addr->any.sa_family == AF_UNIX && addr->path.sun_path[0] == 0;
}

static void
note_service(
    const struct service *service, uint16_t *ports, struct sandbox_spec *spec)
{
	spec->bind |= service->transparent || service->bind.len != 0;
	spec->local |= service->target == GO_PASS;
	spec->abstract |=
	    service->target == GO_PASS && is_abstract(&service->pass);
	for (size_t i = 0; i < service->n_backends; i++) {
		const struct addr *addr = &service->backends[i];

		if (addr->any.sa_family != AF_UNIX) {
			ports[spec->n_ports++] = addr_port(addr);
			continue;
		}
		spec->local = true;
		spec->abstract |= is_abstract(addr);
	}
}

static void
say_what_is_missing(int parts, _Atomic uint32_t *told)
{
	char missing[128], buffer[192];
	struct line list = LINE(missing), text = LINE(buffer);

	sandbox_missing(parts, &list);
	if (list.len == 0 || atomic_exchange(told, 1))
		return;
	line_text(&text, "this system cannot give the sandbox: ");
	line_text(&text, missing);
	log_event(LOG_NOTICE, buffer);
}

int
confine(const struct rules *rules, int relay_exe, _Atomic uint32_t *told)
{
	size_t n = count_backends(rules);
	struct arena *arena = arena_new();
	uint16_t *ports =
	    arena == NULL ? NULL : arena_alloc(arena, (n + 1) * sizeof(*ports));
	struct sandbox_spec spec = {
		.relay_exe = relay_exe,
		.ports = ports,
		.shared = rules->settings.isolation == ISOLATION_SHARED,
	};
	int parts = ports == NULL ? -ENOMEM : occupy(LOG_FD);

	/* An acceptor has those who have not sent anything yet. */
	spec.descriptors = SPARE_FDS + rules->settings.max_pending;
	if (spec.shared)
		spec.descriptors = SPARE_FDS +
		    rules->settings.limits.max_connections * FDS_PER_CONNECTION;

	if (parts == 0)
		parts = occupy(KEEPER_FD);
	if (parts == 0) {
		for (size_t i = 0; i < rules->n_services; i++)
			note_service(&rules->services[i], ports, &spec);
		parts = sandbox_acceptor(&spec);
	}
	arena_free(arena);
	if (parts < 0) {
		log_errno(LOG_ERR, "cannot put on the sandbox", -parts);
		return parts;
	}
	say_what_is_missing(parts, told);
	return 0;
}
