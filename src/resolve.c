/* resolve.c - names as numbers; see resolve.h. */
#include "resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"

static int
explain(int error, char *why, size_t why_size)
{
	const char *text = error == EAI_SYSTEM ? strerror(errno) :
	    error == EAI_SERVICE               ? "no such port name" :
						 gai_strerror(error);

	snprintf(why, why_size, "%s", text);
	return error == EAI_MEMORY ? -ENOMEM : -ENOENT;
}

static bool
is_known(const struct addr *addr, const struct addr *known, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(addr, &known[i]))
			return true;
	return false;
}

int
resolve_name(const char *host, const char *port, struct addr *ret, size_t max,
    char *why, size_t why_size)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found, *one;
	size_t len = strlen(host), n = 0;
	char bare[256];
	int r;

	/* [::1]:ssh: the address is a number, only the port is a name */
	if (len >= 2 && len < sizeof(bare) && host[0] == '[') {
		memcpy(bare, host + 1, len - 2);
		bare[len - 2] = '\0';
		host = bare;
	}
	r = getaddrinfo(host, port, &hints, &found);
	if (r != 0)
		return explain(r, why, why_size);
	for (one = found; one != NULL && n < max; one = one->ai_next) {
		struct addr addr = { .len = one->ai_addrlen };

		if (addr.len > sizeof(addr.v6))
			continue;
		memcpy(&addr.any, one->ai_addr, addr.len);
		if (!is_known(&addr, ret, n))
			ret[n++] = addr;
	}
	freeaddrinfo(found);
	if (n == 0)
		return explain(EAI_NONAME, why, why_size);
	return (int)n;
}

/* Whether it is numbers already, as in a file that is a dump. */
static bool
is_numeric(const char *user)
{
	size_t uid = strspn(user, "0123456789");
	size_t gid =
	    user[uid] == ':' ? strspn(user + uid + 1, "0123456789") : 0;

	return uid > 0 && gid > 0 && user[uid + 1 + gid] == '\0';
}

int
resolve_users(struct rules *rules, const struct service **ret)
{
	for (size_t i = 0; i < rules->n_services; i++) {
		struct service *service = &rules->services[i];
		const struct passwd *user;
		char text[32];

		if (service->user == NULL || is_numeric(service->user))
			continue;
		user = getpwnam(service->user);
		if (user == NULL) {
			*ret = service;
			return -ENOENT;
		}
		snprintf(
		    text, sizeof(text), "%u:%u", user->pw_uid, user->pw_gid);
		service->user = arena_text(rules->arena, text, strlen(text));
		if (service->user == NULL)
			return -ENOMEM;
	}
	return 0;
}
