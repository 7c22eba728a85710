/* rules_target.c - addresses, and where connections go. */
#include "rules_parser.h"

#include <errno.h>
#include <string.h>

/* Addresses that one name may stand for: enough to see that it is too many. */
#define RESOLVED_MAX (RULES_BACKENDS_MAX + 1)
#define HOST_MAX 256
#define PORT_MAX 33

/* HOST:PORT taken apart, both NUL-terminated. */
struct host_port {
	char host[HOST_MAX], port[PORT_MAX];
};

static bool
only(const char *text, size_t n, const char *allowed)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] == '\0' || strchr(allowed, text[i]) == NULL)
			return false;
	return n > 0;
}

static bool
begins(const struct word *word, const char *with)
{
	size_t n = strlen(with);

	return word->len >= n && memcmp(word->text, with, n) == 0;
}

/* What a word without a colon that could part host and port was meant as. */
static int
explain_no_port(struct parser *parser, const struct word *word, bool listening)
{
	const char *quoted = QUOTE_WORD(parser, *word);

	if (word->len > 0 && word->text[0] == '/')
		return COMPLAIN(parser, word->at, quoted,
		    " is a path, did you mean ", QUOTE(parser, "unix:", 5),
		    " in front of it?");
	if (listening && only(word->text, word->len, "0123456789"))
		return COMPLAIN(parser, word->at, quoted,
		    " has no address, write 0.0.0.0:PORT for IPv4 and "
		    "[::]:PORT for IPv6, or both");
	if (only(word->text, word->len, "0123456789"))
		return COMPLAIN(parser, word->at, quoted,
		    " has no address, did you mean \"127.0.0.1:", quoted + 1,
		    "?");
	return COMPLAIN(parser, word->at, quoted,
	    " has no port, expected HOST:PORT, [IPV6]:PORT or unix:PATH");
}

static int
explain_unix(struct parser *parser, const struct word *word, int error)
{
	if (error == -ENAMETOOLONG)
		return COMPLAIN(parser, word->at,
		    "the path of a unix socket has at most 107 bytes");
	return COMPLAIN(parser, word->at, QUOTE_WORD(parser, *word),
	    " is no unix socket, expected unix:/PATH or unix:@NAME");
}

/* Where the port begins: behind the last colon, or 0. */
static size_t
port_start(const struct word *word)
{
	size_t i = word->len;

	while (i > 0 && word->text[i - 1] != ':')
		i--;
	return i;
}

/* A host that looks numeric but is not an address. */
static bool
misspelt_host(const char *host, size_t n)
{
	struct addr ignored;

	if (addr_parse_host(host, n, &ignored) == 0)
		return false;
	return only(host, n, "0123456789.") || memchr(host, '[', n) != NULL ||
	    memchr(host, ']', n) != NULL || memchr(host, '*', n) != NULL;
}

static int
check_port(
    struct parser *parser, const struct word *word, const char *port, size_t n)
{
	if (n == 0)
		return COMPLAIN(parser, word->at, QUOTE_WORD(parser, *word),
		    " ends without a port");
	if (only(port, n, "0123456789") &&
	    (n > 5 || (n == 5 && memcmp(port, "65535", 5) > 0) ||
		port[0] == '0'))
		return COMPLAIN(parser, word->at, "port ",
		    QUOTE(parser, port, n),
		    " is out of range, expected 1 to 65535");
	if (n >= PORT_MAX || memchr(port, '\0', n) != NULL ||
	    memchr(port, '/', n) != NULL)
		return COMPLAIN(parser, word->at, QUOTE(parser, port, n),
		    " is no port, expected 1 to 65535 or a name");
	return 0;
}

/* Takes the word apart, or says why it is no HOST:PORT. */
static int
split(struct parser *parser, const struct word *word, bool listening,
    struct host_port *ret)
{
	size_t at = port_start(word), host = at > 0 ? at - 1 : 0;
	const char *quoted = QUOTE_WORD(parser, *word);
	int r;

	if (at == 0)
		return explain_no_port(parser, word, listening);
	if (memchr(word->text, '/', word->len) != NULL)
		return COMPLAIN(parser, word->at, quoted,
		    " looks like a URL, expected HOST:PORT");
	if (host == 0)
		return COMPLAIN(parser, word->at, quoted, " has no address, ",
		    listening ? "write 0.0.0.0:PORT for IPv4 and [::]:PORT "
				"for IPv6, or both" :
				"expected one such as 127.0.0.1:22");
	if (word->text[0] == '[' && word->text[host - 1] != ']')
		return COMPLAIN(parser, word->at, quoted,
		    " is no address, expected [IPV6]:PORT");
	if (word->text[0] != '[' && memchr(word->text, ':', host) != NULL)
		return COMPLAIN(parser, word->at, quoted,
		    " could be read in two ways, put the IPv6 address in "
		    "brackets: [::1]:22");
	if (misspelt_host(word->text, host) || host >= HOST_MAX ||
	    memchr(word->text, '\0', host) != NULL)
		return COMPLAIN(parser, word->at,
		    QUOTE(parser, word->text, host), " is no address");
	r = check_port(parser, word, word->text + at, word->len - at);
	if (r < 0)
		return r;
	memcpy(ret->host, word->text, host);
	ret->host[host] = '\0';
	memcpy(ret->port, word->text + at, word->len - at);
	ret->port[word->len - at] = '\0';
	return 0;
}

/*
 * The addresses that a word stands for.  Returns how many, at least one and
 * at most RESOLVED_MAX, or as the readers do.
 */
static int
read_addrs(struct parser *parser, const struct word *word, bool listening,
    struct addr ret[static RESOLVED_MAX])
{
	struct host_port parts;
	char why[128] = "";
	int r = addr_parse(word->text, word->len, listening, &ret[0]);

	if (r == 0)
		return 1;
	if (begins(word, "unix:"))
		return explain_unix(parser, word, r);
	r = split(parser, word, listening, &parts);
	if (r < 0)
		return r;
	if (parser->resolve == NULL)
		return COMPLAIN(parser, word->at, QUOTE_WORD(parser, *word),
		    " is a name, and only usher resolves names: write numbers "
		    "here, or use the output of usher dump");
	r = parser->resolve(
	    parts.host, parts.port, ret, RESOLVED_MAX, why, sizeof(why));
	if (r <= 0)
		return COMPLAIN(parser, word->at, "cannot resolve ",
		    QUOTE_WORD(parser, *word), why[0] != '\0' ? ": " : "", why);
	return r;
}

/* Whether a socket is there; abstract ones cannot be looked for. */
static void
look_for_socket(struct parser *parser, const char *at, const struct addr *addr)
{
	if (addr->any.sa_family == AF_UNIX && addr->path.sun_path[0] != '\0')
		parser_look(parser, at, LOOK_SOCKET, addr->path.sun_path);
}

/* A growing list of addresses with a limit. */
struct list {
	struct addr **addrs;
	size_t *n, most;
	const char *what;
	struct place **places; /* NULL: nobody asks where each stands */
};

/* The n last of the list stand at text. */
static int
note_places(
    struct parser *parser, const struct list *list, const char *text, size_t n)
{
	size_t size = sizeof(**list->places), old = *list->n - n;
	struct place *grown;

	if (list->places == NULL)
		return 0;
	grown = arena_grow(
	    parser->scratch, *list->places, old * size, *list->n * size);
	if (grown == NULL)
		return -ENOMEM;
	for (size_t i = old; i < *list->n; i++)
		grown[i] = parser_place(parser, text);
	*list->places = grown;
	return 0;
}

static int
append(struct parser *parser, const struct list *list, const char *at,
    const struct addr *more, size_t n)
{
	size_t size = sizeof(**list->addrs), old = *list->n;
	struct addr *grown;

	if (old + n > list->most)
		return COMPLAIN(parser, at, "more than ",
		    NUMBER(parser, list->most), " ", list->what);
	grown = arena_grow(
	    parser->arena, *list->addrs, old * size, (old + n) * size);
	if (grown == NULL)
		return -ENOMEM;
	memcpy(grown + old, more, n * size);
	*list->addrs = grown;
	*list->n = old + n;
	return note_places(parser, list, at, n);
}

static int
read_list(struct parser *parser, const struct list *list, bool listening,
    struct words value)
{
	struct addr found[RESOLVED_MAX];
	struct word word;
	int r = 0, next, n;

	while ((next = words_next(&value, parser->scratch, &word)) > 0) {
		n = read_addrs(parser, &word, listening, found);
		if (n > 0)
			n = append(parser, list, word.at, found, (size_t)n);
		r = n < 0 ? n : r;
		if (n == 0 && !listening)
			look_for_socket(parser, word.at, found);
		if (*list->n == list->most && n < 0)
			break;
	}
	return next < 0 ? next : r;
}

int
read_listen(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	struct settings *settings = &parser->rules->settings;
	struct list list = { &settings->listen, &settings->n_listen,
		RULES_LISTEN_MAX, "addresses to listen at", NULL };

	(void)key;
	(void)field;
	return read_list(parser, &list, true, value);
}

int
read_backends(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	struct service *service = &parser->now->service;
	struct list list = { &service->backends, &service->n_backends,
		RULES_BACKENDS_MAX, "backends in one service",
		&parser->now->backend_at };

	(void)key;
	(void)field;
	service->target = GO_BACKEND;
	return read_list(parser, &list, false, value);
}

int
read_pass(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	struct word word;
	int r = read_one_word(parser, key, value, &word);

	if (r < 0)
		return r;
	parser->now->service.target = GO_PASS;
	if (begins(&word, "unix:"))
		r = addr_parse(word.text, word.len, false, field);
	else if (word.len > 0 && word.text[0] == '/')
		return explain_no_port(parser, &word, false);
	else
		r = -EINVAL;
	if (r < 0)
		return explain_unix(parser, &word, r);
	look_for_socket(parser, word.at, field);
	return 0;
}

int
read_bind(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	struct word word;
	int r = read_one_word(parser, key, value, &word);

	if (r < 0)
		return r;
	if (addr_parse_host(word.text, word.len, field) < 0)
		return COMPLAIN(parser, word.at, QUOTE_WORD(parser, word),
		    " is no address without a port, expected one such as "
		    "192.0.2.1 or 2001:db8::1");
	return 0;
}

int
read_exec(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	size_t n = words_count(value), i = 0;
	const char *start = value.at;
	struct word word;
	char **argv;
	int next;

	(void)key;
	parser->now->service.target = GO_EXEC;
	if (n > RULES_ARGS_MAX)
		return COMPLAIN(parser, start, "more than ",
		    NUMBER(parser, RULES_ARGS_MAX), " words");
	argv = arena_alloc(parser->arena, (n + 1) * sizeof(*argv));
	if (argv == NULL)
		return -ENOMEM;
	while ((next = words_next(&value, parser->scratch, &word)) > 0) {
		if (i == 0 && (word.len == 0 || word.text[0] != '/'))
			return COMPLAIN(parser, word.at,
			    QUOTE_WORD(parser, word),
			    " is no absolute path, "
			    "expected one such as /usr/sbin/sshd");
		if (memchr(word.text, '\0', word.len) != NULL)
			return COMPLAIN(
			    parser, word.at, "no NUL byte can be here");
		argv[i] = arena_text(parser->arena, word.text, word.len);
		if (argv[i++] == NULL)
			return -ENOMEM;
	}
	if (next < 0)
		return next;
	parser_look(parser, start, LOOK_PROGRAM, argv[0]);
	parser_look(parser, start, LOOK_RIGHTS, argv[0]);
	*(char ***)field = argv;
	return 0;
}
