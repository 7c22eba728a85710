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

/*
 * Calls run on a stack of 64 KB in the program's own data, after moving the
 * arguments for ps(1) there too and giving back the kernel's stack and vdso.
 * Nothing may be mapped before.  Afterwards the environment is empty, and
 * getauxval() and clock_gettime() must not be called: what they read is gone
 * (clock_us() may be); and variables with a value in the source have that
 * value again.  Where all that cannot be, run is called as things are.
 * Exits with 0 when run returns.
 */
_Noreturn void lean_run(int argc, char **argv, void (*run)(void));

/* Gives back what was used of that stack and is not any more. */
void lean_trim(void);

#endif
