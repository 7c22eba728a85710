/*
 * lean.c - whether giving memory back hits the right memory.
 *
 *   lean WHEN         gives back the vdso at once, "late", when others are
 *                     mapped beside it, or "never"
 *   lean WHEN PAGES   the same with a vdso that is so many pages above the
 *                     stack, where kernels put it before they put it among
 *                     the mappings
 *
 * Exits with 77 where nothing is given back, or the kernel does not let the
 * vdso be moved.
 */
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "deadline.h"
#include "lean.h"

#define AREAS_MAX 4 /* [vvar] and what is like it, [vdso] */
#define EXIT_SKIP 77
#define NEIGHBOURS 32 /* pages */

struct area {
	uintptr_t from, to;
};

static struct {
	struct area areas[AREAS_MAX];
	int n;
	struct area stack;
} at;

static _Noreturn void
say(const char *text, int status)
{
	dprintf(STDOUT_FILENO, "%s\n", text);
	_exit(status);
}

/* No stdio: it would map memory of its own next to what is looked for. */
static void
read_maps(void)
{
	static char text[65536];
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t n = 0;
	ssize_t r;

	while (n < sizeof(text) - 1 &&
	    (r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	(void)close(fd);
	text[n] = '\0';
	at.n = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *end;
		struct area area;

		area.from = strtoul(line, &end, 16);
		area.to = strtoul(end + 1, NULL, 16);
		if (strstr(line, "[stack]") != NULL)
			at.stack = area;
		if (strstr(line, "[vvar") == NULL &&
		    strstr(line, "[vdso]") == NULL)
			continue;
		if (at.n < AREAS_MAX)
			at.areas[at.n++] = area;
	}
}

static void
move(struct area *area, uintptr_t to)
{
	size_t n = area->to - area->from;

	if (mremap((void *)area->from, n, n, MREMAP_MAYMOVE | MREMAP_FIXED,
		to) == MAP_FAILED)
		say("this kernel does not let the vdso be moved", EXIT_SKIP);
	area->from = to;
	area->to = to + n;
}

/* As if the kernel had put it there. */
static void
move_above_stack(uintptr_t pages)
{
	uintptr_t to = at.stack.to + pages * (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t vdso = getauxval(AT_SYSINFO_EHDR), moved = 0;
	char **end = environ;
	ElfW(auxv_t) * entry;

	for (int i = 0; i < at.n; i++) {
		if (at.areas[i].from == vdso)
			moved = to;
		move(&at.areas[i], to);
		to = at.areas[i].to;
	}
	while (*end != NULL)
		end++;
	for (entry = (void *)(end + 1); entry->a_type != AT_NULL; entry++)
		if (entry->a_type == AT_SYSINFO_EHDR)
			entry->a_un.a_val = moved;
	if (moved == 0 || getauxval(AT_SYSINFO_EHDR) != moved)
		say("there is no vdso", EXIT_SKIP);
}

static void
on_new_stack(void)
{
	read_maps();
	if (at.n != 0)
		say("the vdso is still there", EXIT_FAILURE);
	if (at.stack.to != 0)
		say("the stack is still there", EXIT_FAILURE);
	say("all is given back", EXIT_SUCCESS);
}

static void
on_new_stack_with_clock(void)
{
	if (clock_us() <= 0)
		say("the clock has stopped", EXIT_FAILURE);
	read_maps();
	if (at.n == 0)
		say("the vdso is gone", EXIT_FAILURE);
	say("the vdso is there", EXIT_SUCCESS);
}

/* What was mapped after it was measured stays. */
static void
drop_late(void)
{
	uint8_t *pages[NEIGHBOURS];
	size_t n = (size_t)sysconf(_SC_PAGESIZE);

	lean_measure_vdso();
	for (int i = 0; i < NEIGHBOURS; i++)
		pages[i] = mmap(NULL, n, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	lean_drop_vdso();
	for (int i = 0; i < NEIGHBOURS; i++)
		*pages[i] = 1;
}

int
main(int argc, char **argv)
{
	const char *when = argc > 1 ? argv[1] : "";

#ifdef __GLIBC__
	say("nothing is given back here", EXIT_SKIP);
#endif
	read_maps();
	if (at.n == 0 || at.stack.to == 0)
		say("there is no vdso", EXIT_SKIP);
	if (argc > 2)
		move_above_stack(strtoul(argv[2], NULL, 10));
	lean_begin(argc, argv);
	if (strcmp(when, "never") == 0) {
		clock_by_vdso();
		at.stack.to = 0;
		lean_run(on_new_stack_with_clock);
	}
	if (strcmp(when, "late") == 0)
		drop_late();
	else
		lean_drop_vdso();
	at.stack.to = 0;
	lean_run(on_new_stack);
}
