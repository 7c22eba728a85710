/*
 * arena.h - memory that is given back all at once.
 *
 * The one idea: what is made together dies together.  Pieces are cut from
 * large mappings, zeroed as the kernel gives them, and arena_free() leaves no
 * fragments behind.  In a small arena pages that are not touched cost nothing.
 */
#ifndef USHER_ARENA_H
#define USHER_ARENA_H

#include <stddef.h>

struct arena;

/* An empty arena, or NULL without memory. */
struct arena *arena_new(void);

/*
 * size zeroed bytes, aligned to 8: enough for all but long double and vectors.
 * NULL without memory, and only then.
 */
void *arena_alloc(struct arena *arena, size_t size);

/*
 * An array that held old bytes at from (NULL if old is 0) with room for size
 * > old bytes; the new ones are zero.  In place where it can be.  NULL
 * without memory, and the old array stays as it is.
 */
void *arena_grow(struct arena *arena, void *from, size_t old, size_t size);

/* n bytes of text and a NUL; NULL without memory. */
char *arena_text(struct arena *arena, const char *text, size_t n);

/* Bytes given out so far, each piece rounded up to 8. */
size_t arena_used(const struct arena *arena);

/* NULL is fine. */
void arena_free(struct arena *arena);

#endif
