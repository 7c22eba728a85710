#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial.h"

static struct addr at;
static int listener;

static void
set_up(void)
{
	ck_assert_int_eq(addr_parse("127.0.0.1:0", 11, true, &at), 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, &at.any, at.len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, &at.any, &at.len), 0);
}

static void
tear_down(void)
{
	close(listener);
}

static int
int_option(int socket_fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(socket_fd, level, name, &value, &len), 0);
	return value;
}

static struct deadline
in_ms(int64_t ms)
{
	return deadline_after(clock_us(), ms);
}

/* Waits for every step. */
static int
dial(const struct addr *to, const struct dial *how, struct deadline until)
{
	struct dial d = *how;
	struct await await;
	int r;

	d.to = to;
	d.until = until;
	await_init(&await);
	while ((r = dial_step(&d, &await)) == -EINPROGRESS)
		ck_assert_int_eq(await_poll(&await, NULL), 0);
	return r;
}

START_TEST(connects_without_blocking_and_without_delay)
{
	const struct dial how = { .client = -1 };
	int backend = dial(&at, &how, in_ms(5000));

	ck_assert_int_ge(backend, 0);
	ck_assert_int_ne(int_option(backend, IPPROTO_TCP, TCP_NODELAY), 0);
	ck_assert_int_ne(int_option(backend, SOL_SOCKET, SO_OOBINLINE), 0);
	ck_assert(fcntl(backend, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(backend, F_GETFD) & FD_CLOEXEC);
	close(backend);
}
END_TEST

/* As dial(), with bytes to go along; returns how many did. */
static size_t
greet(const char *bytes, int *ret_backend)
{
	struct dial d = { .to = &at,
		.client = -1,
		.until = in_ms(5000),
		.first = (const uint8_t *)bytes,
		.n_first = strlen(bytes) };
	struct await await;

	await_init(&await);
	while ((*ret_backend = dial_step(&d, &await)) == -EINPROGRESS)
		ck_assert_int_eq(await_poll(&await, NULL), 0);
	return d.sent;
}

/* The first write waits for nothing, so nothing is turned off for it. */
START_TEST(takes_the_first_bytes_along)
{
	char bytes[8] = "";
	int backend, there;

	ck_assert_uint_eq(greet("hello", &backend), 5);
	ck_assert_int_ge(backend, 0);
	there = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_eq(recv(there, bytes, sizeof(bytes), 0), 5);
	ck_assert_str_eq(bytes, "hello");
	ck_assert_int_eq(int_option(backend, IPPROTO_TCP, TCP_NODELAY), 0);
	ck_assert_int_ne(int_option(backend, SOL_SOCKET, SO_OOBINLINE), 0);
	close(backend);
	close(there);
}
END_TEST

START_TEST(takes_nothing_along_to_where_nobody_listens)
{
	int backend;

	close(listener);
	listener = -1;
	ck_assert_uint_eq(greet("hello", &backend), 0);
	ck_assert_int_eq(backend, -ECONNREFUSED);
}
END_TEST

/* A connect that takes longer: the bytes are not there any more then. */
START_TEST(takes_nothing_along_later)
{
	struct dial d = { .to = &at,
		.client = -1,
		.until = in_ms(10000),
		.first = (const uint8_t *)"hello",
		.n_first = 5 };
	const struct dial how = { .client = -1 };
	struct await await;
	int held[8], n = 0, r;

	/* A backlog that is full answers no SYN until it is emptied. */
	do {
		r = dial(&at, &how, in_ms(100));
		if (r >= 0)
			held[n++] = r;
	} while (r >= 0 && n < 8);
	await_init(&await);
	ck_assert_int_eq(dial_step(&d, &await), -EINPROGRESS);
	while (n > 0) {
		close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
		close(held[--n]);
	}
	do {
		ck_assert_int_eq(await_poll(&await, NULL), 0);
		r = dial_step(&d, &await);
	} while (r == -EINPROGRESS);
	ck_assert_int_ge(r, 0);
	ck_assert_uint_eq(d.sent, 0);
	ck_assert_int_ne(int_option(r, IPPROTO_TCP, TCP_NODELAY), 0);
	close(r);
}
END_TEST

START_TEST(says_when_nobody_listens)
{
	const struct dial how = { .client = -1 };

	close(listener);
	listener = -1;
	ck_assert_int_eq(dial(&at, &how, in_ms(5000)), -ECONNREFUSED);
}
END_TEST

/* Takes a port that nobody has, of those that connect() prefers: even ones. */
static void
find_even_port(void)
{
	int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port = addr_port(&at) & 0xfffe;

	at.v4.sin_port = htons(port);
	while (bind(probe, &at.any, at.len) < 0) {
		port = (uint16_t)(port - 2);
		at.v4.sin_port = htons(port);
	}
	close(probe);
}

/*
 * The kernel goes through all of its ports in turn, so some time it comes to
 * the very one that is wanted.
 */
START_TEST(never_connects_to_itself)
{
	const struct dial how = { .client = -1 };

	find_even_port();
	for (int i = 0; i < 65536; i++)
		ck_assert_int_lt(dial(&at, &how, in_ms(5000)), 0);
}
END_TEST

/* A backlog that is full and is never emptied answers no SYN. */
START_TEST(gives_up_at_the_deadline)
{
	const struct dial how = { .client = -1 };
	int held[8], n = 0, r;
	int64_t start;

	do {
		r = dial(&at, &how, in_ms(100));
		if (r >= 0)
			held[n++] = r;
	} while (r >= 0 && n < 8);
	ck_assert_int_eq(r, -ETIMEDOUT);
	start = clock_us();
	ck_assert_int_eq(dial(&at, &how, in_ms(150)), -ETIMEDOUT);
	ck_assert_int_ge(clock_us() - start, 150000);
	while (n > 0)
		close(held[--n]);
}
END_TEST

START_TEST(gives_up_for_a_client_that_reset)
{
	const struct linger now = { 1, 0 };
	const struct dial plain = { .client = -1 };
	struct dial how = { .client = -1 };
	int ours = dial(&at, &plain, in_ms(5000));
	int theirs = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int held[8], n = 0, r;

	setsockopt(theirs, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(theirs);
	how.client = ours;
	do {
		r = dial(&at, &how, in_ms(10000));
		if (r >= 0)
			held[n++] = r;
	} while (r >= 0 && n < 8);
	ck_assert_int_eq(r, -ECANCELED);
	while (n > 0)
		close(held[--n]);
	close(ours);
}
END_TEST

START_TEST(binds_to_the_address_it_is_told)
{
	struct addr from, local = { .len = sizeof(struct sockaddr_un) };
	struct dial how = { .client = -1, .from = &from };
	char text[ADDR_TEXT_MAX];
	struct line line = LINE(text);
	int backend;

	ck_assert_int_eq(addr_parse_host("127.0.0.9", 9, &from), 0);
	backend = dial(&at, &how, in_ms(5000));
	ck_assert_int_ge(backend, 0);
	ck_assert_int_eq(getsockname(backend, &local.any, &local.len), 0);
	addr_write_host(&line, &local);
	ck_assert_str_eq(text, "127.0.0.9");
	close(backend);
}
END_TEST

START_TEST(reaches_unix_sockets_by_path_and_by_name)
{
	const struct dial how = { .client = -1 };
	char text[64], path[48];
	struct addr to;
	int there = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), backend;

	snprintf(path, sizeof(path), "/tmp/usher-dial-%d", (int)getpid());
	snprintf(text, sizeof(text), "unix:%s%s", _i ? "@" : "", path);
	ck_assert_int_eq(addr_parse(text, strlen(text), false, &to), 0);
	ck_assert_int_eq(bind(there, &to.any, to.len), 0);
	ck_assert_int_eq(dial(&to, &how, in_ms(1000)), -ECONNREFUSED);
	ck_assert_int_eq(listen(there, 1), 0);
	backend = dial(&to, &how, in_ms(5000));
	unlink(path);
	ck_assert_int_ge(backend, 0);
	close(backend);
	close(there);
}
END_TEST

START_TEST(sets_keepalive_so_that_dead_peers_go)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(dial_keepalive(s, 60000), 0);
	ck_assert_int_ne(int_option(s, SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(int_option(s, IPPROTO_TCP, TCP_KEEPIDLE), 60);
	ck_assert_int_eq(int_option(s, IPPROTO_TCP, TCP_KEEPINTVL), 10);
	ck_assert_int_eq(int_option(s, IPPROTO_TCP, TCP_KEEPCNT), 3);
	ck_assert_int_eq(int_option(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	ck_assert_int_eq(dial_keepalive(s, RULES_OFF), 0);
	ck_assert_int_eq(int_option(s, SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(int_option(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	ck_assert_int_eq(dial_keepalive(s, 1), 0);
	ck_assert_int_eq(int_option(s, IPPROTO_TCP, TCP_KEEPIDLE), 1);
	close(s);
}
END_TEST

Suite *dial_suite(void);

Suite *
dial_suite(void)
{
	Suite *suite = suite_create("dial");
	TCase *tcase = tcase_create("dial");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60); /* one of them makes many calls */
	tcase_add_test(tcase, connects_without_blocking_and_without_delay);
	tcase_add_test(tcase, takes_the_first_bytes_along);
	tcase_add_test(tcase, takes_nothing_along_to_where_nobody_listens);
	tcase_add_test(tcase, takes_nothing_along_later);
	tcase_add_test(tcase, says_when_nobody_listens);
	tcase_add_test(tcase, never_connects_to_itself);
	tcase_add_test(tcase, gives_up_at_the_deadline);
	tcase_add_test(tcase, gives_up_for_a_client_that_reset);
	tcase_add_test(tcase, binds_to_the_address_it_is_told);
	tcase_add_loop_test(
	    tcase, reaches_unix_sockets_by_path_and_by_name, 0, 2);
	tcase_add_test(tcase, sets_keepalive_so_that_dead_peers_go);
	suite_add_tcase(suite, tcase);
	return suite;
}
