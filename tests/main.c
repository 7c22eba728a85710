/*
 * main.c - runs all unit tests, or those of the suite named by CK_RUN_SUITE.
 *
 * Timeouts are there to end what hangs, not to tell fast from slow: a machine
 * that does something else as well, or sanitizers, must not be an error.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#ifdef USHER_SANITIZED
#define TIMEOUT_MULTIPLIER "5"
#else
#define TIMEOUT_MULTIPLIER "1"
#endif

#define SUITE(name) Suite *name##_suite(void);
#include "suites.h"
#undef SUITE

static Suite *(*const suites[])(void) = {
#define SUITE(name) name##_suite,
#include "suites.h"
#undef SUITE
};

/* Seconds for a test that names none: machines may be slow and busy. */
#define PATIENCE "60"

/* What nohup or a shell in the background ignores is no test's business. */
static void
forget_ignored_signals(void)
{
	for (int number = 1; number < SIGRTMIN; number++)
		(void)signal(number, SIG_DFL);
}

int
main(void)
{
	SRunner *runner = srunner_create(NULL);
	int failed;

	forget_ignored_signals();
	(void)setenv("CK_DEFAULT_TIMEOUT", PATIENCE, 0);
	(void)setenv("CK_TIMEOUT_MULTIPLIER", TIMEOUT_MULTIPLIER, 0);
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		srunner_add_suite(runner, suites[i]());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
