#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "relay_rig.h"

/* Smallest, small, middling, the kernel's own, huge. */
static const int sizes[] = { 1, 4096, 16384, 65536, 262144, 0, 4194304 };
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* What CPU time a process may need that has nothing to do. */
#define STILL_MS 60
#define STILL_CPU_US 10000
#define STILL_LOOKS 5

static bool
long_form(void)
{
	return getenv("USHER_TEST_LONG") != NULL;
}

static void
expect_nothing(int fd, int ms)
{
	struct pollfd in = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(poll(&in, 1, ms), 0);
}

/* The relay's process sleeps while nobody gives it anything to do. */
static void
expect_sleep(const struct rig *rig)
{
	int64_t took = 0;

	/* One that spins does so each time; one that had work left does not. */
	for (int look = 0; look < STILL_LOOKS; look++) {
		int64_t before = rig_cpu_us(rig->pid);

		(void)poll(NULL, 0, STILL_MS);
		took = rig_cpu_us(rig->pid) - before;
		if (took < STILL_CPU_US)
			return;
	}
	ck_abort_msg("%d us of %d ms", (int)took, STILL_MS);
}

static void
exchange_all(const struct rig_options *options, uint64_t up, uint64_t down,
    uint64_t seed, size_t chunk)
{
	struct rig rig = { 0 };
	int end;

	rig_start(&rig, options, rig_relay);
	rig_exchange(&rig, up, down, seed, chunk);
	end = rig_wait(&rig);
	ck_assert(end == END_CLIENT_CLOSED || end == END_BACKEND_CLOSED);
	ck_assert_uint_eq(rig.connection->bytes_in, up);
	ck_assert_uint_eq(rig.connection->bytes_out, down);
	rig_free(&rig);
}

START_TEST(keeps_every_byte_in_its_place)
{
	unsigned rounds = long_form() ? 40 : 2;

	for (unsigned round = 0; round < rounds; round++) {
		uint64_t seed = (unsigned)_i * 1000u + round + 1;
		struct rig_options options = {
			.kind = rig_random(&seed, 4) == 0 ? RIG_UNIX : RIG_TCP,
			.send_size = sizes[rig_random(&seed, N_SIZES)],
			.receive_size = sizes[rig_random(&seed, N_SIZES)],
			.relay = rig_forever,
		};
		uint64_t up = rig_random(&seed, 1u << rig_random(&seed, 22));
		uint64_t down = rig_random(&seed, 1u << rig_random(&seed, 22));
		size_t chunk = 1 + (up + down) / 4000 +
		    rig_random(&seed, 1u << rig_random(&seed, 18));

		exchange_all(&options, up, down, seed, chunk);
	}
}
END_TEST

START_TEST(carries_bulk_both_ways_at_once)
{
	static const struct {
		enum rig_kind kind;
		int size;
		unsigned megabytes, megabytes_long;
	} cases[] = {
		{ RIG_TCP, 0, 16, 64 },
		{ RIG_TCP, 4194304, 16, 64 },
		{ RIG_TCP, 65536, 8, 64 },
		{ RIG_TCP, 4096, 1, 64 },
		{ RIG_TCP, 1, 1, 64 },
		{ RIG_UNIX, 0, 16, 64 },
		{ RIG_UNIX, 1, 4, 64 },
	};
	struct rig_options options = {
		.kind = cases[_i].kind,
		.send_size = cases[_i].size,
		.receive_size = cases[_i].size,
		.relay = rig_forever,
	};
	uint64_t bytes =
	    long_form() ? cases[_i].megabytes_long : cases[_i].megabytes;

	bytes <<= 20;
	exchange_all(&options, bytes, bytes + 1, 1, 262144);
}
END_TEST

#define N_BULK 7

/*
 * A way for a connection to end.  In steps each letter is something done or
 * to be seen, small for the client and large for the backend: f sends FIN,
 * r sends RST, g gets all bytes that were sent to it and then FIN, x gets
 * RST, s: the relay sleeps meanwhile.
 */
struct ending {
	const char *steps;
	enum end end;
};

static const struct ending endings[] = {
	{ "fGFg", END_CLIENT_CLOSED },
	{ "FgfG", END_BACKEND_CLOSED },
	{ "fsGFg", END_CLIENT_CLOSED },
	{ "FsgfG", END_BACKEND_CLOSED },
	{ "fGsFsg", END_CLIENT_CLOSED },
	{ "FgsfsG", END_BACKEND_CLOSED },
	{ "rX", END_CLIENT_RESET },
	{ "Rx", END_BACKEND_RESET },
	{ "srX", END_CLIENT_RESET },
	{ "sRx", END_BACKEND_RESET },
	{ "fGRx", END_BACKEND_RESET },
	{ "FgrX", END_CLIENT_RESET },
	{ "fGrX", END_CLIENT_CLOSED },
	{ "FgRx", END_BACKEND_CLOSED },
	{ "fGsrX", END_CLIENT_CLOSED },
	{ "FgsRx", END_BACKEND_CLOSED },
};
#define N_ENDINGS (sizeof(endings) / sizeof(endings[0]))

enum situation {
	FRESH, /* not a byte was sent */
	IDLE, /* a message went each way */
	IN_FLIGHT, /* some went each way, unread */
	AFTER_BULK, /* both directions have spliced */
	UP_FULL, /* the backend does not read: nothing more goes in */
	DOWN_FULL, /* the client does not read */
	BOTH_FULL,
	SITUATIONS
};

/* What was sent and not yet received. */
struct pending {
	uint64_t up, down;
};

static void
round_trip(struct rig *rig, size_t n)
{
	rig_pass(rig->client, rig->backend, n);
	rig_pass(rig->backend, rig->client, n);
}

static struct pending
arrange(struct rig *rig, enum situation situation)
{
	struct pending pending = { 0, 0 };

	if (situation == IDLE)
		round_trip(rig, 100);
	if (situation == AFTER_BULK)
		round_trip(rig, 4 << 20);
	if (situation == IN_FLIGHT) {
		pending = (struct pending){ 30000, 50000 };
		rig_send(rig->client, 0, pending.up);
		rig_send(rig->backend, 0, pending.down);
	}
	if (situation == UP_FULL || situation == BOTH_FULL)
		pending.up = rig_fill(rig->client);
	if (situation == DOWN_FULL || situation == BOTH_FULL)
		pending.down = rig_fill(rig->backend);
	return pending;
}

static void
take_step(struct rig *rig, char step, const struct pending *pending)
{
	bool client = step >= 'a';
	int *fd = client ? &rig->client : &rig->backend;

	switch (client ? step : step - 'A' + 'a') {
	case 'f':
		ck_assert_int_eq(shutdown(*fd, SHUT_WR), 0);
		break;
	case 'r':
		close_reset(fd_take(fd));
		break;
	case 'g':
		rig_receive(*fd, 0, client ? pending->down : pending->up);
		rig_expect_fin(*fd);
		break;
	case 'x':
		rig_expect_reset(*fd);
		break;
	default:
		expect_sleep(rig);
		break;
	}
}

START_TEST(ends_as_its_sides_end)
{
	const struct ending *ending = &endings[(size_t)_i / SITUATIONS];
	enum situation situation = (enum situation)(_i % SITUATIONS);
	struct rig_options options = {
		.kind = RIG_TCP,
		.send_size = 65536,
		.receive_size = 65536,
		.relay = rig_forever,
	};
	struct rig rig = { 0 };
	struct pending pending;

	rig_start(&rig, &options, rig_relay);
	pending = arrange(&rig, situation);
	for (const char *step = ending->steps; *step != '\0'; step++)
		take_step(&rig, *step, &pending);
	rig_finish(&rig, ending->end);
}
END_TEST

/*
 * The client has sent FIN and got ours, so POLLHUP of it stays; and the pump
 * that would read its FIN cannot, being full.
 */
START_TEST(sleeps_when_half_closed_and_full)
{
	struct rig_options options = {
		.kind = (enum rig_kind)_i,
		.send_size = 65536,
		.receive_size = 65536,
		.relay = rig_forever,
	};
	struct rig rig = { 0 };
	uint64_t sent;

	rig_start(&rig, &options, rig_relay);
	sent = rig_fill(rig.client);
	ck_assert_int_eq(shutdown(rig.backend, SHUT_WR), 0);
	rig_expect_fin(rig.client);
	ck_assert_int_eq(shutdown(rig.client, SHUT_WR), 0);
	expect_sleep(&rig);
	rig_receive(rig.backend, 0, sent);
	rig_expect_fin(rig.backend);
	rig_finish(&rig, END_BACKEND_CLOSED);
}
END_TEST

START_TEST(delivers_an_answer_that_comes_after_fin)
{
	struct rig_options options = { .kind = (enum rig_kind)_i,
		.relay = { .idle_ms = 50,
		    .half_close_ms = 20000,
		    .stays_after_ms = -1 } };
	struct rig rig = { 0 };

	rig_start(&rig, &options, rig_relay);
	rig_send(rig.client, 0, 1000);
	ck_assert_int_eq(shutdown(rig.client, SHUT_WR), 0);
	rig_receive(rig.backend, 0, 1000);
	rig_expect_fin(rig.backend);
	expect_nothing(rig.client, 200);
	rig_pass(rig.backend, rig.client, 1 << 20);
	ck_assert_int_eq(shutdown(rig.backend, SHUT_WR), 0);
	rig_expect_fin(rig.client);
	rig_finish(&rig, END_CLIENT_CLOSED);
}
END_TEST

START_TEST(full_direction_leaves_the_other_alone)
{
	struct rig_options options = { .kind = (enum rig_kind)_i,
		.relay = rig_forever };
	struct rig rig = { 0 };
	uint64_t sent;

	rig_start(&rig, &options, rig_relay);
	sent = rig_fill(rig.client);
	for (int i = 0; i < 100; i++)
		rig_pass(rig.backend, rig.client, 100);
	rig_pass(rig.backend, rig.client, 8 << 20);
	rig_receive(rig.backend, 0, sent);
	rig_finish(&rig, END_CLIENT_CLOSED);
}
END_TEST

static int
buffer_size(int fd, int option)
{
	socklen_t size = sizeof(int);
	int value;

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, option, &value, &size), 0);
	return value;
}

START_TEST(stopped_reader_stops_the_writer)
{
	struct rig_options options = { .kind = RIG_TCP,
		.send_size = 65536,
		.receive_size = 65536,
		.relay = rig_forever };
	struct rig rig = { 0 };
	uint64_t sent, most;

	rig_start(&rig, &options, rig_relay);
	sent = rig_fill(rig.client);
	most = 2 *
		(uint64_t)(buffer_size(rig.client, SO_SNDBUF) +
		    buffer_size(rig.client, SO_RCVBUF)) +
	    PUMP_PIPE + PUMP_BUFFER;
	ck_assert_uint_le(sent, most);
	expect_sleep(&rig);
	rig_receive(rig.backend, 0, sent);
	rig_finish(&rig, END_CLIENT_CLOSED);
}
END_TEST

START_TEST(ends_when_idle_and_not_before)
{
	struct rig_options options = { .kind = (enum rig_kind)_i,
		.relay = { .idle_ms = 300,
		    .half_close_ms = -1,
		    .stays_after_ms = -1 } };
	struct rig rig = { 0 };
	int64_t start, took;

	rig_start(&rig, &options, rig_relay);
	/* A byte in either direction is a byte in both. */
	for (int i = 0; i < 4; i++) {
		expect_nothing(rig.client, 200);
		start = clock_us();
		rig_pass(rig.backend, rig.client, 1);
	}
	rig_expect_fin(rig.client);
	took = clock_us() - start;
	ck_assert_int_ge(took, 300000);
	ck_assert_int_lt(took, 800000);
	rig_expect_fin(rig.backend);
	rig_finish(&rig, END_IDLE);
}
END_TEST

/* The time that counts begins with the FIN, however quiet it was before. */
START_TEST(ends_when_half_closed_and_idle)
{
	struct rig_options options = { .kind = (enum rig_kind)_i,
		.relay = { .idle_ms = -1,
		    .half_close_ms = 300,
		    .stays_after_ms = -1 } };
	struct rig rig = { 0 };
	int64_t start, took;

	rig_start(&rig, &options, rig_relay);
	expect_nothing(rig.client, 500);
	ck_assert_int_eq(shutdown(rig.client, SHUT_WR), 0);
	rig_expect_fin(rig.backend);
	expect_nothing(rig.client, 200);
	start = clock_us();
	rig_pass(rig.backend, rig.client, 10);
	rig_expect_fin(rig.client);
	took = clock_us() - start;
	ck_assert_int_ge(took, 300000);
	ck_assert_int_lt(took, 800000);
	rig_finish(&rig, END_HALF_CLOSE_TIMEOUT);
}
END_TEST

START_TEST(is_told_to_end_and_ends_both_in_order)
{
	struct rig_options options = { .kind = (enum rig_kind)_i,
		.relay = rig_forever };
	struct rig rig = { 0 };

	rig_start(&rig, &options, rig_relay);
	round_trip(&rig, 10);
	ck_assert_int_eq(kill(rig.pid, SIGTERM), 0);
	rig_expect_fin(rig.client);
	rig_expect_fin(rig.backend);
	/* What is still under way is read, so that FIN stays FIN. */
	rig_send(rig.client, 0, 1000);
	rig_send(rig.backend, 0, 1000);
	ck_assert_int_eq(shutdown(rig.client, SHUT_WR), 0);
	ck_assert_int_eq(shutdown(rig.backend, SHUT_WR), 0);
	rig_expect_fin(rig.client);
	rig_expect_fin(rig.backend);
	rig_finish(&rig, END_KILLED);
}
END_TEST

/* Bytes always being there must not keep the signal out. */
START_TEST(is_told_to_end_in_the_middle_of_bulk)
{
	struct rig_options options = { .kind = (enum rig_kind)_i,
		.relay = rig_forever };
	static uint8_t bytes[262144];
	struct rig rig = { 0 };
	struct pollfd gone[2];
	ssize_t n;

	rig_start(&rig, &options, rig_relay);
	gone[0] = (struct pollfd){ .fd = rig.client, .events = POLLOUT };
	gone[1] = (struct pollfd){ .fd = rig.backend, .events = POLLIN };
	for (uint64_t total = 0, told = 0;;) {
		ck_assert_int_gt(poll(gone, 2, RIG_PATIENCE_MS), 0);
		(void)send(rig.client, bytes, sizeof(bytes), 0);
		n = recv(rig.backend, bytes, sizeof(bytes), 0);
		if (n == 0)
			break;
		total += n > 0 ? (uint64_t)n : 0;
		if (total > 4 << 20 && told++ == 0)
			ck_assert_int_eq(kill(rig.pid, SIGTERM), 0);
		ck_assert_uint_lt(total, (uint64_t)16 << 30);
	}
	rig_finish(&rig, END_KILLED);
}
END_TEST

START_TEST(is_evicted_with_a_reset)
{
	struct rig_options options = { .kind = RIG_TCP, .relay = rig_forever };
	struct rig rig = { 0 };

	rig_start(&rig, &options, rig_relay);
	round_trip(&rig, 10);
	rig.connection->evict = 1;
	ck_assert_int_eq(kill(rig.pid, SIGTERM), 0);
	rig_expect_reset(rig.client);
	rig_finish(&rig, END_LIMIT);
}
END_TEST

/* splice() stops before urgent data for good, poll() says there is some. */
START_TEST(urgent_data_is_no_obstacle)
{
	struct rig_options options = { .kind = RIG_TCP, .relay = rig_forever };
	struct rig rig = { 0 };

	rig_start(&rig, &options, rig_relay);
	round_trip(&rig, 4 << 20);
	for (int i = 0; i < 3; i++) {
		rig_send(rig.client, 0, 1 << 20);
		ck_assert_int_eq(send(rig.client, "!", 1, MSG_OOB), 1);
		rig_receive(rig.backend, 0, 1 << 20);
		expect_sleep(&rig);
		rig_pass(rig.client, rig.backend, 1 << 20);
	}
	rig_finish(&rig, END_CLIENT_CLOSED);
}
END_TEST

START_TEST(gives_pipes_back_when_quiet)
{
	struct rig_options options = { .kind = (enum rig_kind)_i,
		.relay = rig_forever };
	struct rig rig = { 0 };
	int before;

	rig_start(&rig, &options, rig_relay);
	round_trip(&rig, 1);
	before = rig_descriptors(&rig);
	round_trip(&rig, 4 << 20);
	ck_assert_int_eq(rig_descriptors(&rig), before + 4);
	expect_nothing(rig.client, 1300);
	ck_assert_int_eq(rig_descriptors(&rig), before);
	round_trip(&rig, 4 << 20);
	rig_finish(&rig, END_CLIENT_CLOSED);
}
END_TEST

START_TEST(stays_when_quiet)
{
	struct rig_options options = { .kind = RIG_TCP,
		.relay = { .idle_ms = 5000,
		    .half_close_ms = -1,
		    .stays_after_ms = 200 } };
	struct rig rig = { 0 };
	int64_t start;

	rig_start(&rig, &options, rig_relay);
	expect_nothing(rig.client, 100);
	start = clock_us();
	rig_pass(rig.client, rig.backend, 10);
	ck_assert_int_eq(rig_wait(&rig), RELAY_STAYS);
	ck_assert_int_ge(clock_us() - start, 200000);
	rig_free(&rig);
}
END_TEST

START_TEST(stays_when_in_bulk)
{
	struct rig_options options = { .kind = RIG_TCP,
		.relay = { .idle_ms = -1,
		    .half_close_ms = -1,
		    .stays_after_ms = 20000 } };
	static uint8_t bytes[200000];
	struct rig rig = { 0 };

	rig_start(&rig, &options, rig_relay);
	round_trip(&rig, 1000);
	ck_assert_int_gt(
	    send(rig.backend, bytes, sizeof(bytes), 0), 2 * PUMP_BUFFER);
	ck_assert_int_eq(rig_wait(&rig), RELAY_STAYS);
	rig_free(&rig);
}
END_TEST

#define BOTH_KINDS 2

static void
carry(void)
{
	rig_carried = true;
}

/* All of them twice: a process for the relay, and a carrier of relays. */
static void
add_bytes(Suite *suite, const char *name, void (*set_up)(void))
{
	TCase *bytes = tcase_create(name);

	tcase_add_checked_fixture(bytes, set_up, NULL);
	tcase_set_timeout(bytes, long_form() ? 900 : 60);
	tcase_add_loop_test(bytes, keeps_every_byte_in_its_place, 0, 60);
	tcase_add_loop_test(bytes, carries_bulk_both_ways_at_once, 0, N_BULK);
	tcase_add_loop_test(
	    bytes, full_direction_leaves_the_other_alone, 0, BOTH_KINDS);
	tcase_add_test(bytes, stopped_reader_stops_the_writer);
	tcase_add_test(bytes, urgent_data_is_no_obstacle);
	tcase_add_loop_test(bytes, gives_pipes_back_when_quiet, 0, BOTH_KINDS);
	tcase_add_test(bytes, stays_when_quiet);
	tcase_add_test(bytes, stays_when_in_bulk);
	suite_add_tcase(suite, bytes);
}

static void
add_ends(Suite *suite, const char *name, void (*set_up)(void))
{
	TCase *ends = tcase_create(name);

	tcase_add_checked_fixture(ends, set_up, NULL);
	tcase_set_timeout(ends, 60);
	tcase_add_loop_test(
	    ends, ends_as_its_sides_end, 0, (int)(N_ENDINGS * SITUATIONS));
	tcase_add_loop_test(
	    ends, sleeps_when_half_closed_and_full, 0, BOTH_KINDS);
	tcase_add_loop_test(
	    ends, delivers_an_answer_that_comes_after_fin, 0, BOTH_KINDS);
	tcase_add_loop_test(ends, ends_when_idle_and_not_before, 0, BOTH_KINDS);
	tcase_add_loop_test(
	    ends, ends_when_half_closed_and_idle, 0, BOTH_KINDS);
	tcase_add_loop_test(
	    ends, is_told_to_end_and_ends_both_in_order, 0, BOTH_KINDS);
	tcase_add_loop_test(
	    ends, is_told_to_end_in_the_middle_of_bulk, 0, BOTH_KINDS);
	tcase_add_test(ends, is_evicted_with_a_reset);
	suite_add_tcase(suite, ends);
}

Suite *relay_suite(void);

Suite *
relay_suite(void)
{
	Suite *suite = suite_create("relay");

	add_bytes(suite, "bytes", NULL);
	add_ends(suite, "ends", NULL);
	add_bytes(suite, "bytes, carried", carry);
	add_ends(suite, "ends, carried", carry);
	return suite;
}
