#include <check.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "complaints.h"
#include "handover.h"
#include "log.h"
#include "log_rig.h"

static struct complaints complaints;
static const char accept_text[] = "cannot accept";

static void
start(void)
{
	open_ears();
	memset(&complaints, 0, sizeof(complaints));
}

/* As if a minute had gone by. */
static void
let_time_pass(void)
{
	for (size_t i = 0; i < COMPLAINTS_MAX; i++)
		complaints.list[i].said_us -= COMPLAINTS_EVERY_US;
}

static void
log_to_ears(void)
{
	log_adopt("usherd", LOG_TO_STDERR);
	dup2(ears[1], STDERR_FILENO);
}

static void
take_turns(const void *arg)
{
	(void)arg;
	log_to_ears();
	for (int i = 0; i < 100; i++) {
		complaints_say(&complaints, accept_text, EMFILE);
		complaints_say(&complaints, accept_text, ENFILE);
		complaints_say(&complaints, "cannot fork", ENFILE);
	}
	let_time_pass();
	complaints_say(&complaints, accept_text, EMFILE);
	complaints_say(&complaints, accept_text, EMFILE);
	let_time_pass();
	complaints_say(&complaints, accept_text, EMFILE);
	let_time_pass();
	complaints_say(&complaints, accept_text, EMFILE);
}

static bool
hears(const char *text, int error, const char *rest)
{
	char line[256] = "usherd: ";

	strcat(strcat(strcat(line, text), ": "), strerror(error));
	return strcmp(hear(), strcat(strcat(line, rest), "\n")) == 0;
}

START_TEST(each_cause_is_said_once_a_minute_and_counted)
{
	in_child(take_turns, NULL);
	ck_assert(hears(accept_text, EMFILE, ""));
	ck_assert(hears(accept_text, ENFILE, ""));
	ck_assert(hears("cannot fork", ENFILE, ""));
	ck_assert(hears(
	    accept_text, EMFILE, ", 99 times more since the last such line"));
	ck_assert(hears(
	    accept_text, EMFILE, ", 1 times more since the last such line"));
	ck_assert(hears(accept_text, EMFILE, ""));
	ck_assert_str_eq(hear(), "");
}
END_TEST

/* One more cause than there is room for. */
static void
find_ever_others(const void *arg)
{
	(void)arg;
	log_to_ears();
	complaints_say(&complaints, accept_text, 1);
	complaints_say(&complaints, accept_text, 1);
	complaints.list[0].said_us--;
	for (int error = 2; error <= COMPLAINTS_MAX + 1; error++)
		complaints_say(&complaints, accept_text, error);
	complaints_say(&complaints, accept_text, COMPLAINTS_MAX + 1);
}

START_TEST(the_oldest_makes_room_and_says_its_count)
{
	in_child(find_ever_others, NULL);
	for (int error = 1; error <= COMPLAINTS_MAX; error++)
		ck_assert(hears(accept_text, error, ""));
	ck_assert(
	    hears(accept_text, 1, ", 1 times more since the last such line"));
	ck_assert(hears(accept_text, COMPLAINTS_MAX + 1, ""));
	ck_assert_str_eq(hear(), "");
}
END_TEST

Suite *complaints_suite(void);

Suite *
complaints_suite(void)
{
	Suite *suite = suite_create("complaints");
	TCase *tcase = tcase_create("complaints");

	tcase_add_checked_fixture(tcase, start, NULL);
	tcase_add_test(tcase, each_cause_is_said_once_a_minute_and_counted);
	tcase_add_test(tcase, the_oldest_makes_room_and_says_its_count);
	suite_add_tcase(suite, tcase);
	return suite;
}
