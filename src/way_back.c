/* way_back.c - what is missing for "transparent"; see way_back.h. */
#include "way_back.h"

#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "origin.h"
#include "routes.h"

#define RULES_MAX 64

/* Clients that are nobody's (RFC 5737, RFC 3849), to ask the way to. */
static const char *const nobody[] = { "192.0.2.254", "2001:db8::ffff" };

/* What is in nftables if answers of this host, or of others, are marked. */
#define MARKS_OWN "route hook output"
#define MARKS_OTHERS "socket"

/* What is known of one backend. */
struct look {
	const struct addr *backend;
	struct addr client;
	int family;
	bool loopback, own; /* where the backend is */
	int device; /* where its answers come in; 0: they are sent here */
	char device_name[IF_NAMESIZE];
	struct route_rule rules[RULES_MAX];
	size_t n_rules;
};

static int
begin(struct look *look, const struct addr *backend)
{
	const char *client = nobody[backend->any.sa_family == AF_INET6];
	const struct route_question there = { .to = backend };
	struct route_answer answer;
	int r;

	look->backend = backend;
	look->family = backend->any.sa_family;
	look->loopback = origin_is_loopback(backend);
	r = addr_parse_host(client, strlen(client), &look->client);
	if (r == 0)
		r = routes_ask(&there, &answer);
	if (r < 0)
		return r;
	look->own = answer.local;
	look->device = answer.local ? 0 : answer.device;
	if (look->device != 0 &&
	    if_indextoname((unsigned)look->device, look->device_name) == NULL)
		return -errno;
	r = routes_rules(look->family, look->rules, RULES_MAX);
	look->n_rules = r < 0 ? 0 : (size_t)r;
	return r < 0 ? r : 0;
}

/* Where an answer with this mark would go: 1 here, 0 elsewhere, -errno. */
static int
comes_back(const struct look *look, uint32_t mark)
{
	const struct route_question answer = {
		.to = &look->client,
		.from = look->backend,
		.device = look->device,
		.mark = mark,
	};
	struct route_answer way;
	int r = routes_ask(&answer, &way);

	return r < 0 ? r : way.local;
}

/* /proc/sys/net/ipv4/conf/DEVICE/NAME, or 0. */
static int
sysctl_of(const char *device, const char *name)
{
	char path[96];
	int value = 0;
	FILE *file;

	(void)snprintf(
	    path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", device, name);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	value = fgetc(file);
	(void)fclose(file);
	return value >= '0' && value <= '9' ? value - '0' : 0;
}

/* The kernel goes by the larger one. */
static bool
is_strict(const char *device)
{
	int all = sysctl_of("all", "rp_filter");
	int own = sysctl_of(device, "rp_filter");

	return (all > own ? all : own) == 1;
}

/*
 * The table has a way, but the kernel does not believe that the answer comes
 * from where it says.
 */
static unsigned
find_disbelief(const struct look *look)
{
	const char *device = look->device_name;

	if (sysctl_of("all", "src_valid_mark") ||
	    sysctl_of(device, "src_valid_mark"))
		return ORIGIN_VALID_MARK;
	return is_strict(device) ? ORIGIN_RP_FILTER : 0;
}

/* What nft says contains text: 1, 0, or -1 if it cannot be asked. */
static int
nft_has(const char *text)
{
	char line[1024];
	int found = 0, status;
	FILE *out;

	if (geteuid() != 0)
		return -1;
	out = popen("nft list ruleset 2>/dev/null </dev/null", "r");
	if (out == NULL)
		return -1;
	while (fgets(line, sizeof(line), out) != NULL)
		found |= strstr(line, text) != NULL;
	status = pclose(out);
	if (status < 0 || !WIFEXITED(status))
		return -1;
	/* No nft and no iptables: nobody has made such a rule. */
	if (WEXITSTATUS(status) == 127)
		return access("/proc/net/ip_tables_matches", F_OK) == 0 ? -1 :
									  0;
	return WEXITSTATUS(status) == 0 ? found : -1;
}

/*
 * Whether this is the kind of rule that the backend's answers need.  What ::1
 * sends can be marked in time, what 127.0.0.1 sends is not sent at all.
 */
static bool
is_for(const struct look *look, const struct route_rule *rule)
{
	if (!look->loopback)
		return rule->mark != 0;
	return rule->from_loopback ||
	    (rule->mark != 0 && look->family == AF_INET6 &&
		nft_has(MARKS_OWN) != 0);
}

/* Nobody can ask what the kernel would mark: it is looked for as text. */
static unsigned
find_marking(const struct look *look)
{
	if (look->loopback)
		return 0;
	if (look->own)
		return nft_has(MARKS_OWN) == 0 ? ORIGIN_MARKING : 0;
	return nft_has(MARKS_OTHERS) == 0 ? ORIGIN_MARKING : 0;
}

/* Everything that is missing, and the table that it should be in. */
static unsigned
find_missing(const struct look *look, uint32_t *table)
{
	bool any_rule = false, disbelieved = false;
	unsigned missing = 0;

	*table = ORIGIN_TABLE_NUMBER;
	for (size_t i = 0; i < look->n_rules; i++) {
		const struct route_rule *rule = &look->rules[i];
		int r;

		if (!is_for(look, rule))
			continue;
		r = comes_back(look, rule->mark);
		if (r == 1)
			return find_marking(look);
		any_rule = true;
		*table = rule->table;
		if (routes_table_is_local(look->family, rule->table) == 1)
			disbelieved = true;
	}
	if (disbelieved)
		return find_disbelief(look) | find_marking(look);
	if (!any_rule)
		missing |= ORIGIN_RULE;
	if (routes_table_is_local(look->family, *table) != 1)
		missing |= ORIGIN_ROUTE;
	return missing | find_marking(look);
}

int
way_back_look(const struct addr *backend, struct line *why)
{
	struct look look = { 0 };
	uint32_t table;
	unsigned missing;
	int r = begin(&look, backend);

	if (r < 0)
		return r;
	missing = find_missing(&look, &table);
	if (missing == 0)
		return 0;
	origin_write_commands(why, backend, missing, table, look.device_name);
	return 1;
}

bool
way_back_is_permitted(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const uint32_t enough =
	    UINT32_C(1) << CAP_NET_RAW | UINT32_C(1) << CAP_NET_ADMIN;

	return syscall(SYS_capget, &header, data) == 0 &&
	    (data[0].effective & enough) != 0;
}
