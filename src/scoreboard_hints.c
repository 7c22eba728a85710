/*
 * scoreboard_hints.c - which slots seem to be free.
 *
 * Two levels of bits: a look at a word of full[], or at few, tells which word
 * of used[] has a clear bit.  Only if they are wrong, because somebody was
 * killed, is every word looked at.
 */
#include "scoreboard.h"
#include "scoreboard_inner.h"

static void
set_bit(_Atomic uint64_t *words, uint32_t i)
{
	atomic_fetch_or(&words[i / 64], (uint64_t)1 << i % 64);
}

static void
clear_bit(_Atomic uint64_t *words, uint32_t i)
{
	atomic_fetch_and(&words[i / 64], ~((uint64_t)1 << i % 64));
}

void
scoreboard_clear_hint(struct scoreboard_head *head, uint32_t i)
{
	clear_bit(head->used, i);
	clear_bit(head->full, i / 64);
}

void
scoreboard_clear_hints_from(struct scoreboard_head *head, uint32_t i)
{
	for (; i % 64 != 0; i++)
		scoreboard_clear_hint(head, i);
	for (; i < SCOREBOARD_SLOTS; i += 64)
		if (atomic_load(&head->used[i / 64]) ||
		    atomic_load(&head->full[i / 4096])) {
			atomic_store(&head->used[i / 64], 0);
			clear_bit(head->full, i / 64);
		}
}

/* Sets the lowest clear bit of word w that stands for a slot below limit. */
static int
claim_in_word(struct scoreboard_head *head, uint32_t w, uint32_t limit)
{
	uint64_t old = atomic_load(&head->used[w]);

	while (~old) {
		uint32_t bit = (uint32_t)__builtin_ctzll(~old);

		if (w * 64 + bit >= limit)
			return -1;
		if (atomic_compare_exchange_weak(
			&head->used[w], &old, old | (uint64_t)1 << bit))
			return (int)(w * 64 + bit);
	}
	set_bit(head->full, w);
	/* Somebody may have made room before it was said that there is none. */
	if (~atomic_load(&head->used[w]))
		clear_bit(head->full, w);
	return -1;
}

int
scoreboard_claim_hint(struct scoreboard_head *head, uint32_t limit)
{
	uint32_t words = (limit + 63) / 64;
	int i = -1;

	for (uint32_t f = 0; f * 64 < words && i < 0; f++) {
		uint64_t full = atomic_load(&head->full[f]);

		while (~full && i < 0) {
			uint32_t bit = (uint32_t)__builtin_ctzll(~full);

			if (f * 64 + bit >= words)
				break;
			i = claim_in_word(head, f * 64 + bit, limit);
			full |= (uint64_t)1 << bit;
		}
	}
	for (uint32_t w = 0; w < words && i < 0; w++)
		i = claim_in_word(head, w, limit);
	return i;
}
