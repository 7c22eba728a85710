#include <check.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "carrier.h"
#include "relay_rig.h"

enum { SIZE = 300, PAIRS = 20 };

static struct carrier carrier;
static struct connection connections[PAIRS];
static struct pair *over_pair, *late_pair;
static int ready_calls;

static void
note_ready(struct carrier *c, struct pair *pair, bool late)
{
	(void)c;
	ready_calls++;
	if (late)
		late_pair = pair;
}

static void
note_over(struct carrier *c, struct pair *pair)
{
	over_pair = pair;
	carrier_release(c, pair);
}

static const struct carrier_owner owner = {
	.ready = note_ready,
	.over = note_over,
};

static void
set_up(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(carrier_init(&carrier, &owner, SIZE, 1000), 0);
}

static struct deadline
in_ms(int64_t ms)
{
	return deadline_after(clock_us(), ms);
}

START_TEST(gives_a_record_to_each_and_no_more)
{
	struct pair *pairs[SIZE];

	for (int i = 0; i < SIZE; i++) {
		pairs[i] = carrier_new(&carrier);
		ck_assert_ptr_nonnull(pairs[i]);
		memset(pairs[i] + 1, 0xff, 1000 - sizeof(struct pair));
	}
	ck_assert_ptr_null(carrier_new(&carrier));
	carrier_release(&carrier, pairs[100]);
	carrier_release(&carrier, pairs[200]);
	/* The first that is free, so that they stay together; and clean. */
	ck_assert_ptr_eq(carrier_new(&carrier), pairs[100]);
	ck_assert_uint_eq(*(uint8_t *)(pairs[100] + 1), 0);
	ck_assert_ptr_eq(carrier_new(&carrier), pairs[200]);
	ck_assert_ptr_null(carrier_new(&carrier));
}
END_TEST

static unsigned
resident_pages(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t n = (SIZE * carrier.record_size + page - 1) / page;
	unsigned char present[SIZE];
	unsigned sum = 0;

	ck_assert_uint_le(n, sizeof(present));
	ck_assert_int_eq(mincore(carrier.records, n * page, present), 0);
	for (size_t i = 0; i < n; i++)
		sum += present[i] & 1;
	return sum;
}

START_TEST(gives_memory_back_when_few_are_left)
{
	struct pair *pairs[SIZE];
	unsigned most;

	for (int i = 0; i < SIZE; i++)
		pairs[i] = carrier_new(&carrier);
	most = resident_pages();
	for (int i = SIZE - 1; i > 0; i--)
		carrier_release(&carrier, pairs[i]);
	ck_assert_uint_eq(carrier.n, 1);
	ck_assert_uint_lt(resident_pages(), most / 2);
}
END_TEST

START_TEST(tells_the_owner_of_its_timers)
{
	struct pair *pair = carrier_new(&carrier);

	timers_set(&carrier.timers, &pair->timer, in_ms(20));
	while (late_pair == NULL)
		carrier_turn(&carrier, in_ms(1000));
	ck_assert_ptr_eq(late_pair, pair);
	ck_assert_int_eq(ready_calls, 1);
}
END_TEST

/* One that is released while it waits for its turn gets none. */
START_TEST(forgets_one_that_is_released_in_the_queue)
{
	struct pair *pair = carrier_new(&carrier), *other;

	carrier_queue(&carrier, pair);
	carrier_release(&carrier, pair);
	other = carrier_new(&carrier);
	ck_assert_ptr_ne(other, pair);
	carrier_turn(&carrier, in_ms(0));
	ck_assert_int_eq(ready_calls, 0);
	ck_assert_ptr_eq(carrier_new(&carrier), pair);
}
END_TEST

/* Else the events would be about whoever has the record next. */
START_TEST(hears_no_more_of_what_others_have_open)
{
	static const enum end ends[] = { END_CLIENT_CLOSED, END_LIMIT };
	const struct rig_options options = { .kind = RIG_TCP };
	struct pair *pair = carrier_new(&carrier);
	int client[2], backend[2], elsewhere[2];

	rig_pair(&options, client);
	rig_pair(&options, backend);
	elsewhere[0] = dup(client[1]);
	elsewhere[1] = dup(backend[0]);
	relay_init(&pair->relay, client[1], backend[0], &connections[0],
	    &rig_forever, NULL);
	carrier.elsewhere = true;
	ck_assert_int_eq(carrier_watch(&carrier, client[1], pair, CLIENT), 0);
	ck_assert_int_eq(carrier_watch(&carrier, backend[0], pair, BACKEND), 0);
	carrier_carry(&carrier, pair);
	carrier_turn(&carrier, in_ms(0));
	carrier_turn(&carrier, in_ms(0));
	carrier_part(&carrier, pair, ends[_i]);
	ck_assert_ptr_eq(over_pair, pair);
	ck_assert_ptr_eq(carrier_new(&carrier), pair);
	ck_assert_int_eq(send(client[0], "x", 1, 0), 1);
	ck_assert_int_eq(send(backend[1], "x", 1, 0), 1);
	carrier_turn(&carrier, in_ms(0));
	ck_assert_int_eq(ready_calls, 0);
	(void)close(elsewhere[0]);
	(void)close(elsewhere[1]);
}
END_TEST

/* Sends a byte, then FIN or RST; returns what the other side hears of it. */
static short
send_last(int from, int to, bool in_order)
{
	const struct linger none = { .l_onoff = 1 };
	struct pollfd heard = { .fd = to, .events = POLLIN | POLLRDHUP };

	ck_assert_int_eq(send(from, "x", 1, 0), 1);
	rig_await(to, POLLIN, RIG_PATIENCE_MS);
	if (in_order) {
		ck_assert_int_eq(shutdown(from, SHUT_WR), 0);
	} else {
		(void)setsockopt(
		    from, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		(void)close(from);
	}
	rig_await(to, POLLRDHUP, RIG_PATIENCE_MS);
	ck_assert_int_eq(poll(&heard, 1, 0), 1);
	return heard.revents;
}

/* Once both ends are known no read is spent on hearing of them; a RST is. */
START_TEST(ends_with_the_last_byte)
{
	const struct rig_options options = { .kind = RIG_TCP };
	const bool in_order = _i == 0;
	struct relay relay;
	int client[2], backend[2];
	short heard;

	rig_pair(&options, client);
	rig_pair(&options, backend);
	relay_init(
	    &relay, client[1], backend[0], &connections[0], &rig_forever, NULL);
	relay.plain[CLIENT] = relay.plain[BACKEND] = true;
	relay_notice(&relay, BACKEND, send_last(backend[1], backend[0], true));
	ck_assert_int_eq(relay_step(&relay, clock_us()), END_NONE);
	ck_assert(relay.down.done);
	heard = send_last(client[0], client[1], in_order);
	ck_assert(heard & POLLHUP);
	relay_notice(&relay, CLIENT, heard);
	ck_assert_int_eq(relay_step(&relay, clock_us()),
	    in_order ? END_BACKEND_CLOSED : END_NONE);
	ck_assert_uint_eq(connections[0].bytes_in, 1);
	if (!in_order)
		ck_assert_int_eq(
		    relay_step(&relay, clock_us()), END_CLIENT_RESET);
	pump_free(&relay.up);
	pump_free(&relay.down);
}
END_TEST

/* One reader is slow, and holds up nobody but its own writer. */
START_TEST(carries_many_at_once)
{
	const struct rig_options options = { .kind = (enum rig_kind)_i,
		.send_size = 65536,
		.receive_size = 65536 };
	static const char text[] = "a message";
	int clients[PAIRS][2], backends[PAIRS][2];
	char got[sizeof(text)];

	for (int i = 0; i < PAIRS; i++) {
		struct pair *pair = carrier_new(&carrier);

		rig_pair(&options, clients[i]);
		rig_pair(&options, backends[i]);
		relay_init(&pair->relay, clients[i][1], backends[i][0],
		    &connections[i], &rig_forever, NULL);
		ck_assert_int_eq(
		    carrier_watch(&carrier, clients[i][1], pair, CLIENT), 0);
		ck_assert_int_eq(
		    carrier_watch(&carrier, backends[i][0], pair, BACKEND), 0);
		carrier_carry(&carrier, pair);
	}
	/* Nobody reads what the first client sends. */
	for (int round = 0; round < 200; round++) {
		static const uint8_t block[65536];

		(void)!send(clients[0][0], block, sizeof(block), 0);
		carrier_turn(&carrier, in_ms(1));
	}
	for (int i = 1; i < PAIRS; i++)
		ck_assert_int_gt(send(clients[i][0], text, sizeof(text), 0), 0);
	for (int turn = 0; turn < 20; turn++)
		carrier_turn(&carrier, in_ms(1));
	for (int i = 1; i < PAIRS; i++) {
		ck_assert_int_eq(recv(backends[i][1], got, sizeof(got), 0),
		    (ssize_t)sizeof(text));
		ck_assert_uint_eq(connections[i].bytes_in, sizeof(text));
	}
	ck_assert_ptr_null(over_pair);
}
END_TEST

Suite *carrier_suite(void);

Suite *
carrier_suite(void)
{
	Suite *suite = suite_create("carrier");
	TCase *tcase = tcase_create("carrier");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, gives_a_record_to_each_and_no_more);
	tcase_add_test(tcase, gives_memory_back_when_few_are_left);
	tcase_add_test(tcase, tells_the_owner_of_its_timers);
	tcase_add_test(tcase, forgets_one_that_is_released_in_the_queue);
	tcase_add_loop_test(
	    tcase, hears_no_more_of_what_others_have_open, 0, 2);
	tcase_add_loop_test(tcase, ends_with_the_last_byte, 0, 2);
	tcase_add_loop_test(tcase, carries_many_at_once, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}
