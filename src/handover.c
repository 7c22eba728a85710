/*
 * handover.c - what a child leaves for usher-relay across its exec.
 */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"
#include "number.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

#define FORMAT 2 /* of the state's text; the first number in it */
#define NUMBERS HANDOVER_NUMBERS
#define DESCRIPTORS_MAX 4096 /* looked at where there is no close_range() */

/*
 * The state as numbers, in the order of its text.  Booleans are 0 and 1, and
 * a time without limit is -1.
 */
void
handover_pack(const struct handover *h, int64_t numbers[NUMBERS])
{
	const struct relay_state *state = &h->state;
	int64_t all[NUMBERS] = {
		FORMAT,
		h->slot,
		(int64_t)h->log_kind,
		(int64_t)h->log,
		h->hide_client,
		h->caged,
		h->options.idle_ms < 0 ? -1 : h->options.idle_ms,
		h->options.half_close_ms < 0 ? -1 : h->options.half_close_ms,
		h->options.dead_after_ms,
		state->up_eof,
		state->up_done,
		state->down_eof,
		state->down_done,
		state->backend_first,
		state->up_held,
		state->down_held,
	};

	memcpy(numbers, all, sizeof(all));
}

static void
from_numbers(const int64_t n[NUMBERS], struct handover *ret)
{
	*ret = (struct handover){
		.slot = (uint32_t)n[1],
		.log_kind = (enum log_kind)n[2],
		.log = (enum rules_log)n[3],
		.hide_client = n[4] != 0,
		.caged = n[5] != 0,
		.options = {
			.idle_ms = n[6],
			.half_close_ms = n[7],
			.stays_after_ms = -1,
			.dead_after_ms = n[8],
		},
		.state = {
			.up_eof = n[9] != 0,
			.up_done = n[10] != 0,
			.down_eof = n[11] != 0,
			.down_done = n[12] != 0,
			.backend_first = n[13] != 0,
			.up_held = (uint32_t)n[14],
			.down_held = (uint32_t)n[15],
		},
	};
}

/* The least and greatest value of each number. */
static const struct {
	int64_t min, max;
} ranges[NUMBERS] = {
	{ FORMAT, FORMAT },
	{ 0, SCOREBOARD_SLOTS - 1 },
	{ 0, LOG_KIND_LAST },
	{ 0, LOG_NONE },
	{ 0, 1 },
	{ 0, 1 },
	{ -1, INT64_MAX },
	{ -1, INT64_MAX },
	{ 0, INT64_MAX },
	{ 0, 1 },
	{ 0, 1 },
	{ 0, 1 },
	{ 0, 1 },
	{ 0, 1 },
	{ 0, PUMP_PIPE },
	{ 0, PUMP_PIPE },
};

void
handover_encode(const struct handover *h, struct line *text)
{
	int64_t numbers[NUMBERS];

	handover_pack(h, numbers);
	for (size_t i = 0; i < NUMBERS; i++) {
		if (i > 0)
			line_char(text, ' ');
		line_int(text, numbers[i]);
	}
}

/* Reads the decimal number at *text, which has no surplus zero, and moves on.
 */
static int
take_number(const char **text, int64_t *ret)
{
	const char *at = *text + (**text == '-');
	bool negative = at > *text;
	int64_t value = 0;
	int digits = number_take(at, strlen(at), INT64_MAX, &value);

	if (digits <= 0 || (*at == '0' && (negative || digits > 1)))
		return -EINVAL;
	*text = at + digits;
	*ret = negative ? -value : value;
	return 0;
}

/* What is done has ended and holds nothing. */
static bool
makes_sense(const struct relay_state *state)
{
	if (state->up_done && (!state->up_eof || state->up_held > 0))
		return false;
	if (state->down_done && (!state->down_eof || state->down_held > 0))
		return false;
	return !state->backend_first || state->down_eof;
}

int
handover_unpack(const int64_t numbers[NUMBERS], struct handover *ret)
{
	struct handover h;

	for (size_t i = 0; i < NUMBERS; i++)
		if (numbers[i] < ranges[i].min || numbers[i] > ranges[i].max)
			return -EINVAL;
	from_numbers(numbers, &h);
	if (!makes_sense(&h.state))
		return -EINVAL;
	*ret = h;
	return 0;
}

int
handover_decode(const char *text, struct handover *ret)
{
	int64_t numbers[NUMBERS];

	for (size_t i = 0; i < NUMBERS; i++) {
		if (i > 0 && *text++ != ' ')
			return -EINVAL;
		if (take_number(&text, &numbers[i]) < 0)
			return -EINVAL;
	}
	return *text == '\0' ? handover_unpack(numbers, ret) : -EINVAL;
}

void
handover_adopt(struct relay *relay, const struct handover *h,
    struct connection *connection)
{
	(void)signal(SIGPIPE, SIG_IGN);
	relay_init_alone(relay, RELAY_CLIENT_FD, RELAY_BACKEND_FD, connection,
	    &h->options, &h->state);
	if (h->state.up_held > 0) {
		relay->up.pipe[0] = RELAY_UP_PIPE_FD;
		relay->up.pipe[1] = RELAY_UP_PIPE_FD + 1;
	}
	if (h->state.down_held > 0) {
		relay->down.pipe[0] = RELAY_DOWN_PIPE_FD;
		relay->down.pipe[1] = RELAY_DOWN_PIPE_FD + 1;
	}
}

/* A descriptor and the number that usher-relay looks for it at. */
struct move {
	int *fd;
	int number;
};

#define MOVES_MAX 6

/* Lists the moves; pipes without a byte in them are left behind. */
static size_t
list_moves(struct relay *relay, struct move moves[MOVES_MAX])
{
	size_t n = 0;

	moves[n++] = (struct move){ &relay->up.from, RELAY_CLIENT_FD };
	moves[n++] = (struct move){ &relay->up.to, RELAY_BACKEND_FD };
	for (int end = 0; end < 2 && relay->up.piped > 0; end++)
		moves[n++] = (struct move){ &relay->up.pipe[end],
			RELAY_UP_PIPE_FD + end };
	for (int end = 0; end < 2 && relay->down.piped > 0; end++)
		moves[n++] = (struct move){ &relay->down.pipe[end],
			RELAY_DOWN_PIPE_FD + end };
	return n;
}

/*
 * Lifts a descriptor out of the numbers that others are to have.  The old one
 * is closed: with two open, no close() would end the connection.
 */
static int
lift(const struct move *move)
{
	int lifted;

	if (*move->fd == move->number || *move->fd < RELAY_CLIENT_FD ||
	    *move->fd >= RELAY_FIRST_FREE_FD)
		return 0;
	lifted = fcntl(*move->fd, F_DUPFD_CLOEXEC, RELAY_FIRST_FREE_FD);
	if (lifted < 0)
		return -errno;
	(void)close(*move->fd);
	*move->fd = lifted;
	return 0;
}

/* Puts a descriptor at its number, to stay open across the exec. */
static int
put_down(const struct move *move)
{
	if (*move->fd == move->number)
		return fd_set_cloexec(move->number, 0);
	if (dup2(*move->fd, move->number) < 0)
		return -errno;
	(void)close(*move->fd);
	*move->fd = move->number;
	return 0;
}

/* Moves all of them; whatever happens, the relay has its descriptors. */
static int
move_all(struct relay *relay)
{
	struct move moves[MOVES_MAX];
	size_t n = list_moves(relay, moves);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = lift(&moves[i]);
	for (size_t i = 0; i < n && r == 0; i++)
		r = put_down(&moves[i]);
	relay->down.to = relay->up.from;
	relay->down.from = relay->up.to;
	return r;
}

/*
 * Lets no other descriptor cross the exec.  They are all CLOEXEC from birth:
 * this is for those that somebody else left open.
 */
static void
leave_behind(unsigned first, unsigned last)
{
	if (first > last ||
	    syscall(SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	/* Before Linux 5.11. */
	for (unsigned fd = first; fd <= last && fd < DESCRIPTORS_MAX; fd++)
		(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

static void
leave_rest_behind(const struct relay *relay)
{
	unsigned first = RELAY_FIRST_FREE_FD;

	if (relay->down.piped == 0)
		first = RELAY_DOWN_PIPE_FD;
	if (relay->down.piped == 0 && relay->up.piped == 0)
		first = RELAY_UP_PIPE_FD;
	leave_behind(first, ~0u);
	if (relay->down.piped > 0 && relay->up.piped == 0)
		leave_behind(RELAY_UP_PIPE_FD, RELAY_DOWN_PIPE_FD - 1);
	(void)fcntl(LOG_FD, F_SETFD, 0);
	(void)fcntl(BOARD_FD, F_SETFD, 0);
}

/* Execs the file; on failure signals are as they were before. */
static int
exec_file(int exe, const char *const argv[], const char *const envp[])
{
	sigset_t old, mask;
	int r;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_SETMASK, &mask, &old);
	/* The only one that is ignored here, and would stay so. */
	(void)signal(SIGPIPE, SIG_DFL);
	(void)syscall(SYS_execveat, exe, "", argv, envp, AT_EMPTY_PATH);
	r = -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

static int
exec_relay(int exe, const struct handover *h, struct relay *relay,
    const char *const names[3])
{
	char state[sizeof(RELAY_STATE_ENV "=") + RELAY_STATE_MAX];
	struct line text = LINE(state);
	const char *const argv[] = { "usher-relay", names[0], names[1],
		names[2], NULL };
	const char *const envp[] = { state, NULL };
	struct handover full = *h;
	int r;

	full.options = relay->options;
	relay_save(relay, &full.state);
	line_text(&text, RELAY_STATE_ENV "=");
	handover_encode(&full, &text);
	r = move_all(relay);
	if (r < 0)
		return r;
	leave_rest_behind(relay);
	return exec_file(exe, argv, envp);
}

int
handover_exec(int exe, const struct handover *h, struct relay *relay,
    const char *const names[3])
{
	FD_AUTO int copy = -1;

	relay->options.stays_after_ms = -1;
	/* relay_run() does not come back with RELAY_STAYS like this. */
	if (relay->up.held_len > 0 || relay->down.held_len > 0)
		return -EBUSY;
	/* Out of the way of the others. */
	copy = fcntl(exe, F_DUPFD_CLOEXEC, RELAY_FIRST_FREE_FD);
	if (copy < 0)
		return -errno;
	return exec_relay(copy, h, relay, names);
}

int
handover_exec_many(int exe, int control)
{
	static const char *const argv[] = { "usher-relay", "shared", NULL };
	char kind[sizeof(RELAY_MANY_ENV) + 4];
	struct line text = LINE(kind);
	const char *const envp[] = { kind, NULL };
	int copy = fcntl(exe, F_DUPFD_CLOEXEC, RELAY_FIRST_FREE_FD);

	line_text(&text, RELAY_MANY_ENV "=");
	line_uint(&text, (uint64_t)log_kind());
	if (copy < 0 ||
	    (control == RELAY_CONTROL_FD ? fd_set_cloexec(control, 0) :
					   dup2(control, RELAY_CONTROL_FD)) < 0)
		return -errno;
	leave_behind(RELAY_CONTROL_FD + 1, ~0u);
	(void)fcntl(LOG_FD, F_SETFD, 0);
	(void)fcntl(BOARD_FD, F_SETFD, 0);
	return exec_file(copy, argv, envp);
}

int
handover_is_many(enum log_kind *ret)
{
	const char *kind = getenv(RELAY_MANY_ENV);

	if (kind == NULL)
		return 0;
	if (kind[0] < '0' || kind[0] > '0' + LOG_KIND_LAST || kind[1] != '\0')
		return -EINVAL;
	*ret = (enum log_kind)(kind[0] - '0');
	return 1;
}
