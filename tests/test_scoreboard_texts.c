/*
 * What connections have apart from their slots: it is theirs, it is as it was
 * given, and it is nobody's when there is no memory for it.
 */
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board_rig.h"
#include "scoreboard_inner.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

static const struct endpoint client = { .family = AF_INET, .ip = { 203 } };

/* Where it goes, as text. */
static const char *
backend_of(const struct connection *slot)
{
	static char buffer[ADDR_TEXT_MAX];
	struct line text = LINE(buffer);

	scoreboard_write_backend(&board, slot, &text);
	return buffer;
}

static void
go_to(struct connection *slot, const char *backend)
{
	struct addr to;

	ck_assert_int_eq(addr_parse(backend, strlen(backend), false, &to), 0);
	scoreboard_set_backend(&board, slot, &to);
}

static struct connection *
again(struct connection *slot)
{
	ck_assert(scoreboard_give_back(&board, slot));
	ck_assert_ptr_eq(scoreboard_take(&board, 10, &client), slot);
	return slot;
}

START_TEST(a_name_goes_with_its_connection)
{
	struct connection *first = scoreboard_take(&board, 10, &client);
	struct connection *second = scoreboard_take(&board, 10, &client);
	struct connection elsewhere = { .state = CONN_FREE };
	char longest[CONNECTION_NAME_MAX];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_str_eq(scoreboard_name(&board, first), "");
	ck_assert_str_eq(scoreboard_name(&board, &elsewhere), "");
	scoreboard_set_name(&board, first, longest, UINT8_MAX);
	scoreboard_set_name(&board, second, "a.example", 9);
	ck_assert_str_eq(scoreboard_name(&board, first), longest);
	ck_assert_str_eq(scoreboard_name(&board, second), "a.example");
	ck_assert_str_eq(scoreboard_alpn(&board, second), "");
	second = again(second);
	ck_assert_str_eq(scoreboard_name(&board, second), "");
}
END_TEST

/* What is offered, what is kept of it, and whether it is the same. */
static const struct {
	const char *offered, *kept;
	bool whole;
} offers[] = {
	{ "h2", "h2", true },
	{ "", "", true },
	{ "a\"b", "a\\\"b", false },
	{ "0123456789012345678901234567890", "0123456789012345678901234567890",
	    true },
	{ "01234567890123456789012345678901", "0123456789012345678901234567890",
	    false },
	{ "012345678901234567890123456789\n", "012345678901234567890123456789",
	    false },
};

START_TEST(alpn_goes_with_its_connection)
{
	struct connection *first = scoreboard_take(&board, 10, &client);
	struct connection *second = scoreboard_take(&board, 10, &client);

	scoreboard_set_name(&board, first, "a.example", 9);
	ck_assert_str_eq(scoreboard_alpn(&board, first), "");
	ck_assert(scoreboard_set_alpn(&board, second, "imap", 4));
	ck_assert_int_eq(scoreboard_set_alpn(&board, first, offers[_i].offered,
			     strlen(offers[_i].offered)),
	    offers[_i].whole);
	ck_assert_str_eq(scoreboard_alpn(&board, first), offers[_i].kept);
	ck_assert_str_eq(scoreboard_name(&board, first), "a.example");
	ck_assert_str_eq(scoreboard_alpn(&board, second), "imap");
	first = again(first);
	ck_assert_str_eq(scoreboard_alpn(&board, first), "");
	scoreboard_set_name(&board, first, "b.example", 9);
	ck_assert_str_eq(scoreboard_alpn(&board, first), "");
}
END_TEST

#define TEN(x) x x x x x x x x x x

static const struct {
	const char *given, *shown;
	bool apart;
} backends[] = {
	{ "127.0.0.1:22", "127.0.0.1:22", false },
	{ "255.255.255.255:65535", "255.255.255.255:65535", false },
	{ "[2001:db8::1]:443", "[2001:db8::1]:443", false },
	{ "[::ffff:192.0.2.1]:443", "192.0.2.1:443", false },
	/* An interface is part of the address. */
	{ "[fe80::1%4294967295]:22", "[fe80::1%4294967295]:22", true },
	{ "unix:/run/x.sock", "unix:/run/x.sock", true },
	{ "unix:@abstract", "unix:@abstract", true },
	{ "unix:@" TEN("0123456789") "abcdefg",
	    "unix:@" TEN("0123456789") "abcdefg", true },
	{ "unix:/" TEN("0123456789") "abcdef",
	    "unix:/" TEN("0123456789") "abcdef", true },
	{ "unix:/run/a\nb", "unix:/run/a\\nb", true },
	{ "unix:/" TEN("\001\001"), "unix:/" TEN("\\x01\\x01"), true },
	/* Escapes make it longer than there is room for. */
	{ "unix:/" TEN("\001\001\001\001"), "unix:/" TEN("\\x01\\x01\\x01"),
	    true },
};

START_TEST(a_backend_is_shown_as_it_was_given)
{
	struct connection *slot = scoreboard_take(&board, 10, &client);

	go_to(slot, backends[_i].given);
	ck_assert_str_eq(backend_of(slot), backends[_i].shown);
	/* An address needs no memory but the slot's. */
	ck_assert_int_eq(board.head->paths > 0, backends[_i].apart);
	ck_assert_str_eq(backend_of(again(slot)), "");
}
END_TEST

START_TEST(the_backend_is_the_last_that_was_tried)
{
	struct connection *slot = scoreboard_take(&board, 10, &client);

	for (int i = 0; i < COUNT(backends); i++) {
		go_to(slot, backends[i].given);
		go_to(slot, backends[_i].given);
		ck_assert_str_eq(backend_of(slot), backends[_i].shown);
	}
	scoreboard_set_program(&board, slot, "/bin/cat");
	ck_assert_str_eq(backend_of(slot), "/bin/cat");
}
END_TEST

START_TEST(a_program_is_shown_by_its_path)
{
	struct connection *first = scoreboard_take(&board, 10, &client);
	struct connection *second = scoreboard_take(&board, 10, &client);
	char path[2 * ADDR_TEXT_MAX];

	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	scoreboard_set_program(&board, first, "/usr/lib/a\"b");
	scoreboard_set_program(&board, second, path);
	ck_assert_str_eq(backend_of(first), "/usr/lib/a\"b");
	ck_assert_uint_eq(strspn(backend_of(second), "/"), ADDR_TEXT_MAX - 1);
	ck_assert_str_eq(backend_of(again(first)), "");
	go_to(first, "127.0.0.1:22");
	ck_assert_str_eq(backend_of(first), "127.0.0.1:22");
}
END_TEST

START_TEST(what_is_said_of_texts_is_not_believed)
{
	struct connection *slot = scoreboard_take(&board, 10, &client);
	struct connection *last = scoreboard_slot(&board, SCOREBOARD_SLOTS - 1);

	scoreboard_set_program(&board, slot, "/bin/cat");
	memset(board.paths, 'x', 2 * sizeof(board.paths[0]));
	slot->path_len = UINT8_MAX;
	ck_assert_uint_eq(strlen(backend_of(slot)), ADDR_TEXT_MAX - 1);
	slot->backend.family = UINT16_MAX;
	ck_assert_uint_eq(strlen(backend_of(slot)), ADDR_TEXT_MAX - 1);
	slot->path_len = 3;
	ck_assert_str_eq(backend_of(slot), "xxx");
	/* What no memory was ever made for is not looked at. */
	last->name_len = last->alpn_len = last->path_len = UINT8_MAX;
	ck_assert_str_eq(backend_of(last), "");
	ck_assert_str_eq(scoreboard_name(&board, last), "");
	ck_assert_str_eq(scoreboard_alpn(&board, last), "");
	board.head->asked = board.head->paths = UINT32_MAX;
	ck_assert_str_eq(backend_of(last + 1), "");
	ck_assert_str_eq(scoreboard_name(&board, last + 1), "");
	ck_assert_str_eq(scoreboard_alpn(&board, last + 1), "");
}
END_TEST

/* Uses up what the file system has, as long as there is something. */
static void
fill_up(const char *file)
{
	static const char bytes[4096];
	int fd = open(file, O_WRONLY | O_CREAT, 0600);

	while (write(fd, bytes, sizeof(bytes)) > 0)
		continue;
}

/* In a process of its own, with a small file system of its own. */
_Noreturn static void
tell_where_memory_is_short(const char *directory)
{
	struct connection *slot;
	int32_t owner;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", directory, "tmpfs", 0, "size=1m") < 0 ||
	    chdir(directory) < 0)
		_exit(77);
	if (scoreboard_open(&board, directory, -1, &owner) < 0 ||
	    (slot = scoreboard_take(&board, 10, &client)) == NULL)
		_exit(1);
	fill_up("rest");
	scoreboard_set_name(&board, slot, "a.example", 9);
	if (scoreboard_set_alpn(&board, slot, "h2", 2) ||
	    scoreboard_name(&board, slot)[0] != '\0' ||
	    scoreboard_alpn(&board, slot)[0] != '\0')
		_exit(2);
	/* Not where it went before, which would be a lie. */
	go_to(slot, "127.0.0.1:22");
	if (strcmp(backend_of(slot), "127.0.0.1:22") != 0)
		_exit(3);
	go_to(slot, "unix:/run/x.sock");
	if (backend_of(slot)[0] != '\0')
		_exit(4);
	go_to(slot, "127.0.0.1:22");
	scoreboard_set_program(&board, slot, "/bin/cat");
	if (backend_of(slot)[0] != '\0')
		_exit(5);
	/* As soon as there is some, it is. */
	if (truncate("rest", 0) < 0)
		_exit(6);
	go_to(slot, "unix:/run/x.sock");
	_exit(strcmp(backend_of(slot), "unix:/run/x.sock") == 0 ? 0 : 7);
}

START_TEST(what_there_is_no_memory_for_is_not_known)
{
	char directory[] = "/tmp/usher-texts-XXXXXX";
	pid_t keeper;
	int status = 0;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	keeper = getuid() == 0 ? fork() : -1;
	if (keeper == 0)
		tell_where_memory_is_short(directory);
	if (keeper > 0)
		ck_assert_int_eq(waitpid(keeper, &status, 0), keeper);
	ck_assert_int_eq(rmdir(directory), 0);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) != 77)
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

Suite *scoreboard_texts_suite(void);

Suite *
scoreboard_texts_suite(void)
{
	Suite *suite = suite_create("scoreboard_texts");
	TCase *memory = tcase_create("in memory");
	TCase *short_of_it = tcase_create("short of memory");

	tcase_add_checked_fixture(memory, open_board, close_board);
	tcase_add_test(memory, a_name_goes_with_its_connection);
	tcase_add_loop_test(
	    memory, alpn_goes_with_its_connection, 0, COUNT(offers));
	tcase_add_loop_test(
	    memory, a_backend_is_shown_as_it_was_given, 0, COUNT(backends));
	tcase_add_loop_test(
	    memory, the_backend_is_the_last_that_was_tried, 0, COUNT(backends));
	tcase_add_test(memory, a_program_is_shown_by_its_path);
	tcase_add_test(memory, what_is_said_of_texts_is_not_believed);
	suite_add_tcase(suite, memory);
	tcase_add_test(short_of_it, what_there_is_no_memory_for_is_not_known);
	suite_add_tcase(suite, short_of_it);
	return suite;
}
