/*
 * carrier_records.c - memory for as many pairs as there are, and no more.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "carrier_inner.h"

/* With less than this part of them in use, memory is given back. */
#define TRIM_PART 4

/* Zeroed memory of which a page exists once it is used. */
static void *
reserve(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

int
carrier_reserve(struct carrier *c, size_t record_size)
{
	c->record_size = (record_size + 15) / 16 * 16;
	c->records = reserve(c->size * c->record_size);
	c->used = reserve((c->size + 63) / 64 * sizeof(*c->used));
	return c->records == NULL || c->used == NULL ? -ENOMEM : 0;
}

struct pair *
carrier_record(const struct carrier *c, uint32_t i)
{
	return (void *)(c->records + i * c->record_size);
}

/* The first free record: so the used ones stay together. */
static uint32_t
find_free(struct carrier *c)
{
	for (uint32_t w = c->low / 64; w < (c->size + 63) / 64; w++) {
		if (~c->used[w] == 0)
			continue;
		c->low = w * 64 + (uint32_t)__builtin_ctzll(~c->used[w]);
		return c->low;
	}
	return c->size;
}

struct pair *
carrier_new(struct carrier *c)
{
	uint32_t i = find_free(c);
	struct pair *pair;

	if (i >= c->size)
		return NULL;
	c->used[i / 64] |= UINT64_C(1) << i % 64;
	if (i >= c->high)
		c->high = i + 1;
	pair = carrier_record(c, i);
	memset(pair, 0, c->record_size);
	pair->state = PAIR_OWNERS;
	c->n++;
	return pair;
}

/* Gives the memory behind the last used record back. */
static void
trim(struct carrier *c)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t end = c->high * c->record_size, begin;

	while (c->high > 0 &&
	    !(c->used[(c->high - 1) / 64] >> (c->high - 1) % 64 & 1))
		c->high--;
	begin = (c->high * c->record_size + page - 1) / page * page;
	if (begin < end)
		(void)madvise(c->records + begin, end - begin, MADV_DONTNEED);
}

void
carrier_put_free(struct carrier *c, struct pair *pair)
{
	uint32_t i =
	    (uint32_t)((size_t)((uint8_t *)pair - c->records) / c->record_size);

	c->used[i / 64] &= ~(UINT64_C(1) << i % 64);
	if (i < c->low)
		c->low = i;
	/* Not each time: what has been needed is likely to be again. */
	if (c->n < c->high / TRIM_PART)
		trim(c);
}

void
carrier_release(struct carrier *c, struct pair *pair)
{
	timers_set(
	    &c->timers, &pair->timer, (struct deadline){ DEADLINE_NEVER });
	pair->state = PAIR_FREE;
	c->n--;
	/* One that has been queued is free once it comes out of the queue. */
	if (!pair->queued)
		carrier_put_free(c, pair);
}
