/*
 * scoreboard.h - all connections and all counts, in shared memory.
 *
 * The one idea: counters belong to nobody.  A slot is taken by the acceptor;
 * the process that serves the connection keeps it up to date and gives it
 * back at its end; if it was killed, somebody else claims the slot and does
 * so.  That adds what the connection moved to its service's totals and takes
 * it off the counts, all with atomic operations, so there is no lock that a
 * killed process could leave taken.  scoreboard_mend() recounts from the
 * slots.
 *
 * It is a file in the runtime directory (sparse: only used pages exist), or
 * anonymous memory where there is none.
 */
#ifndef USHER_SCOREBOARD_H
#define USHER_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"

#define SCOREBOARD_FILE "scoreboard"
#define SCOREBOARD_MAGIC 0x75736872u /* "ushr" */
#define SCOREBOARD_VERSION 4
#define SCOREBOARD_SLOTS 65536 /* also the largest max-connections */
#define SCOREBOARD_SERVICES 2048
#define SCOREBOARD_SOURCES 16384 /* buckets for max-per-source */
#define SCOREBOARD_BACKENDS 64 /* of a service */
#define SCOREBOARD_WORDS (SCOREBOARD_SLOTS / 64)
#define SCOREBOARD_NAME_MAX 64

/* What is known of one service since the start, whatever its rules were. */
struct tally {
	char name[SCOREBOARD_NAME_MAX]; /* empty: unused row */
	_Atomic uint32_t connections; /* now */
	_Atomic uint64_t total; /* decided for it since the start */
	_Atomic uint64_t bytes_in, bytes_out; /* of ended connections */
	_Atomic uint64_t ends[END_COUNT];
	_Atomic int64_t quiet_until_us; /* rate limit of error lines */
	_Atomic uint32_t lines; /* in this period */
	_Atomic uint32_t suppressed;
};

/* Of one service.  Apart from its tally, since few have several backends. */
struct backends {
	/* One that failed is tried last until then (CLOCK_MONOTONIC). */
	_Atomic int64_t failed_until_us[SCOREBOARD_BACKENDS];
};

struct scoreboard_head {
	uint32_t magic, version;
	uint32_t size_of_slot, slots, services, sources;
	int64_t start_us; /* when this scoreboard was made */
	uint64_t key[2]; /* of the hash over client addresses */
	_Atomic int32_t keeper; /* pid of the one usherd that may use it */
	_Atomic uint32_t told; /* what the sandbox lacks, by this keeper */
	_Atomic uint32_t rows; /* of services; those beyond are unused */
	_Atomic uint32_t connections; /* slots that are not free */
	_Atomic uint32_t pending; /* connections without a decision */
	_Atomic uint32_t high; /* slots from here on were never used */
	_Atomic uint32_t changes; /* begun by take, decided, give_back ... */
	_Atomic uint32_t asked; /* there is memory for so many of them */
	_Atomic uint32_t paths; /* the same */
	struct tally unserved; /* connections that got no service */
	/* One bit a word of used[], set: probably all taken. */
	_Atomic uint64_t full[SCOREBOARD_WORDS / 64];
	/*
	 * One bit a slot, set: probably taken.  Only where to look first.
	 * Last: the bits of the first slots are on the page of the counts.
	 */
	_Atomic uint64_t used[SCOREBOARD_WORDS];
};

/*
 * What the client of a slot asked for.  Few bytes come first: with a name of
 * usual length they are most often on one page.
 */
struct asked {
	char alpn[CONNECTION_ALPN_MAX];
	char name[CONNECTION_NAME_MAX];
};

/* The mapped scoreboard; the struct itself is private to a process. */
struct scoreboard {
	int fd; /* stays open: the relay maps it again after exec */
	int32_t self; /* pid of who takes slots; 0: to be asked for */
	uint32_t row; /* behind the last that scoreboard_service() found */
	int lacking; /* errno of scoreboard_take() for want of memory; or 0 */
	struct scoreboard_head *head;
	struct tally *services; /* SCOREBOARD_SERVICES */
	_Atomic uint16_t *sources; /* SCOREBOARD_SOURCES */
	uint8_t *slots; /* CONNECTION_SIZE each */
	struct asked *asked; /* SCOREBOARD_SLOTS */
	char (*paths)[ADDR_TEXT_MAX]; /* SCOREBOARD_SLOTS: their backends */
	struct backends
	    *backends; /* SCOREBOARD_SERVICES, and of the unserved */
};

/*
 * Opens or makes the scoreboard in directory, or in anonymous memory if that
 * is NULL, as descriptor number at (BOARD_FD; -1: any).  One with live
 * connections in it is taken over; one of another version is replaced, and
 * its connections go on unseen.
 *
 * Returns 0; -EBUSY if another usherd that is alive uses it, with its pid in
 * *ret_owner (0: not known); or -errno.  What makes this process the owner is
 * a lock that it loses if it closes any descriptor of the file: leave
 * ret->fd where it is.
 */
int scoreboard_open(
    struct scoreboard *ret, const char *directory, int at, int32_t *ret_owner);

/*
 * Maps the scoreboard behind fd, which stays the caller's: for the relay,
 * after exec.  0; -EPROTO if it is of another version, torn or no scoreboard;
 * or -errno.
 */
int scoreboard_map(struct scoreboard *ret, int fd);

/*
 * Copies the one behind fd into private memory, so that nobody can change or
 * shrink it under the reader: for "usher status".  Returns as scoreboard_map;
 * ret->fd is -1.
 */
int scoreboard_snapshot(struct scoreboard *ret, int fd);

/*
 * Lets go of the pages that this process has looked at; they are there again
 * when they are used.  Not for a snapshot.
 */
void scoreboard_forget(const struct scoreboard *board);

/* Unmaps it and closes ret->fd. */
void scoreboard_close(struct scoreboard *board);

/* The row of the service called name, made if need be; the keeper's alone.
 * Returns its index, or CONN_NO_SERVICE when all rows are taken. */
uint16_t scoreboard_service(struct scoreboard *board, const char *name);

/* The tally of a row, head->unserved for CONN_NO_SERVICE and bad indexes. */
struct tally *scoreboard_tally(const struct scoreboard *board, uint16_t row);

/* What is known of the backends of a row's service; as above. */
struct backends *scoreboard_backends(
    const struct scoreboard *board, uint16_t row);

/* Slot i, i < SCOREBOARD_SLOTS. */
struct connection *scoreboard_slot(const struct scoreboard *board, uint32_t i);
uint32_t scoreboard_index(
    const struct scoreboard *board, const struct connection *slot);

/*
 * The server name that the client of a slot asked for, or "".  It is apart
 * from the slot, because most connections have none, and an idle one counts
 * its bytes.  Setting it can fail for want of memory: then there is none.  In
 * a snapshot there is none either.
 *
 * It is in shared memory: a reader looks at no more than CONNECTION_NAME_MAX
 * bytes.
 */
const char *scoreboard_name(
    const struct scoreboard *board, const struct connection *slot);
void scoreboard_set_name(struct scoreboard *board, struct connection *slot,
    const char *name, uint8_t len);

/*
 * The first name of ALPN that the client of a slot offered, or "": as above,
 * CONNECTION_ALPN_MAX bytes at most; who looks at as many as above finds the
 * name behind it, if somebody lies, and nothing else.  Of what is set, n bytes
 * from a stranger, it is the escaped form, cut if that is too long; returns
 * whether it is those n bytes, and nothing else.
 */
const char *scoreboard_alpn(
    const struct scoreboard *board, const struct connection *slot);
bool scoreboard_set_alpn(struct scoreboard *board, struct connection *slot,
    const void *bytes, size_t n);

/*
 * Where the connection of a slot goes: to an address, or to a program, by the
 * path of its file.  An IP address fits into the slot; anything else is text
 * apart from it, which may fail for want of memory: then none is known.
 */
void scoreboard_set_backend(
    struct scoreboard *board, struct connection *slot, const struct addr *to);
void scoreboard_set_program(
    struct scoreboard *board, struct connection *slot, const char *path);

/* Adds that as text, at most ADDR_TEXT_MAX with a NUL; or nothing. */
void scoreboard_write_backend(const struct scoreboard *board,
    const struct connection *slot, struct line *line);

/*
 * Takes a free slot for a connection from client (family 0: unknown) and
 * counts it, as pending and by source.  The slot is this process's until
 * scoreboard_pass().  Returns NULL when limit are in use, or, with an errno in
 * board->lacking, no memory for one more can be had.
 */
struct connection *scoreboard_take(
    struct scoreboard *board, uint32_t limit, const struct endpoint *client);

/*
 * Hands a slot from the process from to the process to; does nothing if it
 * is no longer from's.  Returns whether it was.
 *
 * An offer is a slot that was passed from a process to its negative: it can
 * be taken from there by the one it was offered to, or back by the one who
 * offered it.  Only one of them succeeds.
 */
bool scoreboard_pass(struct connection *slot, int32_t from, int32_t to);

/* The same, by the process to, which may be younger than the connection. */
bool scoreboard_adopt(struct connection *slot, int32_t from, int32_t to);

/* The process that serves the connection now, offer or not; 0: none. */
static inline int32_t
scoreboard_owner(const struct connection *slot)
{
	int32_t pid = atomic_load(&slot->pid);

	/*
	 * -1: nobody's, see scoreboard_mend.c.  The least has no negative: no
	 * process is called so, somebody has written over it.
	 */
	return pid < -1 && pid != INT32_MIN ? -pid : pid;
}

/* Connections of this source now: an IPv4 address or an IPv6 /64. */
uint32_t scoreboard_source_count(
    const struct scoreboard *board, const struct endpoint *client);

/*
 * The client turns out to be another (PROXY header): moves the count and sets
 * slot->client, which nobody else may write.
 */
void scoreboard_source_move(struct scoreboard *board, struct connection *slot,
    const struct endpoint *client);

/* Decided for the service in row: no longer pending, counted there. */
void scoreboard_decided(
    struct scoreboard *board, struct connection *slot, uint16_t row);

/*
 * The connection has ended, slot->end says how and stays as it is.  No longer
 * pending, and none of its source's or its service's: only the process, which
 * may have to wait for the log, still is one of max-connections.  Returns
 * false if it had ended before, or if its process was killed in a change.
 */
bool scoreboard_ended(struct scoreboard *board, struct connection *slot);

/*
 * Gives a slot back, adding it to the totals under slot->end.  Only the
 * first caller for a connection does anything: returns whether this was it.
 * False also for a slot whose process was killed in a change: mend frees it.
 */
bool scoreboard_give_back(struct scoreboard *board, struct connection *slot);

/*
 * Makes the slot of process pid, which is gone, offered to another or not,
 * the caller's.  False if it is
 * not pid's any more: it was given back, or somebody else was first.  Whoever
 * claims a slot sees to its log line (log_lost()) and gives it back.
 */
bool scoreboard_claim(struct connection *slot, int32_t pid);

/*
 * Claims and frees the slots whose process is gone and recounts.  For the
 * keeper: at its start, and now and then while there are connections.
 * each(slot, arg), if not NULL, hears of every slot that was claimed, to do as
 * scoreboard_claim() says.  A process that this one, or a child of it, has yet
 * to reap is left to whoever does.  Returns 0, or -EAGAIN if so much was going
 * on that counting has to be tried again later.
 */
int scoreboard_mend(struct scoreboard *board,
    void (*each)(struct connection *slot, void *arg), void *arg);

#endif
