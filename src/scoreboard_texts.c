/*
 * scoreboard_texts.c - what few connections have, apart from their slots.
 *
 * A table of these has memory up to the last slot that ever needed some, and
 * its rows are never cleared.  A length in the slot says whether its row is its
 * own: it is 0 from the start of a connection until the row has been written,
 * so nobody reads what an earlier one has left there.
 */
#include <string.h>

#include "scoreboard.h"
#include "scoreboard_inner.h"

/* Whether the row of a slot can be read, in a table that has so many. */
static bool
has_row(const struct scoreboard *board, const struct connection *slot,
    const _Atomic uint32_t *rows)
{
	uint32_t i = scoreboard_index(board, slot);

	return i < SCOREBOARD_SLOTS && i < atomic_load(rows);
}

/* The row of a slot, to be written; NULL: there is no memory for it. */
static struct asked *
asked_of(const struct scoreboard *board, const struct connection *slot)
{
	uint32_t i = scoreboard_index(board, slot);

	if (scoreboard_grow(board, &board->head->asked, ASKED_AT,
		sizeof(board->asked[0]), i) < 0)
		return NULL;
	return &board->asked[i];
}

const char *
scoreboard_name(const struct scoreboard *board, const struct connection *slot)
{
	if (slot->name_len == 0 || !has_row(board, slot, &board->head->asked))
		return "";
	return board->asked[scoreboard_index(board, slot)].name;
}

void
scoreboard_set_name(struct scoreboard *board, struct connection *slot,
    const char *name, uint8_t len)
{
	struct asked *asked = asked_of(board, slot);

	if (asked == NULL)
		return;
	memcpy(asked->name, name, len);
	asked->name[len] = '\0';
	slot->name_len = len;
}

const char *
scoreboard_alpn(const struct scoreboard *board, const struct connection *slot)
{
	if (slot->alpn_len == 0 || !has_row(board, slot, &board->head->asked))
		return "";
	return board->asked[scoreboard_index(board, slot)].alpn;
}

bool
scoreboard_set_alpn(struct scoreboard *board, struct connection *slot,
    const void *bytes, size_t n)
{
	struct asked *asked = asked_of(board, slot);
	struct line text;

	if (asked == NULL)
		return false;
	text = LINE(asked->alpn);
	line_escaped(&text, bytes, n);
	slot->alpn_len = (uint8_t)text.len;
	return !text.cut && text.len == n;
}

/* The slot's backend is no longer what it was; what it is goes to *ret. */
static bool
begin_path(
    const struct scoreboard *board, struct connection *slot, struct line *ret)
{
	uint32_t i = scoreboard_index(board, slot);

	slot->backend.family = 0;
	slot->path_len = 0;
	if (scoreboard_grow(board, &board->head->paths, PATHS_AT,
		sizeof(board->paths[0]), i) < 0)
		return false;
	*ret = LINE(board->paths[i]);
	return true;
}

/* An endpoint has no room for the number of an interface. */
static bool
is_endpoint(const struct addr *addr)
{
	return addr->any.sa_family == AF_INET ||
	    (addr->any.sa_family == AF_INET6 && addr->v6.sin6_scope_id == 0);
}

void
scoreboard_set_backend(
    struct scoreboard *board, struct connection *slot, const struct addr *to)
{
	struct line text;

	if (is_endpoint(to)) {
		endpoint_from(&slot->backend, to);
	} else if (begin_path(board, slot, &text)) {
		addr_write(&text, to);
		slot->path_len = (uint8_t)text.len;
	}
}

void
scoreboard_set_program(
    struct scoreboard *board, struct connection *slot, const char *path)
{
	struct line text;

	if (!begin_path(board, slot, &text))
		return;
	line_text(&text, path);
	slot->path_len = (uint8_t)text.len;
}

void
scoreboard_write_backend(const struct scoreboard *board,
    const struct connection *slot, struct line *line)
{
	size_t n = slot->path_len;
	const char *path;
	struct addr to;

	endpoint_to(&to, &slot->backend);
	if (to.len > 0) {
		addr_write(line, &to);
	} else if (n > 0 && has_row(board, slot, &board->head->paths)) {
		path = board->paths[scoreboard_index(board, slot)];
		if (n >= ADDR_TEXT_MAX)
			n = ADDR_TEXT_MAX - 1;
		line_bytes(line, path, strnlen(path, n));
	}
}
