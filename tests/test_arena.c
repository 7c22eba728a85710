#include <check.h>
#include <stdint.h>
#include <string.h>

#include "arena.h"

static int
is_all(const unsigned char *bytes, size_t n, unsigned char byte)
{
	while (n > 0 && bytes[n - 1] == byte)
		n--;
	return n == 0;
}

START_TEST(pieces_are_zero_and_apart)
{
	struct arena *arena = arena_new();
	unsigned char *pieces[200];

	ck_assert_ptr_nonnull(arena);
	for (size_t i = 0; i < 200; i++) {
		size_t size = i * 37 + 1;

		pieces[i] = arena_alloc(arena, size);
		ck_assert_ptr_nonnull(pieces[i]);
		ck_assert_uint_eq((uintptr_t)pieces[i] % 8, 0);
		ck_assert(is_all(pieces[i], size, 0));
		memset(pieces[i], (int)i, size);
	}
	for (size_t i = 0; i < 200; i++)
		ck_assert(is_all(pieces[i], i * 37 + 1, (unsigned char)i));
	arena_free(arena);
}
END_TEST

START_TEST(arrays_keep_what_they_held)
{
	struct arena *arena = arena_new();
	uint32_t *array = NULL;

	for (uint32_t n = 0; n < 50000; n++) {
		array = arena_grow(
		    arena, array, n * sizeof(*array), (n + 1) * sizeof(*array));
		if (array == NULL || array[n] != 0)
			ck_abort_msg("no room, or not zeroed, at %u", n);
		array[n] = n;
		/* Somebody else's piece in between, now and then. */
		if (n % 1000 == 0)
			ck_assert_ptr_nonnull(arena_alloc(arena, 24));
	}
	for (uint32_t n = 0; n < 50000; n++)
		if (array[n] != n)
			ck_abort_msg("lost %u", n);
	ck_assert_uint_lt(arena_used(arena), 64 * 50000 * sizeof(*array));
	arena_free(arena);
}
END_TEST

START_TEST(refuses_what_cannot_be)
{
	struct arena *arena = arena_new();

	ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX / 2));
	ck_assert_ptr_null(arena_grow(arena, NULL, 0, SIZE_MAX - 3));
	ck_assert_str_eq(arena_text(arena, "text and more", 4), "text");
	arena_free(arena);
	arena_free(NULL);
}
END_TEST

Suite *arena_suite(void);

Suite *
arena_suite(void)
{
	Suite *suite = suite_create("arena");
	TCase *tests = tcase_create("arena");

	tcase_add_test(tests, pieces_are_zero_and_apart);
	tcase_add_test(tests, arrays_keep_what_they_held);
	tcase_add_test(tests, refuses_what_cannot_be);
	suite_add_tcase(suite, tests);
	return suite;
}
