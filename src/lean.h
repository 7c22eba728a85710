/*
 * lean.h - lets a process that waits for hours do so in one page.
 *
 * The one idea: the kernel gives a program a stack at the far end of its
 * address space.  It is there with two pages of its own and three more of
 * tables to find them by, 20 KB in all; for a process with a few hundred
 * bytes of data that is most of its memory.  A static program can do without.
 */
#ifndef USHER_LEAN_H
#define USHER_LEAN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * First of all in main(), before anything is mapped: moves the arguments to
 * where they outlive the stack, and argv[] with them.
 */
void lean_begin(int argc, char **argv);

/*
 * Gives back the vdso, by which clock_gettime() must not have been called
 * yet: from here on it must not be at all (clock_us() may be).  Before
 * anything is mapped, unless lean_measure_vdso() was called before that.
 */
void lean_drop_vdso(void);
void lean_measure_vdso(void);

/* Whether clock_gettime() may be called, for the first time, by now. */
bool lean_has_vdso(void);

/*
 * Calls run on a stack of 64 KB in the program's own data, after giving back
 * the kernel's, and shows ps(1) the arguments that lean_begin() has kept.
 * Afterwards the environment is empty, and getauxval() must not be called:
 * what it reads is gone.  Where all that cannot be, run is called as things
 * are.  Exits with 0 when run returns.
 */
_Noreturn void lean_run(void (*run)(void));

/*
 * For a process that does not fork: variables with a value in the source have
 * that value again.
 */
void lean_forget_data(void);

/*
 * For one that will: their page becomes one mapping with those without, so
 * that there is one less to be copied.  Only before the first fork.
 */
void lean_join_data(void);

/*
 * Where the program's own page tables reach, but for what is mapped already:
 * a mapping elsewhere takes 12 KB of them, in this process and in each that
 * it forks.  Hints for mmap(); NULL: it makes no difference.
 *
 * LEAN_PLACES times LEAN_PLACE bytes for what is small, and then what is large.
 */
#define LEAN_PLACES 2
#define LEAN_PLACE ((size_t)64 * 1024)
void *lean_place(unsigned i);

/*
 * Linkers put common storage last.  What is large and seldom touched goes
 * there, so that all that is small is on few pages, the first of which is
 * that of the stack's top.
 */
#define LEAN_ASIDE __attribute__((common))

/* The lowest byte that the stack we are on can have used. */
void *lean_stack_end(void);

/* Gives back what was used of that stack and is not any more. */
void lean_trim(void);

#endif
