/* rules_loop.c - backends that are usher itself; see rules_loop.h. */
#include "rules_loop.h"

#include <arpa/inet.h>

#include "rules_parser.h"

/* 0.0.0.0 or [::] */
static bool
is_any(const struct addr *addr)
{
	if (addr->any.sa_family == AF_INET)
		return addr->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr);
}

static bool
is_loopback(const struct addr *addr)
{
	if (addr->any.sa_family == AF_INET)
		return ntohl(addr->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&addr->v6.sin6_addr);
}

/* Connecting to any address is connecting to the first loopback address. */
static void
settle(struct addr *addr)
{
	addr_unmap(addr);
	if (addr->any.sa_family == AF_INET && is_any(addr))
		addr->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (addr->any.sa_family == AF_INET6 && is_any(addr))
		addr->v6.sin6_addr = in6addr_loopback;
}

bool
rules_loop(const struct addr *listener, const struct addr *backend, bool is_own)
{
	struct addr at = *listener, to = *backend;

	if (at.len == 0 || to.len == 0)
		return false;
	settle(&to);
	addr_unmap(&at);
	if (at.any.sa_family != to.any.sa_family ||
	    addr_port(&at) != addr_port(&to))
		return false;
	if (at.any.sa_family != AF_UNIX && is_any(&at))
		return is_own || is_loopback(&to);
	return addr_equal(&at, &to);
}

/* Asked only of usher check, where others look for what is not there. */
static bool
ask_own(const struct parser *parser, const struct addr *addr)
{
	char buffer[ADDR_TEXT_MAX];
	struct line text = LINE(buffer);
	rules_look *ask = parser->mistakes->look;

	if (ask == NULL || addr->any.sa_family == AF_UNIX)
		return false;
	addr_write_host(&text, addr);
	return ask(LOOK_ADDRESS, buffer) == NULL;
}

static bool
check_backend(
    struct parser *parser, const struct addr *backend, const struct place *at)
{
	const struct settings *settings = &parser->rules->settings;
	char buffer[ADDR_TEXT_MAX];
	struct line text = LINE(buffer);

	for (size_t i = 0; i < settings->n_listen; i++) {
		const struct addr *listener = &settings->listen[i];

		if (addr_port(listener) != addr_port(backend) ||
		    !rules_loop(listener, backend, ask_own(parser, backend)))
			continue;
		addr_write(&text, listener);
		WARN_AT(parser, at,
		    "usher itself listens here (listen = ", buffer,
		    "): each connection would come back as a new client, "
		    "without end");
		return true;
	}
	return false;
}

void
lint_loops(struct parser *parser)
{
	for (size_t i = 0; i < parser->n_drafts; i++) {
		const struct draft *draft = parser->drafts[i];
		const struct service *service = &draft->service;

		if (draft->doubtful)
			continue;
		for (size_t j = 0; j < service->n_backends; j++)
			if (check_backend(parser, &service->backends[j],
				&draft->backend_at[j]))
				break;
	}
}
