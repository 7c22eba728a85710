#include <check.h>
#include <errno.h>
#include <string.h>

#include "addr.h"
#include "network.h"

static const char *const same_again[] = {
	"127.0.0.1:22",
	"0.0.0.0:65535",
	"[::1]:22",
	"[::]:1",
	"[2001:db8::1]:443",
	"[2001:db8:0:1::]:443",
	"[2001:0:0:1::1]:443", /* the longer run */
	"[2001:db8:0:1:1:1:1:1]:443", /* one zero group is no run */
	"[fe80::1%3]:22",
	"unix:/run/x.sock",
	"unix:@abstract",
};

static const struct {
	const char *text, *written;
} rewritten[] = {
	{ "[1:0:0:2:3:0:0:4]:443", "[1::2:3:0:0:4]:443" },
	{ "[2001:DB8:0:0:0:0:0:1]:80", "[2001:db8::1]:80" },
	{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80" },
	{ "[::192.0.2.1]:80", "[::c000:201]:80" },
	{ "[1:0:0:0:0:0:0:0]:80", "[1::]:80" },
	{ "unix:/run/a b\n", "unix:/run/a b\\n" },
};

static const char *
round_trip(const char *text)
{
	static char buffer[ADDR_TEXT_MAX];
	struct line line = LINE(buffer);
	struct addr addr;

	ck_assert_int_eq(addr_parse(text, strlen(text), false, &addr), 0);
	addr_write(&line, &addr);
	ck_assert(!line.cut);
	return buffer;
}

START_TEST(writes_what_it_reads)
{
	ck_assert_str_eq(round_trip(same_again[_i]), same_again[_i]);
}
END_TEST

START_TEST(writes_the_normal_form)
{
	ck_assert_str_eq(round_trip(rewritten[_i].text), rewritten[_i].written);
}
END_TEST

static const char *const bad[] = {
	"",
	":",
	"22",
	":22",
	"127.0.0.1",
	"127.0.0.1:",
	"127.0.0.1:0",
	"127.0.0.1:65536",
	"127.0.0.1:99999999999999999999",
	"127.0.0.1:+1",
	"127.0.0.1:022",
	"127.0.0.1:22 ",
	"127.0.0.1:ssh",
	"localhost:22",
	"127.1:22",
	"127.0.0.256:22",
	"1.2.3.4.5:22",
	"::1:22",
	"[::1]",
	"[::1]22",
	"[::1:22",
	"::1]:22",
	"[]:22",
	"[127.0.0.1]:22",
	"[fe80::1%]:22",
	"[fe80::1%eth0]:22",
	"[fe80::1%4294967296]:22",
	"[1:2:3:4:5:6:7:8:9]:22",
	"unix:",
	"unix:x",
	"unix:@",
	"unix:/",
	"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:22",
};

START_TEST(refuses)
{
	struct addr addr = { .len = 77 };

	ck_assert_int_eq(
	    addr_parse(bad[_i], strlen(bad[_i]), false, &addr), -EINVAL);
	ck_assert_uint_eq(addr.len, 77);
}
END_TEST

START_TEST(refuses_nul_bytes)
{
	struct addr addr;

	ck_assert_int_eq(addr_parse("unix:/a\0b", 9, false, &addr), -EINVAL);
	ck_assert_int_eq(addr_parse("1.2.3.4\0:5", 10, false, &addr), -EINVAL);
	ck_assert_int_eq(addr_parse("[::1\0]:5", 8, false, &addr), -EINVAL);
}
END_TEST

START_TEST(takes_port_zero_where_asked)
{
	struct addr addr;

	ck_assert_int_eq(addr_parse("127.0.0.1:0", 11, true, &addr), 0);
	ck_assert_uint_eq(addr_port(&addr), 0);
}
END_TEST

/* sun_path has 108 bytes; a path needs one for its NUL. */
static const struct {
	char first;
	size_t n;
	int result;
} paths[] = {
	{ '/', 107, 0 },
	{ '/', 108, -ENAMETOOLONG },
	{ '@', 108, 0 },
	{ '@', 109, -ENAMETOOLONG },
	{ '/', 100000, -ENAMETOOLONG },
};

START_TEST(knows_how_long_paths_are)
{
	static char text[5 + 100000] = "unix:";
	struct addr addr;

	memset(text + 5, 'x', sizeof(text) - 5);
	text[5] = paths[_i].first;
	ck_assert_int_eq(
	    addr_parse(text, 5 + paths[_i].n, false, &addr), paths[_i].result);
}
END_TEST

static const struct {
	const char *text, *host;
} hosts[] = {
	{ "192.0.2.1", "192.0.2.1" },
	{ "::1", "::1" },
	{ "[::1]", "::1" },
	{ "::ffff:192.0.2.1", "192.0.2.1" },
	{ "fe80::1%2", "fe80::1%2" },
	{ "192.0.2.1:22", NULL },
	{ "[::1]:22", NULL },
	{ "[192.0.2.1]", NULL },
	{ "", NULL },
	{ "[", NULL },
	{ "[]", NULL },
};

START_TEST(reads_hosts)
{
	char buffer[ADDR_TEXT_MAX];
	struct line line = LINE(buffer);
	struct addr addr;
	int r = addr_parse_host(hosts[_i].text, strlen(hosts[_i].text), &addr);

	ck_assert_int_eq(r, hosts[_i].host == NULL ? -EINVAL : 0);
	if (r < 0)
		return;
	addr_write_host(&line, &addr);
	ck_assert_str_eq(buffer, hosts[_i].host);
	ck_assert_uint_eq(addr_port(&addr), 0);
}
END_TEST

static const struct {
	const char *text, *written;
} bare[] = {
	{ "192.0.2.1:80", "192.0.2.1" },
	{ "[2001:db8::1]:80", "2001:db8::1" },
	{ "[::ffff:192.0.2.1]:80", "::ffff:c000:201" },
	{ "unix:/run/x", "" },
};

START_TEST(writes_bare_addresses)
{
	char buffer[ADDR_TEXT_MAX];
	struct line line = LINE(buffer);
	struct addr addr;

	ck_assert_int_eq(
	    addr_parse(bare[_i].text, strlen(bare[_i].text), false, &addr), 0);
	if (addr.any.sa_family == AF_INET6)
		addr.v6.sin6_scope_id = 2;
	addr_write_ip(&line, &addr);
	ck_assert_str_eq(buffer, bare[_i].written);
}
END_TEST

START_TEST(writes_nothing_for_nothing)
{
	char buffer[ADDR_TEXT_MAX];
	struct line line = LINE(buffer);
	struct addr none = { 0 };
	struct addr unnamed = { .len = sizeof(sa_family_t) };

	addr_write(&line, &none);
	addr_write_host(&line, &none);
	ck_assert_str_eq(buffer, "");
	unnamed.any.sa_family = AF_UNIX;
	addr_write(&line, &unnamed);
	ck_assert_str_eq(buffer, "unix:");
	ck_assert_uint_eq(addr_port(&unnamed), 0);
}
END_TEST

static const struct {
	const char *a, *b;
	bool equal;
} pairs[] = {
	{ "127.0.0.1:22", "127.0.0.1:22", true },
	{ "127.0.0.1:22", "[::ffff:127.0.0.1]:22", true },
	{ "127.0.0.1:22", "127.0.0.1:23", false },
	{ "127.0.0.1:22", "127.0.0.2:22", false },
	{ "127.0.0.1:22", "[::1]:22", false },
	{ "[::1]:22", "[::1]:22", true },
	{ "[::1]:22", "[::2]:22", false },
	{ "[fe80::1%1]:22", "[fe80::1%2]:22", false },
	{ "unix:/a", "unix:/a", true },
	{ "unix:/a", "unix:/ab", false },
	{ "unix:@a", "unix:/a", false },
};

START_TEST(compares)
{
	struct addr a, b;

	ck_assert_int_eq(
	    addr_parse(pairs[_i].a, strlen(pairs[_i].a), false, &a), 0);
	ck_assert_int_eq(
	    addr_parse(pairs[_i].b, strlen(pairs[_i].b), false, &b), 0);
	ck_assert(addr_equal(&a, &b) == pairs[_i].equal);
	ck_assert(addr_equal(&b, &a) == pairs[_i].equal);
}
END_TEST

static const struct {
	const char *text;
	int result;
	const char *written;
} networks[] = {
	{ "192.0.2.0/24", 0, "192.0.2.0/24" },
	{ "192.0.2.7", 0, "192.0.2.7" },
	{ "192.0.2.7/32", 0, "192.0.2.7" },
	{ "0.0.0.0/0", 0, "0.0.0.0/0" },
	{ "::/0", 0, "::/0" },
	{ "2001:db8::/32", 0, "2001:db8::/32" },
	{ "2001:db8::1", 0, "2001:db8::1" },
	{ "::ffff:192.0.2.0/120", 0, "192.0.2.0/24" },
	{ "192.0.2.1/24", -EDOM, NULL },
	{ "2001:db8::1/64", -EDOM, NULL },
	{ "128.0.0.0/0", -EDOM, NULL },
	{ "192.0.2.0/33", -EINVAL, NULL },
	{ "192.0.2.0/", -EINVAL, NULL },
	{ "192.0.2.0/-1", -EINVAL, NULL },
	{ "192.0.2.0/024", -EINVAL, NULL },
	{ "::/129", -EINVAL, NULL },
	{ "fe80::1%2", -EINVAL, NULL },
	{ "/24", -EINVAL, NULL },
	{ "", -EINVAL, NULL },
	{ "192.0.2/24", -EINVAL, NULL },
};

START_TEST(reads_networks)
{
	char buffer[ADDR_TEXT_MAX];
	struct line line = LINE(buffer);
	struct network network = { .bits = 77 };
	const char *text = networks[_i].text;

	ck_assert_int_eq(
	    network_parse(text, strlen(text), &network), networks[_i].result);
	if (networks[_i].result < 0) {
		ck_assert_uint_eq(network.bits, 77);
		return;
	}
	network_write(&line, &network);
	ck_assert_str_eq(buffer, networks[_i].written);
}
END_TEST

static const struct {
	const char *network, *addr;
	bool inside;
} members[] = {
	{ "192.0.2.0/24", "192.0.2.255:1", true },
	{ "192.0.2.0/24", "192.0.3.0:1", false },
	{ "192.0.2.0/24", "[::ffff:192.0.2.1]:1", true },
	{ "192.0.2.0/23", "192.0.3.0:1", true },
	{ "192.0.2.7", "192.0.2.7:1", true },
	{ "192.0.2.7", "192.0.2.6:1", false },
	{ "0.0.0.0/0", "203.0.113.5:1", true },
	{ "0.0.0.0/0", "[2001:db8::1]:1", false },
	{ "::/0", "[2001:db8::1]:1", true },
	{ "::/0", "203.0.113.5:1", false },
	{ "2001:db8::/33", "[2001:db8:7fff::1]:1", true },
	{ "2001:db8::/33", "[2001:db8:8000::1]:1", false },
	{ "::/0", "unix:/run/x", false },
};

START_TEST(holds_members)
{
	const char *text = members[_i].network, *member = members[_i].addr;
	struct network network;
	struct addr addr;

	ck_assert_int_eq(network_parse(text, strlen(text), &network), 0);
	ck_assert_int_eq(addr_parse(member, strlen(member), false, &addr), 0);
	ck_assert(network_holds(&network, &addr) == members[_i].inside);
}
END_TEST

Suite *addr_suite(void);

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

Suite *
addr_suite(void)
{
	Suite *suite = suite_create("addr");
	TCase *tests = tcase_create("addr");

	tcase_add_loop_test(tests, writes_what_it_reads, 0, ROWS(same_again));
	tcase_add_loop_test(tests, writes_the_normal_form, 0, ROWS(rewritten));
	tcase_add_loop_test(tests, refuses, 0, ROWS(bad));
	tcase_add_test(tests, refuses_nul_bytes);
	tcase_add_test(tests, takes_port_zero_where_asked);
	tcase_add_loop_test(tests, knows_how_long_paths_are, 0, ROWS(paths));
	tcase_add_loop_test(tests, reads_hosts, 0, ROWS(hosts));
	tcase_add_loop_test(tests, writes_bare_addresses, 0, ROWS(bare));
	tcase_add_test(tests, writes_nothing_for_nothing);
	tcase_add_loop_test(tests, compares, 0, ROWS(pairs));
	tcase_add_loop_test(tests, reads_networks, 0, ROWS(networks));
	tcase_add_loop_test(tests, holds_members, 0, ROWS(members));
	suite_add_tcase(suite, tests);
	return suite;
}
