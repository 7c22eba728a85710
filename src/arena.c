/* arena.c - memory that is given back all at once; see arena.h. */
#include "arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "lean.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* The first one's pages, and a larger one's, come as they are touched. */
#define CHUNK_SIZE ((size_t)64 * 1024)
#define ALIGNMENT ((size_t)8)

struct chunk {
	struct chunk *older;
	size_t size, used; /* both with this header */
};

/* Lies at the start of its first chunk, so that it costs no page. */
struct arena {
	struct chunk *newest;
	size_t given;
};

static size_t
align(size_t size)
{
	return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

/* Near, if there is room: there may be a process for every connection. */
static void *
map_near(size_t size, int flags)
{
	flags |= MAP_PRIVATE | MAP_ANONYMOUS;
	for (unsigned i = 0; i < LEAN_PLACES && size <= LEAN_PLACE; i++) {
		void *at = lean_place(i);

		at = at == NULL ? MAP_FAILED :
				  mmap(at, size, PROT_READ | PROT_WRITE,
				      flags | MAP_FIXED_NOREPLACE, -1, 0);
		if (at != MAP_FAILED)
			return at;
	}
	return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
}

/* CHUNK_SIZE bytes, or enough for a larger piece of size bytes. */
static struct chunk *
map_chunk(size_t size, int flags)
{
	bool large = size >= CHUNK_SIZE / 2;
	struct chunk *chunk;

	/* Twice, so that an array grown bit by bit is seldom copied. */
	size = large ? 2 * size : CHUNK_SIZE;
	chunk = map_near(size, large ? 0 : flags);
	if (chunk == MAP_FAILED)
		return NULL;
	chunk->size = size;
	chunk->used = align(sizeof(*chunk));
	return chunk;
}

struct arena *
arena_new(void)
{
	struct chunk *chunk = map_chunk(0, 0);
	struct arena *arena;

	if (chunk == NULL)
		return NULL;
	arena = (void *)((char *)chunk + chunk->used);
	chunk->used += align(sizeof(*arena));
	arena->newest = chunk;
	return arena;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct chunk *chunk = arena->newest;
	void *piece;

	if (size > PTRDIFF_MAX / 2)
		return NULL;
	size = align(size);
	if (size > chunk->size - chunk->used) {
		/* One of many: a fault for each page would be dear. */
		chunk = map_chunk(size + align(sizeof(*chunk)), MAP_POPULATE);
		if (chunk == NULL)
			return NULL;
		chunk->older = arena->newest;
		arena->newest = chunk;
	}
	piece = (char *)chunk + chunk->used;
	chunk->used += size;
	arena->given += size;
	return piece;
}

/* Whether the old bytes at from are the last piece and can become size. */
static int
extend(struct arena *arena, const char *from, size_t old, size_t size)
{
	struct chunk *chunk = arena->newest;
	size_t more = align(size) - align(old);

	if (from == NULL || from + align(old) != (char *)chunk + chunk->used)
		return 0;
	if (more > chunk->size - chunk->used)
		return 0;
	chunk->used += more;
	arena->given += more;
	return 1;
}

void *
arena_grow(struct arena *arena, void *from, size_t old, size_t size)
{
	void *piece;

	if (size > PTRDIFF_MAX / 2)
		return NULL;
	if (extend(arena, from, old, size))
		return from;
	piece = arena_alloc(arena, size);
	if (piece != NULL && old > 0)
		memcpy(piece, from, old);
	return piece;
}

char *
arena_text(struct arena *arena, const char *text, size_t n)
{
	char *copy = arena_alloc(arena, n + 1);

	if (copy != NULL && n > 0)
		memcpy(copy, text, n);
	return copy;
}

size_t
arena_used(const struct arena *arena)
{
	return arena->given;
}

void
arena_free(struct arena *arena)
{
	struct chunk *chunk, *older;

	if (arena == NULL)
		return;
	for (chunk = arena->newest; chunk != NULL; chunk = older) {
		older = chunk->older;
		munmap(chunk, chunk->size);
	}
}
