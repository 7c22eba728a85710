#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "door_rig.h"
#include "lobby.h"

enum { SEATS = 3 };

static const struct generation generation;
static struct connection slots[SEATS + 1];
static struct lobby lobby;
static struct session sessions[SEATS + 1];
static int clients[SEATS + 1]; /* the other ends */

static void
set_up(void)
{
	ck_assert_int_eq(lobby_init(&lobby, SEATS), 0);
	for (int i = 0; i <= SEATS; i++) {
		int pair[2];

		ck_assert_int_eq(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		    0);
		sessions[i] = (struct session){
			.generation = &generation,
			.slot = &slots[i],
			.client = pair[0],
			.from = { .len = sizeof(struct sockaddr_in) },
			.socket = "web",
		};
		sessions[i].from.v4.sin_port = htons((uint16_t)(1000 + i));
		clients[i] = pair[1];
	}
}

static struct lobby_guest *
enter(int i, int64_t until_us)
{
	return lobby_enter(&lobby, &sessions[i], (struct deadline){ until_us });
}

static bool
spoke_alone(const struct lobby_guest *guest)
{
	struct lobby_guest *guests[LOBBY_BATCH];

	return lobby_spoken(&lobby, guests) == 1 && guests[0] == guest;
}

static bool
nobody_spoke(void)
{
	struct lobby_guest *guests[LOBBY_BATCH];

	return lobby_spoken(&lobby, guests) == 0;
}

START_TEST(names_who_has_spoken_or_left)
{
	struct lobby_guest *first = enter(0, 1000), *second = enter(1, 1000);

	ck_assert(nobody_spoke());
	ck_assert_int_eq(send(clients[1], "x", 1, 0), 1);
	ck_assert(spoke_alone(second));
	lobby_remove(&lobby, second);
	ck_assert(nobody_spoke());
	close(clients[0]);
	ck_assert(spoke_alone(first));
}
END_TEST

START_TEST(gives_a_session_back_as_it_was)
{
	struct lobby_guest *guest;
	struct session session;

	(void)enter(0, 1000);
	guest = enter(1, 1000);
	lobby_recall(guest, &generation, &session);
	ck_assert_ptr_eq(session.generation, &generation);
	ck_assert_ptr_eq(session.slot, &slots[1]);
	ck_assert_int_eq(session.client, sessions[1].client);
	ck_assert_mem_eq(
	    &session.from, &sessions[1].from, sizeof(session.from));
	ck_assert_str_eq(session.socket, "web");
	ck_assert_int_eq(session.stage, 0);
	/* It is open still. */
	lobby_remove(&lobby, guest);
	ck_assert_int_ge(fcntl(session.client, F_GETFD), 0);
}
END_TEST

START_TEST(knows_whose_time_is_over)
{
	struct lobby_guest *first = enter(0, 2000), *second = enter(1, 1000);

	ck_assert_int_eq(lobby_due(&lobby).at_us, 1000);
	ck_assert_ptr_null(lobby_late(&lobby, 999));
	ck_assert_ptr_eq(lobby_late(&lobby, 1000), second);
	lobby_remove(&lobby, second);
	ck_assert_ptr_null(lobby_late(&lobby, 1999));
	ck_assert_ptr_eq(lobby_late(&lobby, INT64_MAX), first);
	lobby_remove(&lobby, first);
	ck_assert_uint_eq(lobby.n, 0);
	ck_assert_int_eq(lobby_due(&lobby).at_us, DEADLINE_NEVER);
}
END_TEST

/* Or who cannot be served now would keep it busy. */
START_TEST(does_not_listen_to_who_is_deferred)
{
	struct lobby_guest *guest = enter(0, 1000);

	ck_assert_int_eq(send(clients[0], "x", 1, 0), 1);
	lobby_defer(&lobby, guest, (struct deadline){ 5000 });
	ck_assert(nobody_spoke());
	ck_assert_ptr_null(lobby_late(&lobby, 4999));
	ck_assert_ptr_eq(lobby_late(&lobby, 5000), guest);
	lobby_remove(&lobby, guest);
	ck_assert_uint_eq(lobby.n, 0);
}
END_TEST

/* Whoever serves it now has it open, and reads from it. */
START_TEST(forgets_who_has_left_although_it_is_open)
{
	struct lobby_guest *guest = enter(0, 1000);

	lobby_remove(&lobby, guest);
	ck_assert_int_eq(send(clients[0], "x", 1, 0), 1);
	ck_assert(nobody_spoke());
	ck_assert_ptr_null(lobby_late(&lobby, INT64_MAX));
}
END_TEST

/* The others are named the next time. */
START_TEST(names_some_of_many_at_a_time)
{
	enum { MANY = LOBBY_BATCH + 4 };
	struct lobby_guest *guests[LOBBY_BATCH];

	ck_assert_int_eq(lobby_init(&lobby, MANY), 0);
	for (int i = 0; i < MANY; i++) {
		int pair[2];
		struct session session = { .slot = &slots[0] };

		ck_assert_int_eq(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		    0);
		session.client = pair[0];
		ck_assert_ptr_nonnull(
		    lobby_enter(&lobby, &session, (struct deadline){ 1000 }));
		ck_assert_int_eq(send(pair[1], "x", 1, 0), 1);
	}
	ck_assert_uint_eq(lobby_spoken(&lobby, guests), LOBBY_BATCH);
	for (int i = 0; i < LOBBY_BATCH; i++)
		lobby_remove(&lobby, guests[i]);
	ck_assert_uint_eq(lobby_spoken(&lobby, guests), MANY - LOBBY_BATCH);
}
END_TEST

START_TEST(has_no_room_for_one_too_many)
{
	struct lobby_guest *guests[SEATS];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < SEATS; i++) {
			guests[i] = enter(i, 1000 + i);
			ck_assert_ptr_nonnull(guests[i]);
		}
		ck_assert_uint_eq(lobby.n, SEATS);
		ck_assert_ptr_null(enter(SEATS, 1000));
		for (int i = 0; i < SEATS; i++)
			lobby_remove(&lobby, guests[(i + round) % SEATS]);
		ck_assert_uint_eq(lobby.n, 0);
	}
}
END_TEST

START_TEST(keeps_its_room_when_one_cannot_be_watched)
{
	int client = sessions[0].client;

	sessions[0].client = -1;
	for (int i = 0; i < 2 * SEATS; i++)
		ck_assert_ptr_null(enter(0, 1000));
	sessions[0].client = client;
	for (int i = 0; i < SEATS; i++)
		ck_assert_ptr_nonnull(enter(i, 1000));
}
END_TEST

START_TEST(without_seats_nobody_fits)
{
	ck_assert_int_eq(lobby_init(&lobby, 0), 0);
	ck_assert_int_eq(lobby.epoll, -1);
	ck_assert_ptr_null(enter(0, 1000));
	ck_assert(nobody_spoke());
	ck_assert_int_eq(lobby_due(&lobby).at_us, DEADLINE_NEVER);
}
END_TEST

START_TEST(without_epoll_nobody_fits)
{
	door_rig_fail(SYS_epoll_create1, EMFILE);
	ck_assert_int_eq(lobby_init(&lobby, SEATS), -EMFILE);
	ck_assert_ptr_null(enter(0, 1000));
	ck_assert(nobody_spoke());
	ck_assert_ptr_null(lobby_late(&lobby, INT64_MAX));
}
END_TEST

Suite *lobby_suite(void);

Suite *
lobby_suite(void)
{
	Suite *suite = suite_create("lobby");
	TCase *tcase = tcase_create("lobby");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, names_who_has_spoken_or_left);
	tcase_add_test(tcase, gives_a_session_back_as_it_was);
	tcase_add_test(tcase, knows_whose_time_is_over);
	tcase_add_test(tcase, does_not_listen_to_who_is_deferred);
	tcase_add_test(tcase, forgets_who_has_left_although_it_is_open);
	tcase_add_test(tcase, names_some_of_many_at_a_time);
	tcase_add_test(tcase, has_no_room_for_one_too_many);
	tcase_add_test(tcase, keeps_its_room_when_one_cannot_be_watched);
	tcase_add_test(tcase, without_seats_nobody_fits);
	tcase_add_test(tcase, without_epoll_nobody_fits);
	suite_add_tcase(suite, tcase);
	return suite;
}
