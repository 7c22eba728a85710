#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "handover.h"
#include "relay_rig.h"

static const char *const good[] = {
	"2 0 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 65535 3 2 1 0 0 0 1 1 1 1 1 1 0 0",
	"2 7 1 1 0 1 10800000 300000 90000 1 0 0 0 0 524288 1",
	"2 7 1 1 0 0 9223372036854775807 5 9223372036854775807 0 0 1 0 1 4096 524288",
};
#define N_GOOD (int)(sizeof(good) / sizeof(good[0]))

START_TEST(decodes_what_it_encodes)
{
	char buffer[RELAY_STATE_MAX];
	struct line text = LINE(buffer);
	struct handover h;

	ck_assert_int_eq(handover_decode(good[_i], &h), 0);
	ck_assert_int_eq(h.options.stays_after_ms, -1);
	handover_encode(&h, &text);
	ck_assert_str_eq(buffer, good[_i]);
}
END_TEST

START_TEST(longest_state_fits)
{
	struct handover h = {
		.slot = SCOREBOARD_SLOTS - 1,
		.log_kind = LOG_KIND_LAST,
		.log = LOG_NONE,
		.caged = true,
		.options = { INT64_MAX, INT64_MAX, -1, 0 },
		.state = { true, false, true, false, true, PUMP_PIPE,
		    PUMP_PIPE },
	};
	char buffer[RELAY_STATE_MAX];
	struct line text = LINE(buffer);

	handover_encode(&h, &text);
	ck_assert(!text.cut);
	ck_assert_int_eq(handover_decode(buffer, &h), 0);
}
END_TEST

static const char *const bad[] = {
	"",
	" ",
	"2",
	"1 0 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 0 0 0 0 0 -1 -1 0 0 0 0 0 0 0",
	"2 0 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0 ",
	"2 0 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0 0",
	" 2 0 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2  0 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 00 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 -0 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 +1 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 0x1 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 - 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 65536 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 -1 0 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 0 5 0 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 0 0 3 0 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 0 0 0 2 0 -1 -1 0 0 0 0 0 0 0 0",
	"2 0 0 0 0 2 -1 -1 0 0 0 0 0 0 0 0",
	"2 0 0 0 0 0 -2 -1 0 0 0 0 0 0 0 0",
	"2 0 0 0 0 0 9223372036854775808 -1 0 0 0 0 0 0 0 0",
	"2 0 0 0 0 0 -1 -1 -1 0 0 0 0 0 0 0",
	"2 0 0 0 0 0 -1 -1 0 0 1 0 0 0 0 0",
	"2 0 0 0 0 0 -1 -1 0 0 0 0 1 0 0 0",
	"2 0 0 0 0 0 -1 -1 0 1 1 0 0 0 1 0",
	"2 0 0 0 0 0 -1 -1 0 0 0 1 1 0 0 1",
	"2 0 0 0 0 0 -1 -1 0 1 0 0 0 1 0 0",
	"2 0 0 0 0 0 -1 -1 0 0 0 0 0 0 524289 0",
	"2 0 0 0 0 0 -1 -1 0 0 0 0 0 0 0 524289",
};
#define N_BAD (int)(sizeof(bad) / sizeof(bad[0]))

START_TEST(decodes_nothing_else)
{
	struct handover h = { .slot = 77 };

	ck_assert_int_eq(handover_decode(bad[_i], &h), -EINVAL);
	ck_assert_uint_eq(h.slot, 77);
}
END_TEST

/* What the child of a test below is to do; set before it is forked. */
static struct {
	int client_at, backend_at; /* -1: wherever they are */
	int exe; /* -1: the real usher-relay */
	bool at_once, stop_before;
	uint32_t slot;
	int board;
} plan;

/* One relay after the other, each from what the last one left. */
static int
hop(struct rig *rig)
{
	static struct relay relay;
	char buffer[RELAY_STATE_MAX];
	struct handover h = { .options = rig->options.relay };
	int pipes[2][2];
	enum end end;

	relay_init_alone(&relay, rig->relay_client, rig->relay_backend,
	    rig->connection, &h.options, NULL);
	for (;;) {
		struct line text = LINE(buffer);

		end = relay_run(&relay, &rig_stop);
		if (end != RELAY_STAYS)
			break;
		if (relay.up.held_len > 0 || relay.down.held_len > 0)
			return END_ERROR;
		relay_save(&relay, &h.state);
		memcpy(pipes[0], relay.up.pipe, sizeof(pipes[0]));
		memcpy(pipes[1], relay.down.pipe, sizeof(pipes[1]));
		handover_encode(&h, &text);
		if (handover_decode(buffer, &h) < 0)
			return END_ERROR;
		if (h.state.up_held == 0)
			pump_free(&relay.up);
		if (h.state.down_held == 0)
			pump_free(&relay.down);
		h.options = rig->options.relay;
		/* Or it would be quiet at once, and never get to its work. */
		rig->connection->active_us = 0;
		relay_init_alone(&relay, rig->relay_client, rig->relay_backend,
		    rig->connection, &h.options, &h.state);
		if (h.state.up_held > 0)
			memcpy(relay.up.pipe, pipes[0], sizeof(pipes[0]));
		if (h.state.down_held > 0)
			memcpy(relay.down.pipe, pipes[1], sizeof(pipes[1]));
	}
	relay_finish(&relay, end);
	return (int)end;
}

static const int sizes[] = { 1, 4096, 16384, 65536, 0 };
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static struct rig_options
random_options(uint64_t *seed)
{
	return (struct rig_options){
		.kind = rig_random(seed, 4) == 0 ? RIG_UNIX : RIG_TCP,
		.send_size = sizes[rig_random(seed, N_SIZES)],
		.receive_size = sizes[rig_random(seed, N_SIZES)],
		.relay = { -1, -1, (int64_t)(1 + rig_random(seed, 5)), 0 },
	};
}

START_TEST(hops_at_any_moment_and_loses_nothing)
{
	uint64_t seed = (uint64_t)_i + 1;
	struct rig_options options = random_options(&seed);
	uint64_t up = rig_random(&seed, 1u << 21);
	uint64_t down = rig_random(&seed, 1u << 21);
	size_t chunk = 1000 + rig_random(&seed, 100000);
	struct rig rig = { 0 };
	int end;

	rig_start(&rig, &options, hop);
	rig_exchange(&rig, up, down, seed, chunk);
	end = rig_wait(&rig);
	ck_assert(end == END_CLIENT_CLOSED || end == END_BACKEND_CLOSED);
	ck_assert_uint_eq(rig.connection->bytes_in, up);
	ck_assert_uint_eq(rig.connection->bytes_out, down);
	rig_free(&rig);
}
END_TEST

static int
open_relay(void)
{
	const char *builddir = getenv("builddir");
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/src/usher-relay",
	    builddir != NULL ? builddir : ".");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

/* Puts a descriptor at number, or leaves it where it is. */
static int
put(int fd, int number)
{
	if (number < 0 || fd == number)
		return fd;
	if (dup3(fd, number, O_CLOEXEC) < 0)
		_exit(111);
	(void)close(fd);
	return number;
}

/* Out of the low numbers first, then where the plan says. */
static void
place(struct rig *rig)
{
	int *fds[] = { &rig->relay_client, &rig->relay_backend, &plan.exe,
		&plan.board };

	for (size_t i = 0; i < 4; i++)
		*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, 30);
	for (int fd = LOG_FD; fd < 30; fd++)
		(void)close(fd);
	plan.board = put(plan.board, BOARD_FD);
	rig->relay_client = put(rig->relay_client, plan.client_at);
	rig->relay_backend = put(rig->relay_backend, plan.backend_at);
	plan.exe = put(plan.exe, RELAY_EXE_FD);
	/* Two that somebody else forgot. */
	(void)dup2(STDIN_FILENO, RELAY_FIRST_FREE_FD + 1);
	(void)dup2(STDIN_FILENO, 50);
}

static int
exec_relay(struct rig *rig)
{
	static const char *const names[3] = { "openssh", "203.0.113.5:52114",
		"127.0.0.1:22" };
	static struct relay relay;
	struct handover h = { .slot = plan.slot, .log = LOG_ALL };
	enum end end = RELAY_STAYS;
	int r;

	place(rig);
	relay_init_alone(&relay, rig->relay_client, rig->relay_backend,
	    rig->connection, &rig->options.relay, NULL);
	if (!plan.at_once)
		end = relay_run(&relay, &rig_stop);
	if (end == RELAY_STAYS) {
		if (plan.stop_before)
			(void)kill(getpid(), SIGTERM);
		r = handover_exec(plan.exe, &h, &relay, names);
		if (r >= 0)
			return 112;
		end = relay_run(&relay, &rig_stop);
	}
	relay_finish(&relay, end);
	return (int)end;
}

static struct scoreboard board;

/* A rig whose record is a slot of a scoreboard. */
static void
start(struct rig *rig, const struct rig_options *options)
{
	struct endpoint client = { .family = AF_INET, .port = 52114 };
	int32_t owner;

	ck_assert_int_eq(scoreboard_open(&board, NULL, -1, &owner), 0);
	rig->connection = scoreboard_take(&board, 10, &client);
	ck_assert_ptr_nonnull(rig->connection);
	scoreboard_decided(
	    &board, rig->connection, scoreboard_service(&board, "openssh"));
	plan.slot = scoreboard_index(&board, rig->connection);
	plan.board = board.fd;
	rig_start(rig, options, exec_relay);
	scoreboard_pass(rig->connection, getpid(), rig->pid);
}

static const struct tally *
tally(void)
{
	return scoreboard_tally(&board, scoreboard_service(&board, "openssh"));
}

/* usher-relay has done it all: counted, ended, given back. */
static void
expect_accounted(enum end end, uint64_t up, uint64_t down)
{
	ck_assert_uint_eq(tally()->bytes_in, up);
	ck_assert_uint_eq(tally()->bytes_out, down);
	ck_assert_uint_eq(tally()->ends[end], 1);
	ck_assert_uint_eq(board.head->connections, 0);
}

START_TEST(execs_at_any_moment_and_loses_nothing)
{
	static const int places[][2] = { { 5, 6 }, { 6, 5 }, { 9, 10 },
		{ 10, 5 }, { 8, 20 }, { 40, 41 }, { 3, 6 }, { 6, 9 } };
	uint64_t seed = (uint64_t)_i + 1;
	struct rig_options options = random_options(&seed);
	const int *at = places[_i % 8];
	uint64_t up = (1u << 20) + rig_random(&seed, 1u << 20);
	uint64_t down = (1u << 20) + rig_random(&seed, 1u << 20);
	size_t chunk = 10000 + rig_random(&seed, 200000);
	struct rig rig = { 0 };
	int end;

	plan.client_at = at[0];
	plan.backend_at = at[1];
	plan.exe = open_relay();
	plan.at_once = rig_random(&seed, 8) == 0;
	start(&rig, &options);
	rig_exchange(&rig, up, down, seed, chunk);
	end = rig_wait(&rig);
	ck_assert_uint_eq(rig.connection->bytes_in, up);
	ck_assert_uint_eq(rig.connection->bytes_out, down);
	/* It may never have had a reason to exec. */
	if (end != EXIT_SUCCESS)
		ck_assert(
		    end == END_CLIENT_CLOSED || end == END_BACKEND_CLOSED);
	else
		ck_assert_uint_eq(tally()->ends[END_CLIENT_CLOSED] +
			tally()->ends[END_BACKEND_CLOSED],
		    1);
}
END_TEST

/* Both pipes full across the exec, with the client finished. */
START_TEST(execs_with_full_pipes_and_half_closed)
{
	struct rig_options options = { .kind = RIG_TCP,
		.send_size = 65536,
		.receive_size = 65536,
		.relay = { -1, -1, 20, 0 } };
	struct rig rig = { 0 };
	uint64_t up, down;

	plan.client_at = plan.backend_at = -1;
	plan.exe = open_relay();
	start(&rig, &options);
	up = rig_fill(rig.client);
	down = rig_fill(rig.backend);
	rig_await_program(&rig, "usher-relay");
	ck_assert_int_eq(shutdown(rig.client, SHUT_WR), 0);
	rig_receive(rig.backend, 0, up);
	rig_expect_fin(rig.backend);
	rig_receive(rig.client, 0, down);
	rig_finish(&rig, (enum end)EXIT_SUCCESS);
	expect_accounted(END_CLIENT_CLOSED, up, down);
}
END_TEST

START_TEST(hands_the_finished_side_over)
{
	struct rig_options options = { .kind = (enum rig_kind)_i,
		.relay = { -1, -1, 20, 0 } };
	struct rig rig = { 0 };

	plan.client_at = plan.backend_at = -1;
	plan.exe = open_relay();
	start(&rig, &options);
	rig_pass(rig.client, rig.backend, 10);
	ck_assert_int_eq(shutdown(rig.backend, SHUT_WR), 0);
	rig_expect_fin(rig.client);
	rig_await_program(&rig, "usher-relay");
	rig_pass(rig.client, rig.backend, 1000);
	rig_finish(&rig, (enum end)EXIT_SUCCESS);
	expect_accounted(END_BACKEND_CLOSED, 1010, 0);
}
END_TEST

static void
read_proc(const struct rig *rig, const char *name, char *ret, size_t size)
{
	char path[64];
	FILE *file;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)rig->pid, name);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	n = fread(ret, 1, size - 1, file);
	ret[n] = '\0';
	for (size_t i = 0; i + 1 < n; i++)
		if (ret[i] == '\0')
			ret[i] = ' ';
	fclose(file);
}

/* A set of /proc/PID/status without the real-time ones, which are not ours. */
static unsigned long long
signals(const char *status, const char *set)
{
	const char *at = strstr(status, set);

	ck_assert_ptr_nonnull(at);
	return strtoull(at + strlen(set), NULL, 16) & 0x7fffffff;
}

START_TEST(relay_has_its_own_and_nothing_else)
{
	struct rig_options options = { .kind = RIG_TCP,
		.relay = { -1, -1, 20, 0 } };
	struct rig rig = { 0 };
	unsigned long long caught;
	char text[4096];

	plan.client_at = plan.backend_at = -1;
	plan.exe = open_relay();
	start(&rig, &options);
	rig_await_program(&rig, "usher-relay");
	rig_pass(rig.client, rig.backend, 10);
	read_proc(&rig, "cmdline", text, sizeof(text));
	ck_assert_str_eq(
	    text, "usher-relay openssh 203.0.113.5:52114 127.0.0.1:22");
	read_proc(&rig, "environ", text, sizeof(text));
	/* Nothing of it, where the program is lean; see lean.h. */
	ck_assert(text[0] == '\0' || strncmp(text, "USHER_RELAY=", 12) == 0);
	ck_assert_ptr_null(strchr(text + strcspn(text, "=") + 1, '='));
	/* 0, 1, 2, the scoreboard and two sockets. */
	ck_assert_int_eq(rig_descriptors(&rig), 6);
	read_proc(&rig, "status", text, sizeof(text));
	ck_assert_uint_eq(signals(text, "SigIgn:"), 1u << (SIGPIPE - 1));
	caught = signals(text, "SigCgt:");
#ifdef USHER_SANITIZED
	caught &= 1u << (SIGTERM - 1); /* the others are the sanitizer's */
#endif
	ck_assert_uint_eq(caught, 1u << (SIGTERM - 1));
	ck_assert_int_eq(kill(rig.pid, SIGTERM), 0);
	rig_expect_fin(rig.client);
	rig_finish(&rig, (enum end)EXIT_SUCCESS);
	expect_accounted(END_KILLED, 10, 0);
}
END_TEST

/* In kilobytes. */
static unsigned long
status_value(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	ck_assert_ptr_nonnull(at);
	return strtoul(at + strlen(key), NULL, 10);
}

/* The static relay gives its stack back; see lean.h. */
START_TEST(idle_relay_is_small)
{
	struct rig_options options = { .kind = RIG_TCP,
		.relay = { -1, -1, 20, 0 } };
	struct rig rig = { 0 };
	char text[8192];

	plan.client_at = plan.backend_at = -1;
	plan.exe = open_relay();
	start(&rig, &options);
	rig_await_program(&rig, "usher-relay");
	rig_pass(rig.client, rig.backend, 4 << 20);
	rig_pass(rig.backend, rig.client, 20000);
	(void)poll(NULL, 0, 1300);
	read_proc(&rig, "maps", text, sizeof(text));
#ifdef __x86_64__
	if (strstr(text, ".so") == NULL) {
		ck_assert_ptr_null(strstr(text, "[stack]"));
		read_proc(&rig, "status", text, sizeof(text));
		ck_assert_uint_le(status_value(text, "RssAnon:"), 8);
		ck_assert_uint_le(status_value(text, "VmPTE:"), 12);
	}
#endif
	rig_finish(&rig, (enum end)EXIT_SUCCESS);
	expect_accounted(END_CLIENT_CLOSED, 4 << 20, 20000);
}
END_TEST

START_TEST(signal_before_the_exec_counts_after_it)
{
	struct rig_options options = { .kind = RIG_TCP,
		.relay = { -1, -1, 20, 0 } };
	struct rig rig = { 0 };

	plan.client_at = plan.backend_at = -1;
	plan.exe = open_relay();
	plan.stop_before = true;
	start(&rig, &options);
	rig_expect_fin(rig.client);
	rig_expect_fin(rig.backend);
	rig_finish(&rig, (enum end)EXIT_SUCCESS);
	expect_accounted(END_KILLED, 0, 0);
}
END_TEST

START_TEST(goes_on_if_the_exec_fails)
{
	static const int places[][2] = { { -1, -1 }, { 6, 5 }, { 10, 9 } };
	struct rig_options options = { .kind = RIG_TCP,
		.send_size = 65536,
		.receive_size = 65536,
		.relay = { -1, -1, 20, 0 } };
	struct rig rig = { 0 };
	uint64_t up, down;
	int descriptors;

	plan.client_at = places[_i][0];
	plan.backend_at = places[_i][1];
	plan.exe = open("/dev/null", O_RDONLY | O_CLOEXEC);
	start(&rig, &options);
	up = rig_fill(rig.client);
	down = rig_fill(rig.backend);
	(void)poll(NULL, 0, 100);
	descriptors = rig_descriptors(&rig);
	/* As above, two pipes, the file, two forgotten, one of Check's. */
	ck_assert_int_le(descriptors, 6 + 4 + 1 + 2 + 1);
	ck_assert_int_eq(shutdown(rig.client, SHUT_WR), 0);
	rig_receive(rig.backend, 0, up);
	rig_expect_fin(rig.backend);
	rig_receive(rig.client, 0, down);
	close_reset(fd_take(&rig.backend));
	rig_expect_reset(rig.client);
	rig_finish(&rig, END_BACKEND_RESET);
}
END_TEST

START_TEST(by_hand_it_explains_itself)
{
	static const char *const states[] = { "", "USHER_RELAY=nonsense" };
	char path[4096], text[512];
	FILE *output;

	(void)snprintf(path, sizeof(path), "env %s %s/src/usher-relay 2>&1",
	    states[_i], getenv("builddir") != NULL ? getenv("builddir") : ".");
	output = popen(path, "r");
	ck_assert_ptr_nonnull(output);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), output));
	ck_assert_int_eq(strncmp(text, "usher-relay: ", 13), 0);
	while (fgets(text, sizeof(text), output) != NULL)
		continue;
	ck_assert_int_eq(WEXITSTATUS(pclose(output)), 2);
}
END_TEST

Suite *handover_suite(void);

Suite *
handover_suite(void)
{
	Suite *suite = suite_create("handover");
	TCase *state = tcase_create("state");
	TCase *exec = tcase_create("exec");

	tcase_add_loop_test(state, decodes_what_it_encodes, 0, N_GOOD);
	tcase_add_loop_test(state, decodes_nothing_else, 0, N_BAD);
	tcase_add_test(state, longest_state_fits);
	suite_add_tcase(suite, state);

	tcase_set_timeout(exec, 60);
	tcase_add_loop_test(exec, hops_at_any_moment_and_loses_nothing, 0, 30);
	tcase_add_loop_test(exec, execs_at_any_moment_and_loses_nothing, 0, 32);
	tcase_add_test(exec, execs_with_full_pipes_and_half_closed);
	tcase_add_loop_test(exec, hands_the_finished_side_over, 0, 2);
	tcase_add_test(exec, relay_has_its_own_and_nothing_else);
	tcase_add_test(exec, idle_relay_is_small);
	tcase_add_test(exec, signal_before_the_exec_counts_after_it);
	tcase_add_loop_test(exec, goes_on_if_the_exec_fails, 0, 3);
	tcase_add_loop_test(exec, by_hand_it_explains_itself, 0, 2);
	suite_add_tcase(suite, exec);
	return suite;
}
