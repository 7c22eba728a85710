/*
 * lean.c - lets a process that waits for hours do so in two pages.
 */
#include "lean.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define TITLE_MAX 512
#define STACK_SIZE (64 * 1024)
/* More than a young stack can be, less than the gap that is below it. */
#define OLD_STACK_MAX (1024 * 1024)
/* More than the vdso or its data; a static program has nothing beside them. */
#define VDSO_MAX (64 * 1024)

/*
 * Switching stacks needs a word of assembler, other libraries keep pointers to
 * what is on the old one, and elsewhere signal handlers return by the vdso.
 */
#if defined(__x86_64__) && defined(__LP64__) && !defined(__GLIBC__)
#define SWITCH "mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1\n\tud2"
#endif

#ifdef SWITCH

static struct {
	void (*run)(void);
	uintptr_t old_end; /* of the old stack */
	uintptr_t vdso; /* where it begins; its data is before that */
	char *title; /* and the new one's first byte, downwards */
} leaving;

static char *no_environment[1];

/* In common storage, as PUMP_MEMORY() of pump.h is. */
extern uint8_t lean_stack[STACK_SIZE];
__attribute__((common, aligned(16))) uint8_t lean_stack[STACK_SIZE];

/*
 * Puts the arguments, which are one after the other, at the end of the last
 * whole page of the new stack: so they share a page with what is used of it.
 * Elsewhere in the program's data ps(1) would not find them, for the kernel
 * shows arguments from anonymous memory only.  Returns their length, or 0.
 */
static size_t
copy_title(int argc, char **argv)
{
	uintptr_t end = (uintptr_t)(lean_stack + STACK_SIZE);
	size_t n;

	if (argc < 1)
		return 0;
	n = (size_t)(argv[argc - 1] - argv[0]) + strlen(argv[argc - 1]) + 1;
	if (n > TITLE_MAX)
		return 0;
	end -= end % (size_t)sysconf(_SC_PAGESIZE);
	leaving.title = (char *)(end - TITLE_MAX);
	memcpy(leaving.title, argv[0], n);
	return n;
}

/*
 * At the very end of the stack is the name that the program was started by,
 * and a null pointer.  Returns 0 if it does not look like that.
 */
static uintptr_t
end_of_stack(void)
{
	const char *name = (const char *)getauxval(AT_EXECFN);
	uintptr_t end;

	if (name == NULL)
		return 0;
	end = (uintptr_t)name + strlen(name) + 1 + sizeof(void *);
	return end % (size_t)sysconf(_SC_PAGESIZE) == 0 ? end : 0;
}

/* Tells the kernel where the arguments are. */
static int
move_title(size_t n)
{
	extern char __executable_start[], _etext[], _edata[], _end[];
	uint64_t title = (uintptr_t)leaving.title;
	struct prctl_mm_map map = {
		.start_code = (uintptr_t)__executable_start,
		.end_code = (uintptr_t)_etext,
		.start_data = (uintptr_t)_etext,
		.end_data = (uintptr_t)_edata,
		.start_brk = (uintptr_t)_end,
		.brk = (uintptr_t)_end,
		.start_stack = title,
		.arg_start = title,
		.arg_end = title + n,
		.env_start = title + n,
		.env_end = title + n,
		.exe_fd = (uint32_t)-1,
	};

	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

/* On the new stack. */
static _Noreturn void
leave(void)
{
	(void)munmap((void *)(leaving.old_end - OLD_STACK_MAX), OLD_STACK_MAX);
	if (leaving.vdso != 0)
		(void)munmap((void *)(leaving.vdso - VDSO_MAX), 2 * VDSO_MAX);
	leaving.run();
	_exit(EXIT_SUCCESS);
}

_Noreturn void
lean_run(int argc, char **argv, void (*run)(void))
{
	size_t n = copy_title(argc, argv);

	leaving.run = run;
	leaving.old_end = end_of_stack();
	leaving.vdso = (uintptr_t)getauxval(AT_SYSINFO_EHDR);
	if (n == 0 || leaving.old_end == 0 || move_title(n) < 0) {
		run();
		_exit(EXIT_SUCCESS);
	}
	environ = no_environment;
	__asm__ volatile(SWITCH : : "r"(leaving.title), "r"(leave) : "memory");
	__builtin_unreachable();
}

#else

_Noreturn void
lean_run(int argc, char **argv, void (*run)(void))
{
	(void)argc;
	(void)argv;
	run();
	_exit(EXIT_SUCCESS);
}

#endif
