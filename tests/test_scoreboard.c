#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alive.h"
#include "board_rig.h"
#include "deadline.h"

static struct endpoint
client_of(const char *host)
{
	struct addr addr;
	struct endpoint ret;

	ck_assert_int_eq(addr_parse_host(host, strlen(host), &addr), 0);
	endpoint_from(&ret, &addr);
	return ret;
}

static void
assert_empty(void)
{
	ck_assert_uint_eq(board.head->connections, 0);
	ck_assert_uint_eq(board.head->pending, 0);
	for (uint32_t i = 0; i < SCOREBOARD_SOURCES; i++)
		ck_assert_uint_eq(board.sources[i], 0);
	for (uint16_t i = 0; i < SCOREBOARD_SERVICES; i++)
		ck_assert_uint_eq(board.services[i].connections, 0);
}

START_TEST(a_connection_is_counted_from_take_to_give_back)
{
	struct endpoint client = client_of("203.0.113.5");
	uint16_t row = scoreboard_service(&board, "openssh");
	struct tally *tally = scoreboard_tally(&board, row);
	struct connection *slot = scoreboard_take(&board, 10, &client);

	ck_assert_ptr_nonnull(slot);
	ck_assert_int_eq(slot->pid, getpid());
	ck_assert_uint_eq(board.head->connections, 1);
	ck_assert_uint_eq(board.head->pending, 1);
	ck_assert_uint_eq(scoreboard_source_count(&board, &client), 1);
	ck_assert_uint_eq(tally->connections, 0);

	scoreboard_decided(&board, slot, row);
	scoreboard_decided(&board, slot, row);
	ck_assert_uint_eq(board.head->pending, 0);
	ck_assert_uint_eq(tally->connections, 1);
	ck_assert_uint_eq(tally->total, 1);

	slot->bytes_in = 3;
	slot->bytes_out = 5;
	slot->end = END_IDLE;
	ck_assert(scoreboard_ended(&board, slot));
	ck_assert(!scoreboard_ended(&board, slot));
	for (int i = 0; i < 2; i++) { /* as counted, and counted again */
		ck_assert_uint_eq(board.head->connections, 1);
		ck_assert_uint_eq(scoreboard_source_count(&board, &client), 0);
		ck_assert_uint_eq(tally->connections, 0);
		ck_assert_int_eq(scoreboard_mend(&board, NULL, NULL), 0);
	}
	ck_assert(scoreboard_give_back(&board, slot));
	ck_assert(!scoreboard_give_back(&board, slot));
	assert_empty();
	ck_assert_uint_eq(tally->total, 1);
	ck_assert_uint_eq(tally->bytes_in, 3);
	ck_assert_uint_eq(tally->bytes_out, 5);
	ck_assert_uint_eq(tally->ends[END_IDLE], 1);
}
END_TEST

START_TEST(a_connection_without_a_service_has_a_tally_too)
{
	struct endpoint client = { .family = 0 };
	struct connection *slot = scoreboard_take(&board, 10, &client);

	slot->end = END_NO_RULE;
	ck_assert(scoreboard_give_back(&board, slot));
	assert_empty();
	ck_assert_uint_eq(board.head->unserved.total, 1);
	ck_assert_uint_eq(board.head->unserved.ends[END_NO_RULE], 1);
}
END_TEST

START_TEST(slots_are_taken_from_the_front_up_to_the_limit)
{
	struct endpoint client = client_of("203.0.113.5");
	struct connection *slots[100];

	for (uint32_t i = 0; i < 100; i++) {
		slots[i] = scoreboard_take(&board, 100, &client);
		ck_assert_uint_eq(scoreboard_index(&board, slots[i]), i);
	}
	ck_assert_ptr_null(scoreboard_take(&board, 100, &client));
	scoreboard_give_back(&board, slots[70]);
	ck_assert_ptr_eq(scoreboard_take(&board, 100, &client), slots[70]);
	ck_assert_uint_eq(scoreboard_source_count(&board, &client), 100);
}
END_TEST

START_TEST(a_wrong_hint_costs_nobody_a_slot)
{
	struct endpoint client = client_of("203.0.113.5");
	struct connection *first = scoreboard_take(&board, 10, &client);
	struct connection *second;

	board.head->used[0] = 0;
	second = scoreboard_take(&board, 10, &client);
	ck_assert_ptr_nonnull(second);
	ck_assert_ptr_ne(first, second);
	board.head->full[0] = UINT64_MAX;
	ck_assert_ptr_nonnull(scoreboard_take(&board, 10, &client));
}
END_TEST

START_TEST(of_all_slots_the_one_that_is_free_is_found)
{
	struct endpoint client = { .family = 0 };
	static const uint32_t places[] = { 0, 63, 64, 4095, 4096, 40000,
		SCOREBOARD_SLOTS - 1 };

	for (uint32_t i = 0; i < SCOREBOARD_SLOTS; i++)
		ck_assert_ptr_nonnull(
		    scoreboard_take(&board, SCOREBOARD_SLOTS, &client));
	ck_assert_ptr_null(scoreboard_take(&board, SCOREBOARD_SLOTS, &client));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct connection *slot = scoreboard_slot(&board, places[i]);

		ck_assert(scoreboard_give_back(&board, slot));
		ck_assert_ptr_eq(
		    scoreboard_take(&board, SCOREBOARD_SLOTS, &client), slot);
		ck_assert_uint_eq(board.head->full[places[i] / 4096],
		    UINT64_MAX & ~((uint64_t)1 << places[i] / 64 % 64));
	}
}
END_TEST

static const struct {
	const char *a, *b;
	bool same;
} sources[] = {
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "::ffff:192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.2", false },
	{ "2001:db8::1", "2001:db8::ffff:1:2:3", true },
	{ "2001:db8::1", "2001:db8:0:1::1", false },
};

START_TEST(a_source_is_an_address_or_a_64)
{
	struct endpoint a = client_of(sources[_i].a);
	struct endpoint b = client_of(sources[_i].b);

	scoreboard_take(&board, 10, &a);
	ck_assert_uint_eq(
	    scoreboard_source_count(&board, &b), sources[_i].same);
}
END_TEST

START_TEST(a_client_behind_a_proxy_is_counted_where_it_is)
{
	struct endpoint proxy = client_of("192.0.2.1");
	struct endpoint client = client_of("2001:db8::1");
	struct connection *slot = scoreboard_take(&board, 10, &proxy);

	scoreboard_source_move(&board, slot, &client);
	ck_assert_uint_eq(scoreboard_source_count(&board, &proxy), 0);
	ck_assert_uint_eq(scoreboard_source_count(&board, &client), 1);
	ck_assert_uint_eq(slot->state, CONN_PENDING);
	scoreboard_give_back(&board, slot);
	assert_empty();
}
END_TEST

START_TEST(a_slot_is_passed_on_once)
{
	struct endpoint client = { .family = 0 };
	struct connection *slot = scoreboard_take(&board, 10, &client);

	scoreboard_pass(slot, getpid(), 12345);
	ck_assert_int_eq(slot->pid, 12345);
	scoreboard_pass(slot, getpid(), 6789);
	ck_assert_int_eq(slot->pid, 12345);
	scoreboard_give_back(&board, slot);
	scoreboard_pass(slot, 12345, 6789);
	ck_assert_int_eq(slot->pid, 0);
}
END_TEST

START_TEST(a_service_keeps_its_row)
{
	char name[16];

	for (unsigned i = 0; i < SCOREBOARD_SERVICES; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		ck_assert_uint_eq(scoreboard_service(&board, name), i);
	}
	ck_assert_uint_eq(scoreboard_service(&board, "s7"), 7);
	ck_assert_uint_eq(
	    scoreboard_service(&board, "one more"), CONN_NO_SERVICE);
	ck_assert_ptr_eq(
	    scoreboard_tally(&board, CONN_NO_SERVICE), &board.head->unserved);
}
END_TEST

static void
note(struct connection *slot, void *arg)
{
	slot->end = END_KILLED;
	scoreboard_give_back(&board, slot);
	*(int *)arg += 1;
}

START_TEST(mend_tells_of_each_connection_it_claims)
{
	struct endpoint client = client_of("203.0.113.5");
	pid_t child = fork();
	int told = 0;

	if (child == 0) {
		scoreboard_take(&board, 10, &client);
		scoreboard_ended(&board, scoreboard_take(&board, 10, &client));
		_exit(0);
	}
	waitpid(child, NULL, 0);
	scoreboard_mend(&board, note, &told);
	ck_assert_int_eq(told, 2);
	ck_assert_uint_eq(board.head->unserved.ends[END_KILLED], 2);
	assert_empty();
}
END_TEST

START_TEST(mend_leaves_the_dead_to_whoever_reaps_them)
{
	struct endpoint client = client_of("203.0.113.5");
	pid_t child = fork();
	siginfo_t info;
	int told = 0;

	if (child == 0) {
		scoreboard_take(&board, 10, &client);
		_exit(0);
	}
	ck_assert_int_eq(
	    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	ck_assert(!process_alive(child, clock_us()));
	scoreboard_mend(&board, note, &told);
	ck_assert_int_eq(told, 0);
	ck_assert_uint_eq(board.head->connections, 1);
	waitpid(child, NULL, 0);
	scoreboard_mend(&board, note, &told);
	ck_assert_int_eq(told, 1);
	assert_empty();
}
END_TEST

/* Somebody else's zombie, which may never be reaped, is as good as gone. */
START_TEST(mend_does_not_wait_for_strangers_to_reap)
{
	struct endpoint client = client_of("203.0.113.5");
	int ready[2];
	char byte;
	pid_t parent;

	ck_assert_int_eq(pipe(ready), 0);
	parent = fork();
	if (parent == 0) {
		pid_t middle = fork();

		if (middle == 0) {
			pid_t child = fork();
			siginfo_t info;

			if (child == 0) {
				scoreboard_take(&board, 10, &client);
				_exit(0);
			}
			waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
			(void)!write(ready[1], "", 1);
			pause();
		}
		pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	scoreboard_mend(&board, NULL, NULL);
	assert_empty();
	/* Check ends all of this group. */
}
END_TEST

START_TEST(a_slot_is_claimed_once)
{
	struct endpoint client = client_of("203.0.113.5");
	struct connection *slot = scoreboard_take(&board, 10, &client);

	scoreboard_pass(slot, getpid(), 12345);
	ck_assert(!scoreboard_claim(slot, 6789));
	ck_assert(scoreboard_claim(slot, 12345));
	ck_assert(!scoreboard_claim(slot, 12345));
	ck_assert_int_eq(slot->pid, getpid());
}
END_TEST

/* An offer is taken by the one, or back by the other, never both. */
START_TEST(an_offer_is_taken_once)
{
	struct endpoint client = client_of("203.0.113.5");
	struct connection *slot = scoreboard_take(&board, 10, &client);
	int32_t self = getpid();

	ck_assert(scoreboard_pass(slot, self, -self));
	ck_assert_int_eq(scoreboard_owner(slot), self);
	ck_assert(scoreboard_adopt(slot, -self, 4711));
	ck_assert(!scoreboard_pass(slot, -self, self));
	ck_assert_int_eq(scoreboard_owner(slot), 4711);
	ck_assert(scoreboard_pass(slot, 4711, self));
	ck_assert(scoreboard_pass(slot, self, -self));
	ck_assert(scoreboard_pass(slot, -self, self));
	ck_assert(!scoreboard_adopt(slot, -self, 4711));
}
END_TEST

Suite *scoreboard_suite(void);

Suite *
scoreboard_suite(void)
{
	Suite *suite = suite_create("scoreboard");
	TCase *memory = tcase_create("in memory");

	tcase_add_checked_fixture(memory, open_board, close_board);
	tcase_add_test(memory, a_connection_is_counted_from_take_to_give_back);
	tcase_add_test(memory, a_connection_without_a_service_has_a_tally_too);
	tcase_add_test(memory, slots_are_taken_from_the_front_up_to_the_limit);
	tcase_add_test(memory, a_wrong_hint_costs_nobody_a_slot);
	tcase_add_test(memory, of_all_slots_the_one_that_is_free_is_found);
	tcase_add_loop_test(memory, a_source_is_an_address_or_a_64, 0,
	    (int)(sizeof(sources) / sizeof(sources[0])));
	tcase_add_test(memory, a_client_behind_a_proxy_is_counted_where_it_is);
	tcase_add_test(memory, a_slot_is_passed_on_once);
	tcase_add_test(memory, a_service_keeps_its_row);
	tcase_add_test(memory, mend_tells_of_each_connection_it_claims);
	tcase_add_test(memory, mend_leaves_the_dead_to_whoever_reaps_them);
	tcase_add_test(memory, mend_does_not_wait_for_strangers_to_reap);
	tcase_add_test(memory, a_slot_is_claimed_once);
	tcase_add_test(memory, an_offer_is_taken_once);
	suite_add_tcase(suite, memory);
	return suite;
}
