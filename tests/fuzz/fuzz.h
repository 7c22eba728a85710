/*
 * fuzz.h - what a fuzzer gives to libFuzzer, or to replay.c.
 *
 * A fuzzer aborts when a property does not hold.  It needs no corpus, but
 * tests/fuzz/corpus and tests/vectors save it from finding all by itself.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* All prefixes of short inputs, some of long ones: speed finds more. */
#define FUZZ_STEP(n) (1 + (n) / 24)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#endif
