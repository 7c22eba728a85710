/* routes.c - questions to rtnetlink; see routes.h. */
#include "routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"

#define BUFFER_SIZE 32768
#define PATIENCE_SECONDS 2

/* Both kinds of message begin alike: family, lengths, table, type. */
_Static_assert(sizeof(struct rtmsg) == sizeof(struct fib_rule_hdr),
    "attributes would begin elsewhere");

struct request {
	struct nlmsghdr head;
	struct rtmsg route;
	uint8_t attributes[128];
};

static void
add(struct request *request, unsigned short type, const void *data, size_t n)
{
	size_t at = NLMSG_ALIGN(request->head.nlmsg_len);
	struct rtattr attr = { (unsigned short)RTA_LENGTH(n), type };

	memcpy((uint8_t *)request + at, &attr, sizeof(attr));
	memcpy((uint8_t *)request + at + RTA_LENGTH(0), data, n);
	request->head.nlmsg_len = (uint32_t)(at + RTA_LENGTH(n));
}

static void
add_addr(struct request *request, unsigned short type, const struct addr *addr)
{
	if (addr->any.sa_family == AF_INET6)
		add(request, type, &addr->v6.sin6_addr, 16);
	else
		add(request, type, &addr->v4.sin_addr, 4);
}

/* What to do with an answer; true: enough. */
typedef bool take(const struct nlmsghdr *message, void *into);

/*
 * What follows something of len bytes at at, of which n are left.  As the
 * kernel's macros, but for a padding that is cut short, and without a cast
 * that loses alignment.
 */
static const void *
behind(const void *at, size_t len, size_t *n)
{
	len = NLMSG_ALIGN(len);
	if (len > *n)
		len = *n;
	*n -= len;
	return (const uint8_t *)at + len;
}

/* Returns 1 at the end of the answers, 0 if more may come, or -errno. */
static int
take_all(uint8_t *buffer, size_t n, bool dump, take *taker, void *into)
{
	const struct nlmsghdr *at = (const void *)buffer;

	for (; NLMSG_OK(at, n); at = behind(at, at->nlmsg_len, &n)) {
		if (at->nlmsg_type == NLMSG_DONE)
			return 1;
		if (at->nlmsg_type == NLMSG_ERROR)
			return at->nlmsg_len < NLMSG_LENGTH(sizeof(int)) ?
			    -EPROTO :
			    *(const int *)NLMSG_DATA(at);
		if (at->nlmsg_len < NLMSG_LENGTH(sizeof(struct rtmsg)))
			return -EPROTO;
		if (taker(at, into) || !dump)
			return 1;
	}
	return 0;
}

static int
ask(const struct request *request, take *taker, void *into)
{
	static uint8_t buffer[BUFFER_SIZE]
	    __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	FD_AUTO int kernel =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int r = 0;

	if (kernel < 0)
		return -errno;
	if (setsockopt(kernel, SOL_SOCKET, SO_RCVTIMEO, &patience,
		sizeof(patience)) < 0 ||
	    send(kernel, request, request->head.nlmsg_len, 0) < 0)
		return -errno;
	while (r == 0) {
		ssize_t n = recv(kernel, buffer, sizeof(buffer), 0);

		if (n <= 0)
			return n == 0 ? -EPROTO : -errno;
		r = take_all(buffer, (size_t)n,
		    request->head.nlmsg_flags & NLM_F_DUMP, taker, into);
	}
	return r < 0 ? r : 0;
}

/* The attribute's bytes if there are at least n of them, or NULL. */
static const void *
attribute(const struct nlmsghdr *message, unsigned type, size_t n)
{
	size_t left = NLMSG_PAYLOAD(message, 0);
	const struct rtattr *at =
	    behind(NLMSG_DATA(message), sizeof(struct rtmsg), &left);

	for (; RTA_OK(at, left); at = behind(at, at->rta_len, &left))
		if (at->rta_type == type && RTA_PAYLOAD(at) >= n)
			return RTA_DATA(at);
	return NULL;
}

static uint32_t
number(const struct nlmsghdr *message, unsigned type, uint32_t otherwise)
{
	const void *data = attribute(message, type, sizeof(uint32_t));
	uint32_t value = otherwise;

	if (data != NULL)
		memcpy(&value, data, sizeof(value));
	return value;
}

static bool
take_route(const struct nlmsghdr *message, void *into)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	struct route_answer *answer = into;

	answer->local = route->rtm_type == RTN_LOCAL;
	answer->device = (int)number(message, RTA_OIF, 0);
	return true;
}

static struct request
request_for(unsigned short type, unsigned short flags, int family)
{
	return (struct request){
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
		    .nlmsg_type = type,
		    .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags),
		    .nlmsg_seq = 1 },
		.route = { .rtm_family = (unsigned char)family },
	};
}

int
routes_ask(const struct route_question *question, struct route_answer *ret)
{
	int family = question->to->any.sa_family;
	unsigned char bits = family == AF_INET6 ? 128 : 32;
	struct request request = request_for(RTM_GETROUTE, 0, family);
	struct route_answer answer = { 0 };
	uint32_t device = (uint32_t)question->device;
	int r;

	add_addr(&request, RTA_DST, question->to);
	request.route.rtm_dst_len = bits;
	if (question->from != NULL) {
		add_addr(&request, RTA_SRC, question->from);
		request.route.rtm_src_len = bits;
	}
	if (device != 0)
		add(&request, RTA_IIF, &device, sizeof(device));
	if (question->mark != 0)
		add(&request, RTA_MARK, &question->mark, sizeof(uint32_t));
	r = ask(&request, take_route, &answer);
	if (r == 0)
		*ret = answer;
	return r;
}

struct rule_list {
	struct route_rule *rules;
	size_t n, max;
};

static bool
is_from_loopback(const struct nlmsghdr *message)
{
	const struct fib_rule_hdr *rule = NLMSG_DATA(message);
	struct in6_addr from6 = IN6ADDR_ANY_INIT;
	const char *device = attribute(message, FRA_IIFNAME, 3);
	const void *from = attribute(message, FRA_SRC, 4);

	if (device == NULL || memcmp(device, "lo", 3) != 0 || from == NULL)
		return false;
	if (rule->family == AF_INET)
		return *(const uint8_t *)from == IN_LOOPBACKNET;
	from = attribute(message, FRA_SRC, sizeof(from6));
	if (from != NULL)
		memcpy(&from6, from, sizeof(from6));
	return IN6_IS_ADDR_LOOPBACK(&from6);
}

static bool
take_rule(const struct nlmsghdr *message, void *into)
{
	const struct fib_rule_hdr *header = NLMSG_DATA(message);
	struct rule_list *list = into;
	const struct route_rule rule = {
		.mark = number(message, FRA_FWMARK, 0),
		.from_loopback = is_from_loopback(message),
		.table = number(message, FRA_TABLE, header->table),
	};

	if (header->action != FR_ACT_TO_TBL ||
	    (rule.mark == 0 && !rule.from_loopback))
		return false;
	if (list->n < list->max)
		list->rules[list->n++] = rule;
	return list->n == list->max;
}

int
routes_rules(int family, struct route_rule *ret, size_t max)
{
	const struct request request =
	    request_for(RTM_GETRULE, NLM_F_DUMP, family);
	struct rule_list list = { ret, 0, max };
	int r = ask(&request, take_rule, &list);

	return r < 0 ? r : (int)list.n;
}

struct table_search {
	uint32_t table;
	bool found;
};

static bool
take_default(const struct nlmsghdr *message, void *into)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	struct table_search *search = into;

	search->found = route->rtm_type == RTN_LOCAL &&
	    route->rtm_dst_len == 0 &&
	    number(message, RTA_TABLE, route->rtm_table) == search->table;
	return search->found;
}

int
routes_table_is_local(int family, uint32_t table)
{
	const struct request request =
	    request_for(RTM_GETROUTE, NLM_F_DUMP, family);
	struct table_search search = { .table = table };
	int r = ask(&request, take_default, &search);

	return r < 0 ? r : search.found;
}
