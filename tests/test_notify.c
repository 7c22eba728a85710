#include <check.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "deadline.h"
#include "notify.h"

/* Stands for systemd: a socket whose name, chosen by the kernel, is abstract.
 */
static int manager;

static void
open_manager(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(name.sun_family);

	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&name, len), 0);
	len = sizeof(name);
	getsockname(manager, (struct sockaddr *)&name, &len);
	len -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
	name.sun_path[0] = '@';
	name.sun_path[len] = '\0';
	setenv("NOTIFY_SOCKET", name.sun_path, 1);
}

static const char *
hear(void)
{
	static char heard[256];
	ssize_t n = recv(manager, heard, sizeof(heard) - 1, MSG_DONTWAIT);

	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

START_TEST(what_is_sent_arrives)
{
	ck_assert(notify_open());
	notify_send("READY=1\nSTATUS=x");
	ck_assert_str_eq(hear(), "READY=1\nSTATUS=x");
	notify_close();
	notify_send("STOPPING=1");
	ck_assert_str_eq(hear(), "");
}
END_TEST

/* A program with fixed numbers puts its own descriptors there, unasked. */
START_TEST(low_numbers_stay_free)
{
	int free_before = dup(manager);

	close(free_before);
	ck_assert(notify_open());
	ck_assert_int_eq(dup2(manager, free_before), free_before);
	notify_send("READY=1");
	ck_assert_str_eq(hear(), "READY=1");
}
END_TEST

START_TEST(a_reload_says_when_it_began)
{
	static const char start[] = "RELOADING=1\nMONOTONIC_USEC=";
	int64_t before = clock_us();
	const char *heard;
	long long at;

	ck_assert(notify_open());
	notify_reloading();
	heard = hear();
	ck_assert_int_eq(strncmp(heard, start, strlen(start)), 0);
	at = strtoll(heard + strlen(start), NULL, 10);
	ck_assert(at >= before && at <= clock_us());
}
END_TEST

static const char *const nobodies[] = {
	"",
	"@",
	"relative",
	"/nonexistent/socket",
	"vsock:2:1234",
	("/01234567890123456789012345678901234567890123456789"
	 "012345678901234567890123456789012345678901234567890123456789"),
};

START_TEST(nobody_is_told_where_nobody_is)
{
	setenv("NOTIFY_SOCKET", nobodies[_i], 1);
	ck_assert(!notify_open());
	notify_send("READY=1");
}
END_TEST

START_TEST(unset_means_nobody)
{
	unsetenv("NOTIFY_SOCKET");
	ck_assert(!notify_open());
	notify_send("READY=1");
}
END_TEST

Suite *notify_suite(void);

Suite *
notify_suite(void)
{
	Suite *suite = suite_create("notify");
	TCase *tcase = tcase_create("systemd");

	tcase_add_checked_fixture(tcase, open_manager, NULL);
	tcase_add_test(tcase, what_is_sent_arrives);
	tcase_add_test(tcase, low_numbers_stay_free);
	tcase_add_test(tcase, a_reload_says_when_it_began);
	tcase_add_loop_test(tcase, nobody_is_told_where_nobody_is, 0,
	    (int)(sizeof(nobodies) / sizeof(nobodies[0])));
	tcase_add_test(tcase, unset_means_nobody);
	suite_add_tcase(suite, tcase);
	return suite;
}
