/*
 * rules.h - what a rules file says, once it has been read and checked.
 *
 * The one idea: there is one format.  "usher serve" reads the files, resolves
 * names, fills in defaults and writes the result as text (rules_write); that
 * text is read by usherd with the same parser and no resolver.  Writing what
 * was read from such a text gives the same text again.
 *
 * Everything hangs off one allocation (struct rules) and lives until
 * rules_free().  Pure: no logging, no I/O but what a resolver does.
 */
#ifndef USHER_RULES_H
#define USHER_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "addr.h"
#include "network.h"
#include "protocol.h"

#define RULES_SIZE_MAX (1024 * 1024) /* bytes of text in all files */
#define RULES_SERVICES_MAX 1000
#define RULES_BACKENDS_MAX 64 /* per service */
#define RULES_LISTEN_MAX 64
#define RULES_ARGS_MAX 64 /* words of exec */
#define RULES_LINE_MAX 8192
#define RULES_PAYLOAD_MAX 65536 /* offset and length of payload together */
#define RULES_NAME_MAX 63 /* bytes of a service's name */
#define RULES_OFF (-1) /* a duration that is "off" */

enum rules_log { LOG_ALL, LOG_ERRORS, LOG_NONE };
enum rules_log_target {
	TARGET_AUTO,
	TARGET_JOURNAL,
	TARGET_SYSLOG,
	TARGET_RFC5424,
	TARGET_STDERR
};
enum rules_isolation { ISOLATION_CONNECTION, ISOLATION_SHARED };

/* Settings that may also stand in a service, for that service. */
struct limits {
	int64_t idle_ms; /* RULES_OFF: no limit */
	int64_t half_close_ms;
	int64_t connect_ms; /* per address tried */
	int64_t keepalive_ms;
	uint32_t max_connections; /* in a service: 0 is no limit of its own */
	enum rules_log log;
};

struct settings {
	struct limits limits;
	int64_t inspect_ms;
	int64_t silence_ms;
	int64_t exit_idle_ms; /* RULES_OFF: never */
	uint32_t max_pending;
	uint32_t max_per_source;
	enum rules_isolation isolation;
	bool relay_at_once; /* relay-exec = at-once */
	bool hide_clients; /* log-client = none */
	enum rules_log_target log_target;
	struct addr *listen;
	size_t n_listen;
	struct network *accept_proxy;
	size_t n_accept_proxy;
	const char *user, *group, *chroot; /* NULL: not set */
};

enum condition_kind {
	COND_PROTOCOL,
	COND_SERVER_NAME,
	COND_ALPN,
	COND_TLS_VERSION,
	COND_HTTP_HOST,
	COND_HTTP_PATH,
	COND_PAYLOAD,
	COND_FROM,
	COND_LOCAL,
	COND_SOCKET,
	COND_KINDS
};

/* "*" | "*.example.net" | "www.example.net", lower case, no trailing dot. */
struct name_pattern {
	bool any; /* "*": any name at all */
	bool suffix; /* text begins with the dot: ".example.net" */
	uint8_t len;
	const char *text;
};

struct payload_pattern {
	uint32_t offset;
	uint32_t len;
	const uint8_t *bytes; /* already ANDed with the mask */
	const uint8_t *mask; /* 0xff, or 0x00 where "??" stood */
};

/* protocol = NAME, silent or any */
enum protocol_kind { PROTOCOL_NAMED, PROTOCOL_SILENT, PROTOCOL_ANY };

struct value {
	bool negated; /* !value */
	union {
		struct {
			enum protocol_kind kind;
			const struct protocol *protocol; /* if NAMED */
		} protocol;
		struct name_pattern name; /* server-name, http-host */
		struct {
			const char *text; /* NUL-terminated */
			size_t len;
		} text; /* alpn, http-path, socket */
		uint16_t tls_version; /* 0x0301 .. 0x0304 */
		struct payload_pattern payload;
		struct network from;
		struct {
			bool has_host;
			struct addr host; /* its port is 0: see port */
			uint16_t port; /* 0: any */
		} local;
	};
};

/* One key of a section, with all the values given to it. */
struct condition {
	enum condition_kind kind;
	size_t n;
	struct value *values;
};

enum target {
	GO_BACKEND,
	GO_EXEC,
	GO_PASS,
	GO_CLOSE, /* reject = close */
	GO_RESET, /* reject = reset */
};

enum balance { BALANCE_FIRST, BALANCE_RANDOM, BALANCE_SOURCE };

struct service {
	const char *name;
	struct limits limits;
	size_t n_conditions;
	struct condition *conditions; /* at most one per kind */
	enum target target;
	struct addr *backends;
	size_t n_backends;
	enum balance balance;
	char **argv; /* GO_EXEC: NULL-terminated */
	const char *user; /* GO_EXEC: run it as; NULL: as we are */
	struct addr pass; /* GO_PASS */
	uint8_t proxy_protocol; /* 0, 1 or 2 */
	bool transparent;
	struct addr bind; /* len 0: not set */
};

struct rules {
	struct settings settings;
	size_t n_services;
	struct service *services;
	struct arena *arena; /* owns all of this, the struct itself too */
};

/* A file's text, as the parser wants it.  name is shown in messages. */
struct rules_source {
	const char *name;
	const char *text;
	size_t len;
};

/* A mistake, or a warning, with the place it is about. */
struct mistake {
	bool warning; /* the rules work, but not as meant */
	unsigned source; /* index of the file among the sources */
	const char *file;
	unsigned line, col; /* 1-based; col counts bytes */
	const char *message; /* lower case, no full stop */
	const char *text; /* the line itself, for the caret */
};

#define MISTAKES_MAX 100

/* What the parser may ask about the system, see struct mistakes. */
enum look {
	LOOK_NOT,
	LOOK_PROGRAM, /* exec: an executable file */
	LOOK_SOCKET, /* pass, unix backends: a socket at this path */
	LOOK_USER,
	LOOK_GROUP,
	LOOK_DIRECTORY, /* chroot */
	LOOK_ADDRESS, /* a backend: one of this machine's own */
	LOOK_TRANSPARENT, /* no name: may usher use clients' addresses? */
	LOOK_WAY_BACK, /* transparent: from this IP address */
	LOOK_RIGHTS, /* exec: this program can have root's */
};

/*
 * Returns NULL if what is called name is there, or else what is wrong with
 * it, for "NAME ...".
 */
typedef const char *rules_look(enum look look, const char *name);

/* Zeroed is empty; in the order of the files and lines after rules_parse. */
struct mistakes {
	size_t n; /* stored in list */
	size_t n_errors; /* all that were found, stored or not */
	struct mistake list[MISTAKES_MAX];
	struct arena *arena; /* owns the texts in list; NULL: none yet */
	rules_look *look; /* asked for warnings; NULL: nothing is */
};

/*
 * Turns "host" and "port" (name or number) into at most max addresses.
 * Returns how many (>= 1), or -errno with a sentence in why.
 */
typedef int rules_resolve(const char *host, const char *port, struct addr *ret,
    size_t max, char *why, size_t why_size);

/*
 * Reads the sources as one file.  Without resolve only numeric addresses are
 * taken.  Mistakes are added to mistakes (which starts zeroed), warnings too.
 *
 * Returns 0 and *ret, which the caller frees with rules_free(), or -EINVAL
 * with at least one error in mistakes, or -ENOMEM; *ret is untouched then.
 */
int rules_parse(const struct rules_source *sources, size_t n,
    rules_resolve *resolve, struct mistakes *mistakes, struct rules **ret);

/*
 * The same for one text that rules_write() wrote.  Its services were compared
 * with each other before, so that is not done again.
 */
int rules_parse_again(const struct rules_source *source,
    struct mistakes *mistakes, struct rules **ret);

/* The built-in default rules, as text that rules_parse reads. */
extern const char rules_default_text[];

/*
 * Writes the rules in normal form: every setting, every service, numeric
 * addresses.  Only the programs with stdio use it.  Returns 0 or -errno.
 */
int rules_write(FILE *out, const struct rules *rules);

void rules_free(struct rules *rules);
void mistakes_free(struct mistakes *mistakes);

#endif
