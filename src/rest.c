#include "rest.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "lean.h"

#if defined(__x86_64__) && defined(__LP64__) && !defined(__GLIBC__) && \
    !defined(__PIC__)
#define CODE_IN_ONE_PIECE 1
#else
#define CODE_IN_ONE_PIECE 0
#endif

#if CODE_IN_ONE_PIECE

#define PAGE ((uintptr_t)4096)

static inline __attribute__((always_inline)) long
ask(long call, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e)
{
	register uintptr_t r10 __asm__("r10") = d;
	register uintptr_t r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(call), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline __attribute__((always_inline)) void
forget(uintptr_t from, uintptr_t to)
{
	if (from < to)
		(void)ask(SYS_madvise, from, to - from, MADV_DONTNEED, 0, 0);
}

/*
 * Gives back all code but the page that it is in itself, and sleeps there:
 * it calls nobody, and is aligned so that it does not cross into another.
 */
static __attribute__((noinline, aligned(512))) long
sleep_alone(struct pollfd *fds, nfds_t n, const struct timespec *left,
    const sigset_t *mask, uintptr_t stack_end)
{
	extern char __executable_start[], __init_array_start[];
	uintptr_t here = (uintptr_t)sleep_alone & ~(PAGE - 1);
	uintptr_t top = (uintptr_t)__builtin_frame_address(0) - 512;

	top &= ~(PAGE - 1);
	forget(stack_end, top);
	forget((uintptr_t)__executable_start, here);
	forget(here + PAGE, (uintptr_t)__init_array_start & ~(PAGE - 1));
	return ask(SYS_ppoll, (uintptr_t)fds, n, (uintptr_t)left,
	    (uintptr_t)mask, KERNEL_SIGSET);
}

static int
rest(struct pollfd *fds, nfds_t n, struct deadline until,
    const struct scoreboard *board)
{
	struct timespec left;
	const struct timespec *limit = wait_limit(until, &left);
	sigset_t none;
	int r;

	sigemptyset(&none);
	scoreboard_forget(board);
	r = (int)sleep_alone(
	    fds, n, limit, &none, (uintptr_t)lean_stack_end() & ~(PAGE - 1));
	clock_waited();
	return r;
}

#else

static int
rest(struct pollfd *fds, nfds_t n, struct deadline until,
    const struct scoreboard *board)
{
	(void)board;
	return wait_any(fds, n, until);
}

#endif

int
rest_wait(struct pollfd *fds, nfds_t n, struct deadline until,
    const struct scoreboard *board)
{
	struct deadline quiet = deadline_after(clock_us(), REST_AFTER_MS);
	int r = wait_any(fds, n, deadline_first(until, quiet));

	if (r != 0 || deadline_passed(until, clock_us()))
		return r;
	return rest(fds, n, until, board);
}
