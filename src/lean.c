/*
 * lean.c - lets a process that waits for hours do so in one page.
 */
#include "lean.h"

#include <errno.h>
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
#define PAGE_MAX 4096
/* More than a young stack can be, less than the gap that is below it. */
#define OLD_STACK_MAX (1024 * 1024)
/* More than anybody here has used of it, less than the gap. */
#define OLD_STACK_USED (128 * 1024)
/* More than the vdso or its data. */
#define VDSO_MAX (64 * 1024)

/*
 * Switching stacks needs a word of assembler, other libraries keep pointers to
 * what is on the old one, and elsewhere signal handlers return by the vdso.
 * A program that moves itself at its start must keep its data as it made it.
 */
#if defined(__x86_64__) && defined(__LP64__) && !defined(__GLIBC__) && \
    !defined(__PIC__)
#define SWITCH "mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1\n\tud2"
#endif

#ifndef __GLIBC__
static uintptr_t
page_size(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE);
}
#endif

#ifdef SWITCH

/*
 * Linkers put .dynbss first in .bss.  So the stack's top, 1.75 KB of its last
 * page, is followed on that page by all variables that are small, the title
 * among them; and .bss begins on a page of its own, behind that of .data.
 */
#define STACK_SIZE (64 * 1024 + 1792)
__asm__(".pushsection .dynbss,\"aw\",@nobits\n"
	".balign 4096\n"
	"lean_stack: .skip 64 * 1024 + 1792\n"
	".popsection");
extern uint8_t lean_stack[STACK_SIZE];

static struct {
	void (*run)(void);
	uintptr_t old_end; /* of the old stack */
} leaving;

/* Not in .data: ps(1) gets to see arguments in anonymous memory only. */
static char title[TITLE_MAX];
static size_t title_size; /* 0: it does not fit */

static char *no_environment[1];

/* The arguments are one after the other. */
static void
keep_title(int argc, char **argv)
{
	const char *first = argv[0];
	size_t n =
	    (size_t)(argv[argc - 1] - first) + strlen(argv[argc - 1]) + 1;

	if (n > TITLE_MAX)
		return;
	memcpy(title, first, n);
	for (int i = 0; i < argc; i++)
		argv[i] = title + (argv[i] - first);
	title_size = n;
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
	return end % page_size() == 0 ? end : 0;
}

/*
 * Where the vdso is, with its data, which is before it: a static program has
 * nothing beside them but the stack, which they can follow at once, where the
 * kernel does not put them among the mappings.  to == 0: it is not there.
 */
static struct {
	uintptr_t from, to;
} vdso;

static void
find_vdso(void)
{
	uintptr_t at = (uintptr_t)getauxval(AT_SYSINFO_EHDR);
	uintptr_t stack = end_of_stack();

	if (at == 0 || stack == 0)
		return;
	vdso.from = at - VDSO_MAX;
	vdso.to = at + VDSO_MAX;
	if (stack <= at && stack > vdso.from)
		vdso.from = stack;
}

void
lean_begin(int argc, char **argv)
{
	if (argc > 0)
		keep_title(argc, argv);
	find_vdso();
}

/* By advice that changes nothing: a unit's filter may not know mincore(). */
static bool
is_mapped(uintptr_t page)
{
	return madvise((void *)page, page_size(), MADV_NORMAL) == 0 ||
	    errno != ENOMEM;
}

void
lean_measure_vdso(void)
{
	while (vdso.from < vdso.to && !is_mapped(vdso.from))
		vdso.from += page_size();
	while (vdso.from < vdso.to && !is_mapped(vdso.to - page_size()))
		vdso.to -= page_size();
}

void
lean_drop_vdso(void)
{
	if (vdso.to == 0)
		return;
	(void)munmap((void *)vdso.from, vdso.to - vdso.from);
	vdso.to = 0;
}

bool
lean_has_vdso(void)
{
	return vdso.to != 0;
}

/* The page of at, or of the byte before it if it is a page's first. */
static void *
page_before(const void *at)
{
	return (void *)(((uintptr_t)at - 1) & ~(page_size() - 1));
}

/* Tells the kernel where the arguments are. */
static int
move_title(void)
{
	extern char __executable_start[], _etext[], _edata[], _end[];
	uint64_t arg = (uintptr_t)title;
	struct prctl_mm_map map = {
		.start_code = (uintptr_t)__executable_start,
		.end_code = (uintptr_t)_etext,
		.start_data = (uintptr_t)_etext,
		.end_data = (uintptr_t)_edata,
		.start_brk = (uintptr_t)_end,
		.brk = (uintptr_t)_end,
		.start_stack = (uintptr_t)(lean_stack + STACK_SIZE),
		.arg_start = arg,
		.arg_end = arg + title_size,
		.env_start = arg + title_size,
		.env_end = arg + title_size,
		.exe_fd = (uint32_t)-1,
	};

	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

/* Without what was written to it the page is the file's, that all share. */
void
lean_forget_data(void)
{
	extern char _edata[];
	uint8_t *page = page_before(_edata);

	if (page + page_size() <= lean_stack)
		(void)madvise(page, page_size(), MADV_DONTNEED);
}

/* Meanwhile variables with a value have none. */
void
lean_join_data(void)
{
	extern char _edata[];
	uint8_t *page = page_before(_edata), copy[PAGE_MAX];
	size_t n = page_size();

	if (n > sizeof(copy) || page + n != lean_stack)
		return;
	memcpy(copy, page, n);
	if (mmap(page, n, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page)
		memcpy(page, copy, n);
}

/* On the new stack. */
static _Noreturn void
leave(void)
{
	(void)munmap((void *)(leaving.old_end - OLD_STACK_MAX), OLD_STACK_MAX);
	leaving.run();
	_exit(EXIT_SUCCESS);
}

void *
lean_stack_end(void)
{
	uint8_t *here = (uint8_t *)__builtin_frame_address(0);

	return here >= lean_stack && here < lean_stack + STACK_SIZE ?
	    lean_stack :
	    here - OLD_STACK_USED;
}

void
lean_trim(void)
{
	/* Below this there is at most the frame of madvise(). */
	uint8_t *here = (uint8_t *)__builtin_frame_address(0) - 512;
	uint8_t *page = page_before(here + 1);

	if (here < lean_stack || here >= lean_stack + STACK_SIZE)
		return;
	(void)madvise(lean_stack, (size_t)(page - lean_stack), MADV_DONTNEED);
}

_Noreturn void
lean_run(void (*run)(void))
{
	leaving.run = run;
	leaving.old_end = end_of_stack();
	if (title_size == 0 || leaving.old_end == 0 || move_title() < 0) {
		run();
		_exit(EXIT_SUCCESS);
	}
	environ = no_environment;
	__asm__ volatile(SWITCH
			 :
			 : "r"(lean_stack + STACK_SIZE), "r"(leave)
			 : "memory");
	__builtin_unreachable();
}

#else

void
lean_begin(int argc, char **argv)
{
	(void)argc;
	(void)argv;
}

void
lean_drop_vdso(void)
{
}

void
lean_measure_vdso(void)
{
}

bool
lean_has_vdso(void)
{
	return true;
}

_Noreturn void
lean_run(void (*run)(void))
{
	run();
	_exit(EXIT_SUCCESS);
}

void
lean_forget_data(void)
{
}

void
lean_join_data(void)
{
}

void *
lean_stack_end(void)
{
	return __builtin_frame_address(0);
}

void
lean_trim(void)
{
}

#endif

void *
lean_place(unsigned i)
{
#ifdef __GLIBC__
	(void)i;
	return NULL;
#else
	extern char _end[];
	uintptr_t end = (uintptr_t)_end;

	return (void *)(end + -end % page_size() + i * LEAN_PLACE);
#endif
}
