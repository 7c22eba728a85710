/* own.c - whether an address is this machine's; see own.h. */
#include "own.h"

#include <string.h>
#include <sys/socket.h>

#include "fd.h"

bool
own_address(const struct addr *addr)
{
	struct addr at = *addr;
	FD_AUTO int probe = -1;

	addr_unmap(&at);
	if (at.len == 0)
		return false;
	if (at.any.sa_family == AF_INET)
		at.v4.sin_port = 0;
	else if (at.any.sa_family == AF_INET6)
		at.v6.sin6_port = 0;
	else
		return false;
	/* A datagram socket: nobody can connect to it meanwhile. */
	probe = socket(at.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return probe >= 0 && bind(probe, &at.any, at.len) == 0;
}

bool
own_address_text(const char *text)
{
	struct addr addr;

	return addr_parse_host(text, strlen(text), &addr) == 0 &&
	    own_address(&addr);
}
