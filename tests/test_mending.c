/*
 * What scoreboard_mend() may and may not do while others are in the middle of
 * something.  A process is led through the life of a connection instruction
 * by instruction: every place where it can be killed is looked at, and none
 * is left to chance.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handover.h"
#include "log.h"
#include "scoreboard.h"

#define SERVICES 2
#define SLOTS 16 /* of them there is memory after the first take */

static struct scoreboard board, copy;
static struct connection *ours; /* a connection that stays */
static int32_t dead; /* the number of a process that is gone */

static const struct endpoint here = { .family = AF_INET, .ip = { 192 } },
			     there = { .family = AF_INET, .ip = { 203 } };

static void
open_boards(void)
{
	int32_t owner;

	ck_assert_int_eq(scoreboard_open(&board, NULL, -1, &owner), 0);
	ck_assert_int_eq(scoreboard_open(&copy, NULL, -1, &owner), 0);
	scoreboard_service(&board, "a");
	scoreboard_service(&board, "b");
	ours = scoreboard_take(&board, 1000, &there);
	scoreboard_decided(&board, ours, 1);
	dead = fork();
	if (dead == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(dead, NULL, 0), dead);
}

static void
close_boards(void)
{
	scoreboard_close(&board);
	scoreboard_close(&copy);
}

/* Everything that is done with a slot, from beginning to end. */
_Noreturn static void
live(void)
{
	struct connection *slot;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	slot = scoreboard_take(&board, 1000, &here);
	scoreboard_source_move(&board, slot, &there);
	scoreboard_decided(&board, slot, 0);
	slot->bytes_in = 1;
	slot->end = END_IDLE;
	scoreboard_ended(&board, slot);
	scoreboard_give_back(&board, slot);
	_exit(0);
}

static pid_t
start_life(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		live();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSTOPPED(status));
	return child;
}

/* Lets it go on by one instruction.  False: it has ended. */
static bool
step(pid_t child)
{
	int status;

	ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(!WIFSIGNALED(status));
	return !WIFEXITED(status);
}

/* Copies what is different; returns whether anything is. */
static bool
follow(void *seen, const void *now, size_t n)
{
	if (memcmp(seen, now, n) == 0)
		return false;
	memcpy(seen, now, n);
	return true;
}

/* Has the board changed since this was last asked?  Few instructions do. */
static bool
has_changed(void)
{
	static struct scoreboard_head head;
	static uint16_t sources[SCOREBOARD_SOURCES];
	static struct tally services[SERVICES];
	static uint8_t slots[SLOTS * CONNECTION_SIZE];
	bool changed = follow(&head, board.head, sizeof(head));

	/* All of them, each time: each remembers what it has seen. */
	changed |= follow(sources, (void *)board.sources, sizeof(sources));
	changed |= follow(services, board.services, sizeof(services));
	changed |= follow(slots, board.slots, sizeof(slots));
	return changed;
}

/* The board as it is now, but with the child's slot in the hands of pid. */
static void
copy_for(pid_t child, int32_t pid)
{
	memcpy(copy.head, board.head, sizeof(*board.head));
	memcpy((void *)copy.sources, (void *)board.sources,
	    SCOREBOARD_SOURCES * sizeof(board.sources[0]));
	memcpy(copy.services, board.services, SERVICES * sizeof(struct tally));
	memcpy(copy.slots, board.slots, SLOTS * CONNECTION_SIZE);
	for (uint32_t i = 0; i < SLOTS; i++)
		scoreboard_pass(scoreboard_slot(&copy, i), child, pid);
}

static void
assert_only_ours_is_left(unsigned steps)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < SCOREBOARD_SOURCES; i++)
		n += copy.sources[i];
	if (copy.head->connections == 1 && copy.head->pending == 0 &&
	    copy.services[0].connections == 0 &&
	    copy.services[1].connections == 1 && n == 1 &&
	    scoreboard_source_count(&copy, &there) == 1 &&
	    copy.head->used[0] == 1)
		return;
	ck_abort_msg("not so after %u instructions", steps);
}

START_TEST(who_is_killed_anywhere_leaves_nothing_that_mend_cannot_mend)
{
	pid_t child = start_life();
	unsigned steps = 0, torn = 0;

	while (step(child)) {
		if (!has_changed())
			continue;
		copy_for(child, dead);
		torn += scoreboard_slot(&copy, 1)->state == CONN_MOVING;
		ck_assert_int_eq(scoreboard_mend(&copy, NULL, NULL), 0);
		assert_only_ours_is_left(++steps);
	}
	/* Or this has tested nothing. */
	ck_assert_uint_gt(torn, 20);
	ck_assert_uint_gt(steps, torn);
}
END_TEST

static void
assert_same_counts(unsigned steps)
{
	if (copy.head->connections == board.head->connections &&
	    copy.head->pending == board.head->pending &&
	    copy.services[0].connections == board.services[0].connections &&
	    copy.services[1].connections == board.services[1].connections &&
	    memcmp((void *)copy.sources, (void *)board.sources,
		SCOREBOARD_SOURCES * sizeof(board.sources[0])) == 0)
		return;
	ck_abort_msg("a count has changed after %u instructions", steps);
}

START_TEST(mending_while_somebody_is_anywhere_changes_nothing)
{
	pid_t child = start_life();
	unsigned steps = 0, mended = 0;

	while (step(child)) {
		if (!has_changed())
			continue;
		copy_for(child, getpid());
		mended += scoreboard_mend(&copy, NULL, NULL) == 0;
		assert_same_counts(++steps);
	}
	ck_assert_uint_gt(mended, 5);
	ck_assert_uint_gt(steps, mended);
	ck_assert_uint_eq(board.services[0].ends[END_IDLE], 1);
}
END_TEST

/* How many lines are there to be read? */
static unsigned
lines_in(int ears)
{
	char line[4096];
	unsigned n = 0;

	while (recv(ears, line, sizeof(line), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

static void
tell(struct connection *slot, void *arg)
{
	(void)arg;
	log_lost(&copy, slot, END_KILLED, 0, LOG_ALL, false);
}

_Noreturn static void
log_and_end(void)
{
	struct connection *slot = scoreboard_slot(&board, 1);

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	scoreboard_claim(slot, dead);
	raise(SIGSTOP);
	slot->end = END_CLIENT_CLOSED;
	log_end(&board, slot, LOG_ALL, false);
	_exit(0);
}

/*
 * Between the system call that writes the line and the instruction that says
 * so there have to be some; anywhere else it is one line, and never none.
 */
#ifdef USHER_SANITIZED
#define TWICE_AT_MOST 4000
#else
#define TWICE_AT_MOST 100
#endif

START_TEST(who_is_killed_anywhere_has_one_line)
{
	struct connection *slot = scoreboard_take(&board, 1000, &here);
	unsigned steps = 0, own = 0, mended = 0, twice = 0;
	int ears[2], status;
	pid_t child;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ears), 0);
	scoreboard_pass(slot, getpid(), dead);
	log_adopt("test", LOG_TO_JOURNAL);
	child = fork();
	if (child == 0) {
		dup2(ears[1], LOG_FD);
		log_and_end();
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(fcntl(LOG_FD, F_DUPFD, 100), 100);
	while (step(child)) {
		unsigned more = lines_in(ears[0]);

		own += more;
		steps++;
		twice += own == 1 && mended == 1;
		if (!has_changed() && more == 0)
			continue;
		copy_for(child, dead);
		/* Check may have something of its own there. */
		dup2(ears[1], LOG_FD);
		(void)scoreboard_mend(&copy, tell, NULL);
		dup2(100, LOG_FD);
		mended = lines_in(ears[0]);
		ck_assert_uint_le(own, 1);
		ck_assert_uint_le(mended, 1);
		ck_assert_uint_ge(own + mended, 1);
	}
	ck_assert_uint_eq(own, 1);
	ck_assert_uint_le(twice, TWICE_AT_MOST);
	ck_assert_uint_gt(steps, 1000);
}
END_TEST

/* What the test uses to tell be_busy() to come to an end: nobody else does. */
#define STOP (&board.head->unserved.suppressed)

#define BUSY 3
#define MENDINGS 100

_Noreturn static void
be_busy(void)
{
	while (!atomic_load(STOP)) {
		struct connection *slot = scoreboard_take(&board, 1000, &here);

		scoreboard_source_move(&board, slot, &there);
		scoreboard_decided(&board, slot, 0);
		slot->end = END_IDLE;
		scoreboard_give_back(&board, slot);
		/* Or mending would never find a quiet moment. */
		for (volatile unsigned rest = 2000; rest > 0; rest--)
			continue;
	}
	_exit(0);
}

/*
 * The other way round: others go on while it mends.  Whether it finds a quiet
 * moment to count in is up to the scheduler; that it does no harm is not.
 */
START_TEST(mending_while_others_go_on_changes_nothing)
{
	pid_t busy[BUSY];

	for (unsigned i = 0; i < BUSY; i++) {
		busy[i] = fork();
		if (busy[i] == 0)
			be_busy();
	}
	for (unsigned i = 0; i < MENDINGS; i++)
		(void)scoreboard_mend(&board, NULL, NULL);
	atomic_store(STOP, 1);
	for (unsigned i = 0; i < BUSY; i++)
		ck_assert_int_eq(waitpid(busy[i], NULL, 0), busy[i]);
	copy_for(dead, dead);
	assert_only_ours_is_left(0);
}
END_TEST

Suite *mending_suite(void);

Suite *
mending_suite(void)
{
	Suite *suite = suite_create("mending");
	TCase *tcase = tcase_create("mending");

	tcase_add_checked_fixture(tcase, open_boards, close_boards);
	tcase_add_test(
	    tcase, who_is_killed_anywhere_leaves_nothing_that_mend_cannot_mend);
	tcase_add_test(
	    tcase, mending_while_somebody_is_anywhere_changes_nothing);
	tcase_add_test(tcase, mending_while_others_go_on_changes_nothing);
	tcase_add_test(tcase, who_is_killed_anywhere_has_one_line);
	suite_add_tcase(suite, tcase);
	return suite;
}
