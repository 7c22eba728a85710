/*
 * pump.h - moves the bytes of one direction from a socket to another.
 *
 * The one idea: a pump reads only when it has nothing left to write.  So it
 * holds at most one read, a reader that stops stops its writer, and "would
 * block" always has one meaning: at reading that the socket is empty (there
 * is room), at writing that the socket is full (there are bytes).
 *
 * Small messages are copied through one buffer that all pumps share.  After
 * PUMP_BULK full buffers in a row the pump splices through a pipe of its own,
 * which it gives back when it has been quiet.
 */
#ifndef USHER_PUMP_H
#define USHER_PUMP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUMP_BUFFER (32 * 1024) /* bytes of one copy */
#define PUMP_SCRATCH (64 * 1024) /* room in what all pumps share */
#define PUMP_PIPE (512 * 1024) /* bytes of one splice */
#define PUMP_PIPE_MIN (64 * 1024) /* with less, copying is as good */
#define PUMP_PAGE 4096 /* buffers begin at a multiple of it */
#define PUMP_BULK 2 /* full buffers that make it bulk */

/*
 * Defines memory for one buffer.  Common storage is what the linker puts
 * last: all that is small comes before it, on the page that the program's
 * data needs anyway.  An aligned array would begin .bss on a page of its own,
 * so it is PUMP_PLACE() that finds the page in it where the buffer begins.
 */
#define PUMP_MEMORY(name, size)                  \
	extern uint8_t name[(size) + PUMP_PAGE]; \
	__attribute__((common, aligned(16))) uint8_t name[(size) + PUMP_PAGE]
#define PUMP_PLACE(name) (name + -(uintptr_t)name % PUMP_PAGE)

/* Its fields are pump.c's; others may read them.  Idle ones count bytes. */
struct pump {
	int from, to; /* non-blocking stream sockets, the caller's */
	int pipe[2]; /* read end, write end; -1: none */
	uint32_t piped; /* bytes in the pipe; they come before the held ones */
	uint16_t held_at, held_len; /* bytes in held that are not written yet */
	uint8_t *held; /* PUMP_BUFFER bytes for a slow reader, or NULL */
	uint16_t ahead; /* "to" has these already; from still has them */
	int16_t error; /* errno after PUMP_FROM_FAILED, PUMP_TO_FAILED */
	bool held_own : 1; /* held is there only while there are bytes in it */
	bool held_dirty : 1; /* held has been written to */
	bool eof : 1; /* from has finished */
	bool done : 1; /* and all is written, and to has been told */
	bool no_splice : 1; /* these sockets cannot */
	bool promised : 1; /* the caller's: bytes came since the last read */
	bool dry : 1; /* the last read took all there was */
	/*
	 * The caller's: from has finished already, and gives all that is left
	 * in reads that are full but for the last.
	 */
	bool ending : 1;
	bool last : 1; /* the caller's: "to" is closed when this is done */
	/*
	 * The caller's: to is of TCP and would keep what is written while
	 * something is under way (Nagle); off before anything is written.
	 */
	bool packs : 1;
	uint8_t full_reads; /* in a row, up to PUMP_BULK */
	uint8_t copies; /* reads before a pipe is asked for again */
	int64_t active_us; /* for the caller: when it last moved something */
	_Atomic uint64_t *count; /* of bytes written to "to" */
};

_Static_assert(PUMP_BUFFER <= UINT16_MAX, "more than held_len can say");

enum pump_result {
	PUMP_WAITS, /* nothing moved */
	PUMP_MOVED, /* a byte was read or written, or from finished */
	PUMP_FROM_FAILED,
	PUMP_TO_FAILED,
};

/*
 * A pump at rest.  held is the PUMP_PLACE() of memory for this pump alone; it
 * is not touched unless "to" is slow, and given back to the kernel by
 * pump_rest().  With held NULL there is memory of the pump's own while it is
 * needed; when none can be had, that is a failure (ENOMEM) of "to".
 */
void pump_init(struct pump *pump, int from, int to, _Atomic uint64_t *count,
    uint8_t *held);

/*
 * The next n bytes, no more than PUMP_BUFFER, that are there to be read have
 * been written already by somebody who peeked: they are read with what comes
 * next, and dropped.
 */
void pump_delivered(struct pump *pump, size_t n);

/* It has bytes that "to" has not taken: it waits for POLLOUT there. */
static inline bool
pump_blocked(const struct pump *pump)
{
	return pump->piped > 0 || pump->held_len > 0;
}

/* It waits for POLLIN of "from". */
static inline bool
pump_reads(const struct pump *pump)
{
	return !pump->eof && !pump_blocked(pump);
}

/* PUMP_BULK full buffers came in a row. */
static inline bool
pump_in_bulk(const struct pump *pump)
{
	return pump->full_reads >= PUMP_BULK;
}

/*
 * Does one round: writes what it holds, else reads once and writes that.
 * Never blocks.  SIGPIPE must be ignored.  At the end of from, once all is
 * written, to gets shutdown(SHUT_WR), unless it is to be closed anyway, and
 * the pump is done.
 */
enum pump_result pump_run(struct pump *pump);

/*
 * Moves the held bytes into the pipe, so that an exec does not lose them, and
 * takes those that were delivered ahead.  Returns 0, or -EAGAIN if that
 * cannot be now; nothing is lost then.
 */
int pump_settle(struct pump *pump);

/* Whether pump_rest() has anything to give back. */
static inline bool
pump_restless(const struct pump *pump)
{
	return !pump_blocked(pump) && (pump->pipe[0] >= 0 || pump->held_dirty);
}

/* Gives an empty pipe and buffer back. */
void pump_rest(struct pump *pump);

/*
 * The buffer that the pumps share, for somebody else to use the PUMP_SCRATCH
 * bytes of it until a pump runs: memory that is touched anyway.
 */
uint8_t *pump_scratch(void);

/* The same for that buffer; false: it is clean. */
bool pump_scratch_dirty(void);
void pump_scratch_rest(void);

/*
 * Reads what a socket has, at most one buffer of it, and throws it away.
 * Returns 1, 0 if there is nothing now, or -1 if nothing more can come: it
 * has finished, or failed.
 */
int pump_drop(int socket);

/* Gives pipe and buffer up, with what is in them.  The sockets stay open. */
void pump_free(struct pump *pump);

#endif
