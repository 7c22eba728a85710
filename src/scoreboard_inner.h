/*
 * scoreboard_inner.h - what the scoreboard files share.  For them only.
 */
#ifndef USHER_SCOREBOARD_INNER_H
#define USHER_SCOREBOARD_INNER_H

#include "scoreboard.h"

/*
 * The file: head, sources, services, slots, asked, paths, backends.  What a
 * process touches for each connection comes first, close together: 2 MB of
 * addresses are a page of tables to find them by.
 */
#define PAGE_ROUND(n) (((n) + 4095) / 4096 * 4096)
#define SOURCES_AT PAGE_ROUND(sizeof(struct scoreboard_head))
#define SERVICES_AT (SOURCES_AT + SCOREBOARD_SOURCES * sizeof(uint16_t))
#define SLOTS_AT \
	PAGE_ROUND(SERVICES_AT + SCOREBOARD_SERVICES * sizeof(struct tally))
/* The pid of a slot that was left in the middle of a change. */
#define SLOT_OF_NOBODY (-1)

#define SLOT_AT(i) (SLOTS_AT + (size_t)(i)*CONNECTION_SIZE)
#define ASKED_AT PAGE_ROUND(SLOT_AT(SCOREBOARD_SLOTS))
#define PATHS_AT PAGE_ROUND(ASKED_AT + SCOREBOARD_SLOTS * sizeof(struct asked))
#define BACKENDS_AT PAGE_ROUND(PATHS_AT + SCOREBOARD_SLOTS * ADDR_TEXT_MAX)
#define BACKENDS_OF(row) (BACKENDS_AT + (size_t)(row) * sizeof(struct backends))
#define BOARD_SIZE BACKENDS_OF(SCOREBOARD_SERVICES + 1)

/* Slots, and what is apart from them, get memory by so many at a time. */
#define CHUNK 16

/*
 * Has memory behind n bytes of the scoreboard from at on: it is sparse, and
 * writing to a hole when nothing is left would be a SIGBUS.  0 or -errno.
 */
int scoreboard_provide(const struct scoreboard *board, size_t at, size_t n);

/*
 * Has memory behind entry i of a table whose entry 0 is at base and that has
 * some up to *high, and says so there.  0 or -errno.
 */
int scoreboard_grow(const struct scoreboard *board, _Atomic uint32_t *high,
    size_t base, size_t size, uint32_t i);

/* Points ret at memory that is laid out as a scoreboard. */
void scoreboard_lay_out(struct scoreboard *ret, int fd, void *memory);

/* Whether it is one, and of this version. */
bool scoreboard_has_shape(const struct scoreboard_head *head);

/* 0 if fd is a regular file as long as one, -EPROTO if not, or -errno. */
int scoreboard_check_size(int fd);

/* The bucket that client is counted in, or -1 if it has no address. */
int scoreboard_bucket(
    const struct scoreboard *board, const struct endpoint *client);

/*
 * Marks a slot below limit that seems to be free as taken: the first one.
 * Returns its index, or -1 if there is none.
 */
int scoreboard_claim_hint(struct scoreboard_head *head, uint32_t limit);

/* Slot i seems to be free. */
void scoreboard_clear_hint(struct scoreboard_head *head, uint32_t i);

/* No slot from i on is in use. */
void scoreboard_clear_hints_from(struct scoreboard_head *head, uint32_t i);

/* Writes into the head what it says of itself, and is always the same. */
void scoreboard_set_shape(struct scoreboard_head *head);

/* As scoreboard_mend(), at the time now_us. */
int scoreboard_mend_at(struct scoreboard *board,
    void (*each)(struct connection *slot, void *arg), void *arg,
    int64_t now_us);

/* Makes slot i free, last step: it may be taken from here on. */
void scoreboard_free(struct scoreboard *board, uint32_t i);

#endif
