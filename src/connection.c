/*
 * connection.c - names of ends, and addresses in their short form.
 */
#include "connection.h"

#include <string.h>

static const char *const end_names[END_COUNT] = {
	[END_NONE] = "none",
	[END_CLIENT_CLOSED] = "client-closed",
	[END_BACKEND_CLOSED] = "backend-closed",
	[END_CLIENT_RESET] = "client-reset",
	[END_BACKEND_RESET] = "backend-reset",
	[END_IDLE] = "idle",
	[END_HALF_CLOSE_TIMEOUT] = "half-close-timeout",
	[END_KILLED] = "killed",
	[END_NO_RULE] = "no-rule",
	[END_REJECTED] = "rejected",
	[END_REFUSED] = "refused",
	[END_CONNECT_TIMEOUT] = "connect-timeout",
	[END_GONE] = "gone",
	[END_LIMIT] = "limit",
	[END_ERROR] = "error",
};

const char *
end_name(unsigned end)
{
	return end_names[end < END_COUNT ? end : END_ERROR];
}

void
endpoint_from(struct endpoint *ret, const struct addr *addr)
{
	struct addr plain = *addr;

	memset(ret, 0, sizeof(*ret));
	if (plain.len == 0)
		return;
	addr_unmap(&plain);
	if (plain.any.sa_family == AF_INET)
		memcpy(ret->ip, &plain.v4.sin_addr, 4);
	else if (plain.any.sa_family == AF_INET6)
		memcpy(ret->ip, &plain.v6.sin6_addr, 16);
	else
		return;
	ret->family = plain.any.sa_family;
	ret->port = addr_port(&plain);
}

void
endpoint_to(struct addr *ret, const struct endpoint *endpoint)
{
	memset(ret, 0, sizeof(*ret));
	if (endpoint->family == AF_INET) {
		ret->len = sizeof(ret->v4);
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(endpoint->port);
		memcpy(&ret->v4.sin_addr, endpoint->ip, 4);
	} else if (endpoint->family == AF_INET6) {
		ret->len = sizeof(ret->v6);
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(endpoint->port);
		memcpy(&ret->v6.sin6_addr, endpoint->ip, 16);
	}
}
