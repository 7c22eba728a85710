/*
 * pump.c - moves the bytes of one direction from a socket to another.
 */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"

#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
#define COPIES 64 /* 2 MB, where there was no pipe to be had */

/* In every read nothing of the last one is left: one will do for all. */
PUMP_MEMORY(pump_shared, PUMP_SCRATCH);
#define SCRATCH PUMP_PLACE(pump_shared)
static bool scratch_dirty;

void
pump_init(
    struct pump *pump, int from, int to, _Atomic uint64_t *count, uint8_t *held)
{
	*pump = (struct pump){
		.from = from,
		.to = to,
		.pipe = { -1, -1 },
		.held = held,
		.held_own = held == NULL,
		.count = count,
	};
}

static bool
would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* The count has one writer, so it needs no locked instruction. */
static void
delivered(struct pump *pump, size_t n)
{
	uint64_t count;

	count = atomic_load_explicit(pump->count, memory_order_relaxed);
	atomic_store_explicit(pump->count, count + n, memory_order_relaxed);
}

void
pump_delivered(struct pump *pump, size_t n)
{
	pump->ahead = (uint16_t)n;
	delivered(pump, n);
}

static enum pump_result
fail(struct pump *pump, enum pump_result side, int error)
{
	pump->error = (int16_t)error;
	return side;
}

/* Memory of its own for the bytes held. */
static int
make_held(struct pump *pump)
{
	void *at = mmap(NULL, PUMP_BUFFER, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	pump->held = at;
	return 0;
}

/* A pump with memory of its own gives it back as soon as it is empty. */
static void
drop_held(struct pump *pump)
{
	if (!pump->held_own || pump->held == NULL)
		return;
	(void)munmap(pump->held, PUMP_BUFFER);
	pump->held = NULL;
	pump->held_dirty = false;
}

/* Keeps n bytes that "to" did not take. */
static enum pump_result
hold(struct pump *pump, const uint8_t *bytes, size_t n)
{
	int r = pump->held == NULL ? make_held(pump) : 0;

	if (r < 0)
		return fail(pump, PUMP_TO_FAILED, -r);
	memcpy(pump->held, bytes, n);
	pump->held_at = 0;
	pump->held_len = (uint16_t)n;
	pump->held_dirty = true;
	return PUMP_MOVED;
}

static void
close_pipe(struct pump *pump)
{
	if (pump->pipe[0] < 0)
		return;
	(void)close(pump->pipe[0]);
	(void)close(pump->pipe[1]);
	pump->pipe[0] = pump->pipe[1] = -1;
	pump->piped = 0;
}

/* Returns the size that it has then; -1: nobody knows. */
static int
enlarge(int pipe)
{
	int size = fcntl(pipe, F_SETPIPE_SZ, PUMP_PIPE);

	if (size < 0)
		size = fcntl(pipe, F_SETPIPE_SZ, PUMP_PIPE / 2);
	return size < 0 ? fcntl(pipe, F_GETPIPE_SZ) : size;
}

/*
 * Opens the pipe.  An unprivileged user has a limited number of pages in all
 * pipes; beyond it they come small, and then copying is no worse.
 */
static void
open_pipe(struct pump *pump)
{
	int ends[2];

	pump->copies = COPIES;
	if (pump->no_splice || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	memcpy(pump->pipe, ends, sizeof(ends));
	if (enlarge(ends[1]) < PUMP_PIPE_MIN)
		close_pipe(pump);
	else
		pump->copies = 0;
}

/* Not at each read, where there is none to be had. */
static void
try_pipe(struct pump *pump)
{
	if (pump->copies > 0)
		pump->copies--;
	else
		open_pipe(pump);
}

void
pump_free(struct pump *pump)
{
	close_pipe(pump);
	drop_held(pump);
}

static enum pump_result
write_piped(struct pump *pump)
{
	ssize_t n;

	n = splice(
	    pump->pipe[0], NULL, pump->to, NULL, pump->piped, SPLICE_FLAGS);
	if (n < 0 && !would_block(errno))
		return fail(pump, PUMP_TO_FAILED, errno);
	if (n <= 0)
		return PUMP_WAITS;
	pump->piped -= (uint32_t)n;
	delivered(pump, (size_t)n);
	return PUMP_MOVED;
}

static enum pump_result
write_held(struct pump *pump)
{
	ssize_t n;

	n = send(
	    pump->to, pump->held + pump->held_at, pump->held_len, MSG_NOSIGNAL);
	if (n < 0 && !would_block(errno))
		return fail(pump, PUMP_TO_FAILED, errno);
	if (n <= 0)
		return PUMP_WAITS;
	pump->held_at = (uint16_t)(pump->held_at + n);
	pump->held_len = (uint16_t)(pump->held_len - n);
	delivered(pump, (size_t)n);
	if (pump->held_len == 0)
		drop_held(pump);
	return PUMP_MOVED;
}

/* Writes what there is, the pipe's first. */
static enum pump_result
write_out(struct pump *pump)
{
	enum pump_result result = PUMP_WAITS, then;

	if (pump->piped > 0)
		result = write_piped(pump);
	if (result == PUMP_TO_FAILED || pump->piped > 0 || pump->held_len == 0)
		return result;
	then = write_held(pump);
	return then == PUMP_WAITS ? result : then;
}

/* What a read that brought no byte says. */
static enum pump_result
read_none(struct pump *pump, ssize_t n)
{
	if (n == 0) {
		pump->eof = true;
		return PUMP_MOVED;
	}
	if (would_block(errno))
		return PUMP_WAITS;
	return fail(pump, PUMP_FROM_FAILED, errno);
}

/* Of n bytes just read, so many have been written before. */
static size_t
drop_ahead(struct pump *pump, size_t n)
{
	size_t known = n < pump->ahead ? n : pump->ahead;

	pump->ahead = (uint16_t)(pump->ahead - known);
	return known;
}

/* Before a write that may come while another is under way. */
static void
hurry(struct pump *pump)
{
	if (pump->packs)
		(void)fd_set_undelayed(pump->to);
	pump->packs = false;
}

/* Writes what has been read and keeps what "to" does not take. */
static enum pump_result
write_read(struct pump *pump, const uint8_t *bytes, size_t n)
{
	ssize_t sent;

	hurry(pump);
	sent =
	    send(pump->to, bytes, n, MSG_NOSIGNAL | (pump->eof ? MSG_MORE : 0));
	if (sent < 0 && !would_block(errno))
		return fail(pump, PUMP_TO_FAILED, errno);
	if (sent < 0)
		sent = 0;
	delivered(pump, (size_t)sent);
	if ((size_t)sent < n)
		return hold(pump, bytes + sent, n - (size_t)sent);
	return PUMP_MOVED;
}

static enum pump_result
copy(struct pump *pump)
{
	const size_t size = (size_t)PUMP_BUFFER + pump->ahead;
	ssize_t n;
	size_t known;

	n = recv(pump->from, SCRATCH, size, 0);
	pump->promised = false;
	pump->dry = n < (ssize_t)size;
	if (n <= 0)
		return read_none(pump, n);
	scratch_dirty = true;
	known = drop_ahead(pump, (size_t)n);
	if (pump->dry)
		pump->full_reads = 0;
	else if (!pump_in_bulk(pump))
		pump->full_reads++;

	/* Known now: so the end can go along with the bytes. */
	pump->eof = pump->ending && pump->dry;
	if ((size_t)n == known)
		return PUMP_MOVED;
	return write_read(pump, SCRATCH + known, (size_t)n - known);
}

/* Sets *copying if the bytes that there are can only be copied. */
static enum pump_result
splice_through(struct pump *pump, bool *copying)
{
	enum pump_result result;
	ssize_t n;

	n = splice(
	    pump->from, NULL, pump->pipe[1], NULL, PUMP_PIPE, SPLICE_FLAGS);
	if (n < 0 && (errno == EINVAL || errno == ENOSYS)) {
		pump->no_splice = true;
		*copying = true;
		return PUMP_WAITS;
	}
	/*
	 * Bytes have come and the pipe has room: urgent data is in the way,
	 * which splice never passes but recv() does.
	 */
	if (n < 0 && would_block(errno) && pump->promised) {
		*copying = true;
		return PUMP_WAITS;
	}
	pump->promised = false;
	pump->dry = n <= 0; /* a pipe may be full of less than it can hold */
	if (n <= 0)
		return read_none(pump, n);
	pump->piped = (uint32_t)n;
	result = write_piped(pump);
	return result == PUMP_WAITS ? PUMP_MOVED : result;
}

static enum pump_result
read_and_write(struct pump *pump)
{
	enum pump_result result;
	bool copying = false;

	if (pump->pipe[0] < 0 && pump_in_bulk(pump))
		try_pipe(pump);
	if (pump->pipe[0] < 0)
		return copy(pump);
	result = splice_through(pump, &copying);
	if (!copying)
		return result;
	close_pipe(pump);
	pump->full_reads = 0;
	return copy(pump);
}

/* Passes the end on.  ENOTCONN: a reset was faster. */
static enum pump_result
finish(struct pump *pump)
{
	close_pipe(pump);
	if (!pump->last && shutdown(pump->to, SHUT_WR) < 0)
		return fail(pump, PUMP_TO_FAILED, errno);
	pump->done = true;
	return PUMP_MOVED;
}

enum pump_result
pump_run(struct pump *pump)
{
	enum pump_result result;

	if (pump->done)
		return PUMP_WAITS;
	if (pump_blocked(pump))
		result = write_out(pump);
	else if (!pump->eof)
		result = read_and_write(pump);
	else
		result = PUMP_WAITS;
	if (result == PUMP_FROM_FAILED || result == PUMP_TO_FAILED)
		return result;
	if (pump->eof && !pump_blocked(pump))
		return finish(pump);
	return result;
}

/* Reads what was delivered ahead, and no more. */
static int
take_ahead(struct pump *pump)
{
	while (pump->ahead > 0) {
		ssize_t n = recv(pump->from, SCRATCH, pump->ahead, 0);

		if (n <= 0)
			return -EAGAIN;
		scratch_dirty = true;
		(void)drop_ahead(pump, (size_t)n);
	}
	return 0;
}

int
pump_settle(struct pump *pump)
{
	ssize_t n;

	hurry(pump);
	if (take_ahead(pump) < 0)
		return -EAGAIN;
	if (pump->held_len == 0)
		return 0;
	if (pump->pipe[0] < 0)
		open_pipe(pump);
	if (pump->pipe[0] < 0)
		return -EAGAIN;
	n = write(pump->pipe[1], pump->held + pump->held_at, pump->held_len);
	if (n < 0)
		return -EAGAIN;
	pump->piped += (uint32_t)n;
	pump->held_at = (uint16_t)(pump->held_at + n);
	pump->held_len = (uint16_t)(pump->held_len - n);
	if (pump->held_len > 0)
		return -EAGAIN;
	drop_held(pump);
	return 0;
}

/* With other pages than these, parts of a buffer's neighbours would go too. */
static void
give_back(uint8_t *buffer, size_t size)
{
	if (sysconf(_SC_PAGESIZE) == PUMP_PAGE)
		(void)madvise(buffer, size, MADV_DONTNEED);
}

void
pump_rest(struct pump *pump)
{
	if (pump->piped == 0)
		close_pipe(pump);
	pump->full_reads = 0;
	if (!pump->held_dirty || pump->held_len > 0)
		return;
	give_back(pump->held, PUMP_BUFFER);
	pump->held_dirty = false;
}

uint8_t *
pump_scratch(void)
{
	scratch_dirty = true;
	return SCRATCH;
}

bool
pump_scratch_dirty(void)
{
	return scratch_dirty;
}

void
pump_scratch_rest(void)
{
	give_back(SCRATCH, PUMP_SCRATCH);
	scratch_dirty = false;
}

int
pump_drop(int socket)
{
	/* MSG_TRUNC: TCP need not even copy them. */
	ssize_t n =
	    recv(socket, SCRATCH, PUMP_BUFFER, MSG_DONTWAIT | MSG_TRUNC);

	if (n > 0)
		return 1;
	return n < 0 && would_block(errno) ? 0 : -1;
}
