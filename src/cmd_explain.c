/*
 * cmd_explain.c - usher explain: where these first bytes would go, and why.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "deadline.h"
#include "explain.h"
#include "fd.h"
#include "peek.h"
#include "relay.h"
#include "rules_files.h"
#include "waits.h"

struct options {
	const char *config, *socket, *listen, *save, *bytes;
	struct addr from, local;
	bool json;
};

/* How long the one client may go on sending. */
#define EXPLAIN_LINGER_MS 500

static uint8_t bytes[PEEK_MAX];

static int
complain(const char *option, const char *value, const char *expected)
{
	fprintf(stderr, "usher: %s %s: expected %s\n", option, value, expected);
	return -1;
}

static int
parse_address(const char *option, const char *value, struct addr *ret)
{
	size_t n = strlen(value);

	if (addr_parse(value, n, true, ret) == 0 ||
	    addr_parse_host(value, n, ret) == 0)
		return 0;
	return complain(option, value,
	    "an address such as 192.0.2.1 or "
	    "[2001:db8::1]:443");
}

/* Returns EXIT_DONE or EXIT_USAGE. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "from", required_argument, NULL, 'f' },
		{ "local", required_argument, NULL, 'l' },
		{ "socket", required_argument, NULL, 's' },
		{ "listen", required_argument, NULL, 'L' },
		{ "save", required_argument, NULL, 'S' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int option, r = 0;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			o->config = optarg;
			break;
		case 'f':
			r |= parse_address("--from", optarg, &o->from);
			break;
		case 'l':
			r |= parse_address("--local", optarg, &o->local);
			break;
		case 's':
			o->socket = optarg;
			break;
		case 'L':
			o->listen = optarg;
			break;
		case 'S':
			o->save = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		default:
			return cmd_usage(argv);
		}
	}
	if (optind < argc)
		o->bytes = argv[optind++];
	if (o->listen != NULL && o->bytes != NULL)
		return cmd_unexpected(
		    argv, o->bytes, ", --listen says where bytes come from");
	if (optind < argc)
		return cmd_unexpected(argv, argv[optind], "");
	return r < 0 ? cmd_usage(argv) : EXIT_DONE;
}

static int
say_errno(const char *what)
{
	fprintf(stderr, "usher: %s: %s\n", what, strerror(errno));
	return -1;
}

/* What is beyond the peek buffer would never be looked at. */
static int
read_file(const struct options *o, size_t *ret_n)
{
	const char *name = o->bytes == NULL ? "-" : o->bytes;
	bool standard = strcmp(name, "-") == 0;
	FD_AUTO int file = standard ? fcntl(0, F_DUPFD_CLOEXEC, 3) :
				      open(name, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r;

	if (file < 0)
		return say_errno(name);
	do {
		r = read(file, bytes + n, sizeof(bytes) - n);
		if (r < 0)
			return say_errno(name);
		n += (size_t)r;
	} while (r > 0 && n < sizeof(bytes));
	*ret_n = n;
	return 0;
}

static int
accept_one(const struct options *o, struct addr *from, struct addr *local)
{
	FD_AUTO int listener = -1;
	struct addr at;
	char buffer[ADDR_TEXT_MAX];
	struct line text = LINE(buffer);
	int on = 1, client;

	if (addr_parse(o->listen, strlen(o->listen), true, &at) < 0)
		return complain("--listen", o->listen, "ADDR:PORT");
	listener = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) <
		0 ||
	    bind(listener, &at.any, at.len) < 0 || listen(listener, 1) < 0)
		return say_errno(o->listen);
	at.len = sizeof(struct sockaddr_un);
	(void)getsockname(listener, &at.any, &at.len);
	addr_write(&text, &at);
	fprintf(stderr, "waiting for one client on %s\n", buffer);
	from->len = local->len = sizeof(struct sockaddr_un);
	client = accept4(
	    listener, &from->any, &from->len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client < 0)
		return say_errno("cannot accept");
	if (getsockname(client, &local->any, &local->len) < 0)
		local->len = 0;
	addr_unmap(from);
	addr_unmap(local);
	return client;
}

/* Silence has its own, shorter limit, and both count from the accept. */
static struct deadline
watch_until(const struct settings *settings, int64_t since_us, size_t n)
{
	return deadline_after(
	    since_us, n > 0 ? settings->inspect_ms : settings->silence_ms);
}

/*
 * Looks at a client as a session does: until there is a decision.  Returns
 * whether it has left before.
 */
static bool
watch(const struct rules *rules, int client, struct facts *facts)
{
	struct peek peek = {
		.client = client,
		.bytes = bytes,
		.size = sizeof(bytes),
	};
	int64_t since_us = clock_us();
	int r = 1;

	for (;;) {
		struct decision d;

		facts->n = peek.n;
		facts->final = peek.eof || peek.n == peek.size;
		facts_update(facts);
		d = match_decide(rules, NULL, facts);
		if (d.kind != UNDECIDED || r == 0)
			return false;
		r = peek_more(&peek, d.need,
		    watch_until(&rules->settings, since_us, peek.n), NULL);
		if (r < 0 || (peek.eof && peek.n == 0))
			return true;
	}
}

static int
save(const char *name, size_t n)
{
	FILE *out = fopen(name, "we");

	if (out == NULL)
		return say_errno(name);
	if (fwrite(bytes, 1, n, out) != n) {
		(void)fclose(out);
		return say_errno(name);
	}
	return fclose(out) == 0 ? 0 : say_errno(name);
}

static int
collect(struct options *o, const struct rules *rules, struct facts *facts,
    bool *ret_gone)
{
	FD_AUTO int client = -1;

	if (o->listen == NULL)
		return read_file(o, &facts->n);
	client = accept_one(o, &o->from, &o->local);
	if (client < 0)
		return -1;
	*ret_gone = watch(rules, client, facts);
	/* In order: closed with its bytes unread, it would get a reset. */
	close_in_order(fd_take(&client), EXPLAIN_LINGER_MS);
	return 0;
}

int
cmd_explain(int argc, char **argv)
{
	static struct options o = { .socket = "" };
	struct facts facts = {
		.bytes = bytes,
		.client = &o.from,
		.local = &o.local,
	};
	struct rules *rules;
	bool gone = false;
	int r = parse_options(argc, argv, &o);

	if (r != EXIT_DONE)
		return r;
	facts.socket = o.socket;
	if (rules_load(o.config, RULES_QUIET, &rules) < 0)
		return EXIT_FAILED;
	if (collect(&o, rules, &facts, &gone) < 0 ||
	    (o.save != NULL && save(o.save, facts.n) < 0))
		r = EXIT_FAILED;
	else if (o.json)
		explain_print_json(stdout, rules, &facts, gone);
	else
		explain_print(stdout, rules, &facts, gone);
	rules_free(rules);
	if (fflush(stdout) != 0)
		r = EXIT_FAILED;
	return r;
}
