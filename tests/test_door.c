#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "door_rig.h"

static struct door_rig rig;
static struct door door;
static struct session session;
static int made_room;

static void
make_room(struct door *d)
{
	ck_assert_ptr_eq(d, &door);
	made_room++;
}

static void
set_up(void)
{
	door_rig_set_up(&rig,
	    "max-connections = 3\nmax-pending = 2\nmax-per-source = 3\n"
	    "[any]\nprotocol = any\nreject = close\n");
	door = (struct door){
		.generation = &rig.generation,
		.listeners = &rig.listener,
		.n = 1,
		.make_room = make_room,
	};
}

static void
tear_down(void)
{
	door_rig_tear_down(&rig);
}

static struct settings *
settings(void)
{
	return &((struct rules *)rig.generation.rules)->settings;
}

static int
knock(void)
{
	session = (struct session){ .generation = NULL };
	return door_accept(&door, &rig.listener, &session);
}

static uint64_t
ended_by_limit(void)
{
	return atomic_load(&rig.board.head->unserved.ends[END_LIMIT]);
}

static void
leave(const struct session *s)
{
	s->slot->end = END_GONE;
	ck_assert(scoreboard_give_back(&rig.board, s->slot));
	close(s->client);
}

static void
expect_reset(int client)
{
	char byte;

	ck_assert_int_eq(recv(client, &byte, 1, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
}

START_TEST(lets_in_who_is_there)
{
	struct addr own = { .len = sizeof(struct sockaddr_un) };
	int client;

	ck_assert_int_eq(knock(), 0);
	client = door_rig_connect(&rig);
	ck_assert_int_eq(knock(), 1);
	ck_assert_int_eq(getsockname(client, &own.any, &own.len), 0);
	ck_assert_uint_eq(addr_port(&session.from), addr_port(&own));
	ck_assert_uint_eq(session.slot->client.port, addr_port(&own));
	ck_assert_int_eq(atomic_load(&session.slot->pid), getpid());
	ck_assert_str_eq(session.socket, "web");
	ck_assert_ptr_eq(session.generation, &rig.generation);
	ck_assert(fcntl(session.client, F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq(fcntl(session.client, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(door_rig_connections(&rig), 1);
	ck_assert_int_eq(knock(), 0);
}
END_TEST

/* They wait in the backlog; nobody is turned away for it. */
START_TEST(lets_nobody_in_when_it_is_full)
{
	for (int i = 0; i < 4; i++)
		(void)door_rig_connect(&rig);
	settings()->max_pending = 100;
	settings()->max_per_source = 100;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(knock(), 1);
	ck_assert(door_is_full(&door));
	leave(&session);
	ck_assert(!door_is_full(&door));
	ck_assert_int_eq(knock(), 1);
	ck_assert_int_eq(knock(), 0);
	ck_assert_uint_eq(ended_by_limit(), 0);
}
END_TEST

START_TEST(turns_away_who_has_enough)
{
	struct session first;
	int second;

	settings()->max_per_source = 1;
	(void)door_rig_connect(&rig);
	second = door_rig_connect(&rig);
	ck_assert_int_eq(knock(), 1);
	first = session;
	ck_assert_int_eq(knock(), -EAGAIN);
	expect_reset(second);
	ck_assert_uint_eq(ended_by_limit(), 1);
	ck_assert_uint_eq(door_rig_connections(&rig), 1);
	ck_assert_int_eq(door_rig_logged(&rig, "end=limit"), 1);
	leave(&first);
	(void)door_rig_connect(&rig);
	ck_assert_int_eq(knock(), 1);
}
END_TEST

/* Whose address is still to come is counted when it has. */
START_TEST(waits_for_the_header_before_it_counts_a_source)
{
	static struct network near;

	ck_assert_int_eq(network_parse("127.0.0.0/8", 11, &near), 0);
	settings()->accept_proxy = &near;
	settings()->n_accept_proxy = 1;
	settings()->max_per_source = 1;
	for (int i = 0; i < 2; i++) {
		(void)door_rig_connect(&rig);
		ck_assert_int_eq(knock(), 1);
	}
}
END_TEST

/* Somebody else lets the same source in, between the two looks. */
static void
let_another_in(struct door *d)
{
	struct endpoint from = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };

	(void)d;
	ck_assert_ptr_nonnull(scoreboard_take(&rig.board, 100, &from));
}

START_TEST(counts_again_when_it_has_counted)
{
	int client = door_rig_connect(&rig);

	settings()->max_pending = 0;
	settings()->max_per_source = 1;
	door.make_room = let_another_in;
	ck_assert_int_eq(knock(), -EAGAIN);
	expect_reset(client);
	ck_assert_uint_eq(door_rig_connections(&rig), 1);
	ck_assert_uint_eq(ended_by_limit(), 1);
}
END_TEST

START_TEST(makes_room_when_too_many_are_undecided)
{
	for (int i = 0; i < 3; i++) {
		(void)door_rig_connect(&rig);
		ck_assert_int_eq(made_room, 0);
		ck_assert_int_eq(knock(), 1);
	}
	ck_assert_int_eq(made_room, 1);
}
END_TEST

/* All slots are taken after it has looked: it has the client already. */
static void
take_the_last(struct door *d)
{
	struct endpoint from = { .family = 0 };

	(void)d;
	while (scoreboard_take(&rig.board, 3, &from) != NULL)
		continue;
}

START_TEST(holds_one_for_whom_there_is_no_slot)
{
	struct connection *slot = scoreboard_slot(&rig.board, 1);
	int client = door_rig_connect(&rig);

	settings()->max_pending = 0;
	door.make_room = take_the_last;
	(void)door_rig_connect(&rig);
	ck_assert_int_eq(knock(), 0);
	ck_assert(door.holding);
	ck_assert_int_eq(knock(), 0);
	ck_assert_int_eq(door_readmit(&door, &session), 0);
	ck_assert(door.holding);

	settings()->max_pending = 100;
	slot->end = END_GONE;
	ck_assert(scoreboard_give_back(&rig.board, slot));
	ck_assert_int_eq(door_readmit(&door, &session), 1);
	ck_assert(!door.holding);
	ck_assert_int_eq(send(session.client, "x", 1, 0), 1);
	ck_assert_int_eq(recv(client, (char[1]){ 0 }, 1, 0), 1);
}
END_TEST

START_TEST(pauses_without_descriptors)
{
	struct rlimit limit, none;

	(void)door_rig_connect(&rig);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(knock(), 0);
	ck_assert_int_gt(door.paused_until_us, clock_us());
	ck_assert_int_eq(knock(), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(door_rig_logged(&rig, "cannot accept"), 1);
	ck_assert_int_eq(knock(), 1);
}
END_TEST

/* What is about one client is no reason not to try the next. */
static const struct {
	int error, result;
} errors[] = {
	{ EINTR, -EAGAIN }, { ECONNABORTED, -EAGAIN }, { EPERM, -EAGAIN },
	{ EPROTO, -EAGAIN }, { ENETDOWN, -EAGAIN }, { EHOSTUNREACH, -EAGAIN },
	{ ETIMEDOUT, -EAGAIN }, { EAGAIN, 0 }, { EMFILE, 0 }, { ENFILE, 0 },
	{ ENOBUFS, 0 }, { ENOMEM, 0 }, { EBADF, 0 },
	{ 4000, 0 }, /* none that anybody has heard of */
};

START_TEST(is_ended_by_no_error)
{
	int error = errors[_i].error;
	bool lasts = errors[_i].result == 0 && error != EAGAIN;

	door_rig_fail(SYS_accept4, error);
	ck_assert_int_eq(knock(), errors[_i].result);
	ck_assert_int_eq(knock(), errors[_i].result);
	ck_assert_int_eq(door_rig_logged(&rig, "cannot accept"), lasts);
	ck_assert(lasts == (door.paused_until_us > clock_us()));
}
END_TEST

static int
option(int socket, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(socket, level, name, &value, &len), 0);
	return value;
}

static void
expect_prepared(int socket)
{
	ck_assert_int_eq(option(socket, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(option(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(option(socket, SOL_SOCKET, SO_OOBINLINE), 1);
}

/* From the socket that listens; or, if they were there before it, alone. */
START_TEST(prepares_those_who_come_and_those_who_came_before)
{
	(void)door_rig_connect(&rig);
	door_open(&door);
	ck_assert_int_eq(knock(), 1);
	expect_prepared(session.client);
	ck_assert_int_eq(knock(), 0);
	door_prepare(rig.listener.fd, settings());
	(void)door_rig_connect(&rig);
	ck_assert_int_eq(knock(), 1);
	expect_prepared(session.client);
}
END_TEST

/* Also where so many come that somebody is there at each look. */
START_TEST(prepares_no_more_of_them_than_there_can_be)
{
	int n = 0;

	door_open(&door);
	(void)door_rig_connect(&rig);
	for (; n < 64; n++) {
		(void)door_rig_connect(&rig);
		ck_assert_int_eq(knock(), 1);
		if (option(session.client, SOL_SOCKET, SO_OOBINLINE) == 0)
			break;
		leave(&session);
	}
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, 64);
}
END_TEST

Suite *door_suite(void);

Suite *
door_suite(void)
{
	Suite *suite = suite_create("door");
	TCase *tcase = tcase_create("door");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, lets_in_who_is_there);
	tcase_add_test(tcase, lets_nobody_in_when_it_is_full);
	tcase_add_test(tcase, turns_away_who_has_enough);
	tcase_add_test(tcase, waits_for_the_header_before_it_counts_a_source);
	tcase_add_test(tcase, counts_again_when_it_has_counted);
	tcase_add_test(tcase, makes_room_when_too_many_are_undecided);
	tcase_add_test(tcase, holds_one_for_whom_there_is_no_slot);
	tcase_add_test(tcase, pauses_without_descriptors);
	tcase_add_loop_test(
	    tcase, is_ended_by_no_error, 0, sizeof(errors) / sizeof(errors[0]));
	tcase_add_test(
	    tcase, prepares_those_who_come_and_those_who_came_before);
	tcase_add_test(tcase, prepares_no_more_of_them_than_there_can_be);
	suite_add_tcase(suite, tcase);
	return suite;
}
