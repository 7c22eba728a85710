/* origin.c - the commands for "transparent"; see origin.h. */
#include "origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

const char origin_right_hint[] =
    "systemctl edit usher, with the lines of "
    "contrib/transparent/usher.service.d, or start usher as root";

const char origin_no_way_back[] =
    "answers to the client's address, from where nothing leads back to "
    "usher: ";

bool
origin_is_loopback(const struct addr *backend)
{
	if (backend->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&backend->v6.sin6_addr);
	return backend->any.sa_family == AF_INET &&
	    ntohl(backend->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static void
next(struct line *out, bool *any)
{
	if (*any)
		line_text(out, " && ");
	*any = true;
}

static void
write_rule(struct line *out, bool v6, bool loopback, uint32_t table)
{
	line_text(out, v6 ? "ip -6 rule add " : "ip rule add ");
	if (!loopback)
		line_text(out, "fwmark " ORIGIN_MARK);
	else
		line_text(
		    out, v6 ? "from ::1 iif lo" : "from 127.0.0.0/8 iif lo");
	line_text(out, " lookup ");
	line_uint(out, table);
}

void
origin_write_commands(struct line *out, const struct addr *backend,
    unsigned parts, uint32_t table, const char *device)
{
	bool v6 = backend->any.sa_family == AF_INET6, any = false;

	if (parts & ORIGIN_RULE) {
		next(out, &any);
		write_rule(out, v6, origin_is_loopback(backend), table);
	}
	if (parts & ORIGIN_ROUTE) {
		next(out, &any);
		line_text(out, v6 ? "ip -6 route" : "ip route");
		line_text(out, " add local default dev lo table ");
		line_uint(out, table);
	}
	if (parts & ORIGIN_MARKING) {
		next(out, &any);
		line_text(out, "nft -f contrib/transparent/usher.nft");
	}
	if (parts & ORIGIN_VALID_MARK) {
		next(out, &any);
		line_text(out, "sysctl net.ipv4.conf.all.src_valid_mark=0");
	}
	if (parts & ORIGIN_RP_FILTER) {
		next(out, &any);
		line_text(out, "sysctl net.ipv4.conf.");
		line_text(out, device);
		line_text(out, ".rp_filter=2");
	}
}
