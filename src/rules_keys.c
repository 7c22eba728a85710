/* rules_keys.c - every key that a rules file may use. */
#include "rules_keys.h"

#include <string.h>

#include "rules.h"
#include "scoreboard.h"
#include "suggest.h"

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define YEAR (366 * 24 * HOUR)
#define KEEPALIVE_MOST (32767 * SECOND) /* the kernel's TCP_KEEPIDLE */

static const struct choice log_choices[] = {
	{ "all", LOG_ALL, false },
	{ "errors", LOG_ERRORS, false },
	{ "none", LOG_NONE, false },
	{ NULL, 0, false },
};

static const struct choice log_target_choices[] = {
	{ "auto", TARGET_AUTO, false },
	{ "journal", TARGET_JOURNAL, false },
	{ "syslog", TARGET_SYSLOG, false },
	{ "syslog-rfc5424", TARGET_RFC5424, false },
	{ "stderr", TARGET_STDERR, false },
	{ NULL, 0, false },
};

static const struct choice log_client_choices[] = {
	{ "full", 0, false },
	{ "none", 1, false },
	{ NULL, 0, false },
};

static const struct choice isolation_choices[] = {
	{ "connection", ISOLATION_CONNECTION, false },
	{ "shared", ISOLATION_SHARED, false },
	{ NULL, 0, false },
};

static const struct choice relay_exec_choices[] = {
	{ "lazy", 0, false },
	{ "at-once", 1, false },
	{ NULL, 0, false },
};

static const struct choice balance_choices[] = {
	{ "first", BALANCE_FIRST, false },
	{ "random", BALANCE_RANDOM, false },
	{ "source", BALANCE_SOURCE, false },
	{ NULL, 0, false },
};

static const struct choice reject_choices[] = {
	{ "close", GO_CLOSE, false },
	{ "reset", GO_RESET, false },
	{ NULL, 0, false },
};

static const struct choice proxy_protocol_choices[] = {
	{ "v1", 1, false },
	{ "v2", 2, false },
	{ "none", 0, true },
	{ NULL, 0, false },
};

static const struct choice yes_no_choices[] = {
	{ "no", 0, false },
	{ "yes", 1, false },
	{ "true", 1, true },
	{ "on", 1, true },
	{ "1", 1, true },
	{ "false", 0, true },
	{ "off", 0, true },
	{ "0", 0, true },
	{ NULL, 0, false },
};

#define AT(s, member) .at = offsetof(struct s, member)
#define SIZED(s, member) \
	AT(s, member), .size = sizeof(((struct s *)NULL)->member)
#define RANGE(a, b) .least = (a), .most = (b)

#define SETTING .role = KEY_SETTING
#define LIMIT .role = KEY_LIMIT
#define CONDITION(kind)                                           \
	.role = KEY_CONDITION, .type = TYPE_VALUES, .at = (kind), \
	.repeats = true
#define TARGET .role = KEY_TARGET
#define MODIFIER(target) .role = KEY_MODIFIER, .of = (target)

const struct key keys[] = {
	{ "listen", SETTING, .type = TYPE_LISTEN, AT(settings, listen),
	    .help = "addresses to bind when no socket was passed" },
	{ "inspect-timeout", SETTING, .type = TYPE_DURATION,
	    AT(settings, inspect_ms), RANGE(1, HOUR), .fallback = "3s",
	    .help = "from accept until the decision must be made" },
	{ "silence-timeout", SETTING, .type = TYPE_DURATION,
	    AT(settings, silence_ms), RANGE(1, HOUR),
	    .help = "a client that sent nothing for this long is silent" },
	{ "connect-timeout", LIMIT, .type = TYPE_DURATION,
	    AT(limits, connect_ms), RANGE(1, HOUR), .fallback = "5s",
	    .help = "for each address of a backend that is tried" },
	{ "idle-timeout", LIMIT, .type = TYPE_DURATION, AT(limits, idle_ms),
	    RANGE(1, YEAR), .off = true, .fallback = "off",
	    .help = "ends a connection without a byte either way" },
	{ "half-close-timeout", LIMIT, .type = TYPE_DURATION,
	    AT(limits, half_close_ms), RANGE(1, YEAR), .off = true,
	    .fallback = "5min",
	    .help = "the idle limit once one side has finished sending" },
	{ "keepalive", LIMIT, .type = TYPE_DURATION, AT(limits, keepalive_ms),
	    RANGE(SECOND, KEEPALIVE_MOST), .off = true, .fallback = "60s",
	    .help = "TCP keepalive on both sides: dead peers go away" },
	{ "max-connections", LIMIT, .type = TYPE_COUNT,
	    AT(limits, max_connections), RANGE(1, SCOREBOARD_SLOTS),
	    .fallback = "1000",
	    .help = "one more waits; of one service: is reset" },
	{ "max-pending", SETTING, .type = TYPE_COUNT, AT(settings, max_pending),
	    RANGE(1, SCOREBOARD_SLOTS), .fallback = "256",
	    .help = "undecided connections; one more drops the oldest" },
	{ "max-per-source", SETTING, .type = TYPE_COUNT,
	    AT(settings, max_per_source), RANGE(1, SCOREBOARD_SLOTS),
	    .fallback = "100",
	    .help = "per IPv4 address or IPv6 /64; beyond it: reset" },
	{ "accept-proxy", SETTING, .type = TYPE_NETWORKS,
	    AT(settings, accept_proxy), .repeats = true,
	    .help = "networks that begin with a PROXY v1 or v2 header" },
	{ "isolation", SETTING, .type = TYPE_CHOICE, SIZED(settings, isolation),
	    .choices = isolation_choices, .fallback = "connection",
	    .help = "a process per connection, or one for many" },
	{ "exit-idle-time", SETTING, .type = TYPE_DURATION,
	    AT(settings, exit_idle_ms), RANGE(1, YEAR), .off = true,
	    .fallback = "off",
	    .help = "exit with no connection left for this long" },
	{ "relay-exec", SETTING, .type = TYPE_CHOICE,
	    SIZED(settings, relay_at_once), .choices = relay_exec_choices,
	    .fallback = "lazy",
	    .help = "when a connection gets a usher-relay of its own" },
	{ "log", LIMIT, .type = TYPE_CHOICE, SIZED(limits, log),
	    .choices = log_choices, .fallback = "all",
	    .help = "which connections get a line" },
	{ "log-target", SETTING, .type = TYPE_CHOICE,
	    SIZED(settings, log_target), .choices = log_target_choices,
	    .fallback = "auto", .help = "where lines go" },
	{ "log-client", SETTING, .type = TYPE_CHOICE,
	    SIZED(settings, hide_clients), .choices = log_client_choices,
	    .fallback = "full", .help = "none leaves client addresses out" },
	{ "user", SETTING, .type = TYPE_TEXT, AT(settings, user),
	    .look = LOOK_USER,
	    .help = "run as, if started as root without systemd" },
	{ "group", SETTING, .type = TYPE_TEXT, AT(settings, group),
	    .look = LOOK_GROUP,
	    .help = "the same for the group; default: the user's" },
	{ "chroot", SETTING, .type = TYPE_PATH, AT(settings, chroot),
	    .look = LOOK_DIRECTORY, .help = "and with this directory as root" },

	{ "protocol", CONDITION(COND_PROTOCOL),
	    .help = "a name of usher protocols, silent, or any" },
	{ "server-name", CONDITION(COND_SERVER_NAME),
	    .help = "TLS server name: NAME, *.DOMAIN, or * for any" },
	{ "alpn", CONDITION(COND_ALPN), .help = "an ALPN name offered in TLS" },
	{ "tls-version", CONDITION(COND_TLS_VERSION),
	    .help = "the highest version offered: 1.0 to 1.3" },
	{ "http-host", CONDITION(COND_HTTP_HOST),
	    .help = "the Host of a request: NAME, *.DOMAIN, or *" },
	{ "http-path", CONDITION(COND_HTTP_PATH),
	    .help = "what the path of a request begins with" },
	{ "payload", CONDITION(COND_PAYLOAD),
	    .help = "bytes: \"TEXT\" or hex digits, perhaps after OFFSET:" },
	{ "from", CONDITION(COND_FROM),
	    .help = "network of the client's address" },
	{ "local", CONDITION(COND_LOCAL),
	    .help = "address and/or :PORT that the client reached" },
	{ "socket", CONDITION(COND_SOCKET),
	    .help = "FileDescriptorName= of the listening socket" },

	{ "backend", TARGET, .type = TYPE_BACKENDS, AT(service, backends),
	    .help = "HOST:PORT or unix:PATH; several are tried in turn" },
	{ "exec", TARGET, .type = TYPE_EXEC, AT(service, argv),
	    .help = "a program to run on the client's socket" },
	{ "pass", TARGET, .type = TYPE_PASS, AT(service, pass),
	    .help = "unix:PATH that gets the client's socket itself" },
	{ "reject", TARGET, .type = TYPE_CHOICE, SIZED(service, target),
	    .choices = reject_choices, .help = "close or reset" },

	{ "balance", MODIFIER("backend"), .type = TYPE_CHOICE,
	    SIZED(service, balance), .choices = balance_choices,
	    .fallback = "first", .help = "the order of several backends" },
	{ "proxy-protocol", MODIFIER("backend"), .type = TYPE_CHOICE,
	    SIZED(service, proxy_protocol), .choices = proxy_protocol_choices,
	    .help = "send a PROXY header, v1 or v2, first" },
	{ "transparent", MODIFIER("backend"), .type = TYPE_CHOICE,
	    SIZED(service, transparent), .choices = yes_no_choices,
	    .look = LOOK_TRANSPARENT, .fallback = "no",
	    .help = "connect from the client's address" },
	{ "bind", MODIFIER("backend"), .type = TYPE_BIND, AT(service, bind),
	    .help = "connect from this address" },
	{ "user", MODIFIER("exec"), .type = TYPE_TEXT, AT(service, user),
	    .look = LOOK_USER, .help = "run the program as this user" },
};
const size_t keys_count = sizeof(keys) / sizeof(keys[0]);

_Static_assert(sizeof(keys) / sizeof(keys[0]) <= KEYS_MAX, "KEYS_MAX");
_Static_assert(sizeof(enum rules_log) == 4 && sizeof(bool) == 1,
    "choices are stored in 1 or 4 bytes");

/* What other programs call it, where that is too far off to be guessed. */
static const struct {
	const char *theirs, *ours;
} elsewhere[] = {
	{ "sni", "server-name" },
	{ "sni-hostnames", "server-name" },
	{ "servername", "server-name" },
	{ "host", "http-host" },
	{ "hdr", "http-host" },
	{ "path", "http-path" },
	{ "alpn-protocols", "alpn" },
	{ "upstream", "backend" },
	{ "server", "backend" },
	{ "proxy-pass", "backend" },
	{ "target", "backend" },
	{ "destination", "backend" },
	{ "command", "exec" },
	{ "program", "exec" },
	{ "execstart", "exec" },
	{ "source", "from" },
	{ "src", "from" },
	{ "port", "local" },
	{ "dst-port", "local" },
	{ "maxconn", "max-connections" },
	{ "bind-address", "listen" },
	{ "send-proxy", "proxy-protocol" },
	{ "inspect-delay", "inspect-timeout" },
	{ "timeout", "idle-timeout" },
	{ "user-name", "user" },
	{ "deny", "reject" },
};

bool
key_in_service(const struct key *key)
{
	return key->role != KEY_SETTING;
}

bool
key_in_settings(const struct key *key)
{
	return key->role == KEY_SETTING || key->role == KEY_LIMIT;
}

static bool
may_stand(const struct key *key, bool in_service)
{
	return in_service ? key_in_service(key) : key_in_settings(key);
}

const struct key *
key_find(const char *name, size_t n, bool in_service)
{
	for (size_t i = 0; i < keys_count; i++)
		if (may_stand(&keys[i], in_service) &&
		    strlen(keys[i].name) == n &&
		    memcmp(keys[i].name, name, n) == 0)
			return &keys[i];
	return NULL;
}

/* What is called so elsewhere, under any spelling of case and '-'. */
static const struct key *
find_elsewhere(const char *name, size_t n, bool in_service)
{
	const char *ours;

	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		struct suggestion same = { NULL, 0 };

		suggest_offer(&same, name, n, elsewhere[i].theirs);
		if (same.name == NULL || same.distance > 0)
			continue;
		ours = elsewhere[i].ours;
		return key_find(ours, strlen(ours), in_service);
	}
	return NULL;
}

const struct key *
key_nearest(const char *name, size_t n, bool in_service, bool *ret_likely)
{
	struct suggestion best = { NULL, 0 };
	const struct key *known;

	for (size_t i = 0; i < keys_count; i++)
		if (may_stand(&keys[i], in_service))
			suggest_offer(&best, name, n, keys[i].name);
	known = find_elsewhere(name, n, in_service);
	*ret_likely = suggest_likely(&best, n) || known != NULL;
	if (known != NULL && !suggest_likely(&best, n))
		return known;
	if (best.name == NULL)
		return NULL;
	return key_find(best.name, strlen(best.name), in_service);
}

const struct key *
key_of_condition(unsigned kind)
{
	for (size_t i = 0; i < keys_count; i++)
		if (keys[i].role == KEY_CONDITION && keys[i].at == kind)
			return &keys[i];
	return NULL;
}
