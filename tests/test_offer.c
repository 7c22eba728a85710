#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "door_rig.h"
#include "offer.h"

enum { RELAY_ID = 1, RECORDS = 200, RELAY_PID = 4711 };

struct record {
	struct pair pair; /* first */
	struct offer offer;
};

static struct door_rig rig;
static struct carrier carrier;
static struct offers offers;
static struct batch batch; /* as the relay has received it */
static int relay; /* its end, which the test plays */
static int n_back, n_taken;
static struct pair *last_back, *last_taken;

static void
came_back(struct pair *pair)
{
	n_back++;
	last_back = pair;
}

static void
was_taken(struct pair *pair)
{
	n_taken++;
	last_taken = pair;
}

static void
other(struct carrier *c, uint32_t id)
{
	ck_assert_ptr_eq(c, &carrier);
	ck_assert_uint_eq(id, RELAY_ID);
	offers_hear(&offers);
}

static const struct carrier_owner owner = { .other = other };

/* A relay that runs, with the test in its place. */
static void
begin_relay(void)
{
	int ends[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, ends),
	    0);
	offers.control = ends[0];
	relay = ends[1];
	offers.pid = RELAY_PID;
	offers.started_us = clock_us() - INT64_C(60000000);
	ck_assert_int_eq(
	    carrier_watch_other(&carrier, offers.control, RELAY_ID, false), 0);
}

static void
set_up(void)
{
	door_rig_set_up(&rig, "[any]\nprotocol = any\nreject = close\n");
	rig.generation.relay_exe = open("/bin/true", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(rig.generation.relay_exe, 0);
	ck_assert_int_eq(
	    carrier_init(&carrier, &owner, RECORDS, sizeof(struct record)), 0);
	offers = (struct offers){
		.generation = &rig.generation,
		.carrier = &carrier,
		.id = RELAY_ID,
		.came_back = came_back,
		.was_taken = was_taken,
	};
	offers_init(&offers);
}

static void
tear_down(void)
{
	door_rig_tear_down(&rig);
}

static struct connection *
slot_of(const struct pair *pair)
{
	return pair->relay.connection;
}

static int32_t
owner_of(const struct pair *pair)
{
	return atomic_load(&slot_of(pair)->pid);
}

/* A connection that stays. */
static struct pair *
offer(void)
{
	static const struct endpoint from;
	static const struct relay_options options = { 1000, 2000, -1, 3000 };
	struct connection *slot = scoreboard_take(&rig.board, 1000, &from);
	const struct handover h = { .slot =
					scoreboard_index(&rig.board, slot) };
	struct pair *pair = carrier_new(&carrier);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	relay_init(&pair->relay, null, null, slot, &options, NULL);
	offers_add(&offers, &((struct record *)pair)->offer, pair, &h);
	return pair;
}

/* What has happened to the relay's socket is heard of. */
static void
turn(void)
{
	carrier_turn(&carrier, deadline_after(clock_us(), 10000));
}

/* The relay takes a message, and all or nothing of what is in it. */
static void
take(bool all)
{
	ck_assert_int_eq(batch_receive(relay, &batch), 1);
	for (size_t i = 0; i < batch.n; i++) {
		struct connection *slot =
		    scoreboard_slot(&rig.board, batch.items[i].handover.slot);

		if (all)
			ck_assert(
			    scoreboard_adopt(slot, -batch.owner, RELAY_PID));
		else
			ck_assert(
			    scoreboard_pass(slot, -batch.owner, batch.owner));
	}
}

static void
answer(void)
{
	ck_assert_int_eq(send(relay, "", 1, 0), 1);
}

/* As if nothing had come from the relay for as long as it may take. */
static void
lose_patience(void)
{
	ck_assert_int_gt(offers_due(&offers).at_us, clock_us());
	offers.answer_due_us = clock_us();
	offers_send(&offers);
}

START_TEST(lets_go_of_what_was_taken)
{
	struct pair *pair;

	begin_relay();
	pair = offer();
	ck_assert_int_eq(owner_of(pair), -getpid());
	offers_send(&offers);
	take(true);
	ck_assert_int_eq(n_taken, 0);
	answer();
	turn();
	ck_assert_int_eq(n_taken, 1);
	ck_assert_int_eq(n_back, 0);
	ck_assert_ptr_eq(last_taken, pair);
	ck_assert(offers.oldest == NULL && offers.unanswered == 0);
	ck_assert_int_eq(offers_due(&offers).at_us, DEADLINE_NEVER);
}
END_TEST

START_TEST(goes_on_with_what_was_declined)
{
	struct pair *pair;

	begin_relay();
	pair = offer();
	offers_send(&offers);
	take(false);
	answer();
	turn();
	ck_assert_int_eq(n_back, 1);
	ck_assert_int_eq(n_taken, 0);
	ck_assert_ptr_eq(last_back, pair);
	ck_assert_int_eq(owner_of(pair), getpid());
	ck_assert(offers_welcome(&offers));
}
END_TEST

/* Whether it is the end of its socket that is heard of first, or of it. */
START_TEST(takes_back_what_a_dead_relay_has_not_taken)
{
	struct pair *taken, *unread;

	begin_relay();
	taken = offer();
	offers_send(&offers);
	take(true);
	unread = offer();
	offers_send(&offers);
	close(relay);
	if (_i == 0)
		turn();
	else
		ck_assert(offers_reap(&offers, RELAY_PID));
	ck_assert_int_eq(n_taken, 1);
	ck_assert_ptr_eq(last_taken, taken);
	ck_assert_int_eq(owner_of(taken), RELAY_PID); /* to be buried */
	ck_assert_int_eq(n_back, 1);
	ck_assert_ptr_eq(last_back, unread);
	ck_assert_int_eq(owner_of(unread), getpid());
	ck_assert_int_eq(offers.control, -1);
	/* It has served for long: another is started at once. */
	ck_assert(offers_welcome(&offers));
	ck_assert(!offers_reap(&offers, RELAY_PID + 1));
}
END_TEST

START_TEST(does_not_start_another_at_once_after_one_that_ended_soon)
{
	begin_relay();
	offers.started_us = clock_us();
	close(relay);
	turn();
	ck_assert(!offers_welcome(&offers));
	offers.not_before_us = clock_us();
	ck_assert(offers_welcome(&offers));
}
END_TEST

/* And what it reads later is not its any more, nor is anything offered. */
START_TEST(takes_back_what_is_not_answered)
{
	struct pair *pair;

	begin_relay();
	pair = offer();
	offers_send(&offers);
	offers_send(&offers);
	ck_assert_int_eq(n_back, 0);
	lose_patience();
	ck_assert_int_eq(n_back, 1);
	ck_assert_int_eq(owner_of(pair), getpid());
	ck_assert(!offers_welcome(&offers));
	ck_assert_int_eq(batch_receive(relay, &batch), 1);
	ck_assert(!scoreboard_adopt(slot_of(pair), -batch.owner, RELAY_PID));
	answer();
	turn();
	ck_assert(offers_welcome(&offers));
	ck_assert_int_eq(n_back, 1);
	ck_assert_int_eq(n_taken, 0);
}
END_TEST

/* It was slow, but it has them: the worker must not go on with them. */
START_TEST(leaves_what_was_taken_late)
{
	struct pair *pair;

	begin_relay();
	pair = offer();
	offers_send(&offers);
	take(true);
	lose_patience();
	ck_assert_int_eq(n_back, 0);
	ck_assert_int_eq(n_taken, 1);
	ck_assert_int_eq(owner_of(pair), RELAY_PID);
	answer();
	turn();
	ck_assert_int_eq(n_taken, 1);
}
END_TEST

/* Taken, over, and the slot another's, or a new connection of our own. */
START_TEST(knows_its_slot_from_its_successor)
{
	static const struct endpoint from;
	struct connection *slot;
	struct pair *pair;

	begin_relay();
	pair = offer();
	slot = slot_of(pair);
	offers_send(&offers);
	take(true);
	slot->end = END_IDLE;
	ck_assert(scoreboard_give_back(&rig.board, slot));
	ck_assert_ptr_eq(scoreboard_take(&rig.board, 1000, &from), slot);
	slot->start_us = ((struct record *)pair)->offer.start_us + 1;
	answer();
	turn();
	ck_assert_int_eq(n_taken, 1);
	ck_assert_int_eq(n_back, 0);
	ck_assert_int_eq(atomic_load(&slot->pid), getpid());
}
END_TEST

START_TEST(offers_no_more_than_is_answered)
{
	int n = 0;

	begin_relay();
	while (offers_welcome(&offers)) {
		ck_assert_int_lt(n++, RECORDS);
		(void)offer();
		offers_send(&offers);
	}
	take(true);
	answer();
	turn();
	ck_assert_int_eq(n_taken, 1);
	ck_assert(offers_welcome(&offers));
}
END_TEST

START_TEST(sends_as_many_messages_as_it_takes)
{
	begin_relay();
	for (int i = 0; i < BATCH_MAX + 1; i++)
		(void)offer();
	offers_send(&offers);
	take(true);
	ck_assert_uint_eq(batch.n, BATCH_MAX);
	take(true);
	ck_assert_uint_eq(batch.n, 1);
	answer();
	answer();
	turn();
	ck_assert_int_eq(n_taken, BATCH_MAX + 1);
}
END_TEST

/* Nothing is stranded in a queue that has no room. */
START_TEST(takes_back_what_cannot_be_sent)
{
	const char filling[1024] = "";

	begin_relay();
	while (send(offers.control, filling, sizeof(filling), 0) > 0)
		continue;
	(void)offer();
	offers_send(&offers);
	ck_assert_int_eq(n_back, 1);
	ck_assert_int_eq(owner_of(last_back), getpid());
	ck_assert(!offers_welcome(&offers));
	ck_assert_uint_eq(offers.unanswered, 0);
}
END_TEST

/* What is in the queue already is stale then, and must have been read first. */
START_TEST(offers_nothing_while_something_stale_is_in_the_queue)
{
	const char filling[1024] = "";

	begin_relay();
	(void)offer();
	offers_send(&offers);
	while (send(offers.control, filling, sizeof(filling), 0) > 0)
		continue;
	(void)offer();
	offers_send(&offers);
	ck_assert_int_eq(n_back, 2);
	offers.not_before_us = clock_us();
	ck_assert(!offers_welcome(&offers));
	answer();
	turn();
	ck_assert(offers_welcome(&offers));
}
END_TEST

/* Until the child that failed, or that said nothing, is reaped. */
static void
expect_one_that_cannot_run(int status)
{
	int got;

	(void)offer();
	offers_send(&offers);
	ck_assert_int_gt(offers.pid, 0);
	ck_assert_int_eq(waitpid(offers.pid, &got, 0), offers.pid);
	ck_assert_int_eq(WEXITSTATUS(got), status);
	turn();
	ck_assert(offers_reap(&offers, offers.pid));
	ck_assert_int_eq(n_back, 1);
	ck_assert(!offers_welcome(&offers));
}

START_TEST(outlives_a_relay_that_just_ends)
{
	expect_one_that_cannot_run(0);
}
END_TEST

START_TEST(outlives_a_relay_that_cannot_be_run)
{
	rig.generation.relay_exe = open("/dev/null", O_RDONLY | O_CLOEXEC);
	expect_one_that_cannot_run(1);
	ck_assert_int_eq(door_rig_logged(&rig, "cannot run usher-relay"), 1);
}
END_TEST

START_TEST(goes_on_without_descriptors_for_a_relay)
{
	struct pair *pair = offer();
	struct rlimit limit, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	offers_send(&offers);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(n_back, 1);
	ck_assert_ptr_eq(last_back, pair);
	ck_assert_int_eq(offers.control, -1);
	ck_assert(!offers_welcome(&offers));
	ck_assert_int_eq(door_rig_logged(&rig, "cannot hand over"), 1);
}
END_TEST

/* It is tried again and again, and said once. */
START_TEST(says_once_that_it_cannot_start_one)
{
	door_rig_fail(SYS_clone, EAGAIN);
	for (int i = 1; i <= 2; i++) {
		(void)offer();
		offers_send(&offers);
		ck_assert_int_eq(n_back, i);
		ck_assert_int_eq(owner_of(last_back), getpid());
		ck_assert(!offers_welcome(&offers));
		ck_assert_int_eq(door_rig_logged(&rig, "cannot hand over"), 1);
	}
	/* A sanitizer would have a process of its own look for leaks. */
	_exit(0);
}
END_TEST

START_TEST(offers_nothing_where_there_is_no_relay)
{
	close(rig.generation.relay_exe);
	rig.generation.relay_exe = -1;
	ck_assert(!offers_welcome(&offers));
}
END_TEST

Suite *offer_suite(void);

Suite *
offer_suite(void)
{
	Suite *suite = suite_create("offer");
	TCase *tcase = tcase_create("offer");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, lets_go_of_what_was_taken);
	tcase_add_test(tcase, goes_on_with_what_was_declined);
	tcase_add_loop_test(
	    tcase, takes_back_what_a_dead_relay_has_not_taken, 0, 2);
	tcase_add_test(
	    tcase, does_not_start_another_at_once_after_one_that_ended_soon);
	tcase_add_test(tcase, takes_back_what_is_not_answered);
	tcase_add_test(tcase, leaves_what_was_taken_late);
	tcase_add_test(tcase, knows_its_slot_from_its_successor);
	tcase_add_test(tcase, offers_no_more_than_is_answered);
	tcase_add_test(tcase, sends_as_many_messages_as_it_takes);
	tcase_add_test(tcase, takes_back_what_cannot_be_sent);
	tcase_add_test(
	    tcase, offers_nothing_while_something_stale_is_in_the_queue);
	tcase_add_test(tcase, outlives_a_relay_that_just_ends);
	tcase_add_test(tcase, outlives_a_relay_that_cannot_be_run);
	tcase_add_test(tcase, goes_on_without_descriptors_for_a_relay);
	tcase_add_test(tcase, says_once_that_it_cannot_start_one);
	tcase_add_test(tcase, offers_nothing_where_there_is_no_relay);
	suite_add_tcase(suite, tcase);
	return suite;
}
