/*
 * sandbox_seccomp.c - turns a list into a filter (seccomp(2)).
 *
 * Calls that are allowed whatever their arguments, and wherever they come
 * from, cost next to nothing: the kernel finds that out when the filter is
 * installed and asks no more.  So these come before the one place at which
 * usherd's and usher-relay's part; else rows need no clever order.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox_inner.h"

#if defined(__x86_64__) && !defined(__ILP32__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#define PROGRAM_MAX 768
/* JEQ, a load, an AND and a JEQ for each check, RET, load again. */
#define ROW_MAX (3 + 3 * CHECKS_MAX)

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short n;
};

static void
add(struct program *program, unsigned code, unsigned yes, unsigned no,
    uint32_t k)
{
	program->code[program->n++] = (struct sock_filter){ (uint16_t)code,
		(uint8_t)yes, (uint8_t)no, k };
}

static void
load(struct program *program, size_t offset)
{
	add(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void
load_call(struct program *program)
{
	load(program, offsetof(struct seccomp_data, nr));
}

#ifdef OUR_ARCH

/*
 * Whoever installs the filter, and who has started it, are not to be told to
 * end by those who inherit it: the acceptor and the keeper.
 */
static void
spare_elders(struct program *program)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, SYS_kill);
	load(program, offsetof(struct seccomp_data, args));
	add(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (uint32_t)getpid());
	add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)getppid());
	add(program, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	load_call(program);
}

#endif

static unsigned
size_of_check(const struct check *check)
{
	return check->mask == UINT32_MAX ? 2 : 3;
}

/* Goes on if the check holds, else skips what is left of the row. */
static void
add_check(struct program *program, const struct check *check, unsigned left)
{
	/* The low half of an argument comes first on these processors. */
	load(program,
	    offsetof(struct seccomp_data, args) +
		check->arg * sizeof(uint64_t));
	if (check->mask != UINT32_MAX)
		add(program, BPF_ALU | BPF_AND | BPF_K, 0, 0, check->mask);
	if (check->differs)
		add(program, BPF_JMP | BPF_JEQ | BPF_K, left, 0, check->value);
	else
		add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, left, check->value);
}

/* The accumulator holds the call's number before and after each row. */
static void
add_row(struct program *program, const struct row *row)
{
	unsigned left = 1; /* RET */

	for (size_t i = 0; i < CHECKS_MAX && row->checks[i].mask; i++)
		left += size_of_check(&row->checks[i]);
	add(program, BPF_JMP | BPF_JEQ | BPF_K, 0,
	    row->checks[0].mask ? left + 1 : left, row->call);
	for (size_t i = 0; i < CHECKS_MAX && row->checks[i].mask; i++) {
		left -= size_of_check(&row->checks[i]);
		add_check(program, &row->checks[i], left);
	}
	add(program, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	if (row->checks[0].mask)
		load_call(program);
}

#ifdef OUR_ARCH

static int
add_rows(
    struct program *program, const struct row *rows, size_t n, unsigned when)
{
	for (size_t i = 0; i < n; i++) {
		if (program->n + ROW_MAX >= PROGRAM_MAX)
			return -E2BIG;
		if ((rows[i].when & when) == rows[i].when)
			add_row(program, &rows[i]);
	}
	return 0;
}

/* Whether the children's relays are to be held by the same filter. */
static bool
holds_heirs(const struct list *list, unsigned when)
{
	return RELAY_BASE != 0 && list->n_heir_rows > 0 && when & WHEN_ALONE;
}

/*
 * What comes from usher-relay's code, or from nowhere, has its own rows and
 * ends there.  Nothing but their code can be executed in either program: the
 * vdso is gone, and nothing can be mapped as code.
 */
static int
add_heirs(struct program *program, const struct list *list, unsigned when)
{
	const size_t at = offsetof(struct seccomp_data, instruction_pointer);
	struct sock_filter *below;
	int r;

	/* The low half comes first here, too. */
	load(program, at + sizeof(uint32_t));
	add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0);
	load(program, at);
	below = &program->code[program->n];
	add(program, BPF_JMP | BPF_JGE | BPF_K, 0, 0, RELAY_BASE);
	load_call(program);
	r = add_rows(program, list->heir_rows, list->n_heir_rows, when);
	if (r < 0)
		return r;
	add(program, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	below->jf = (uint8_t)(&program->code[program->n] - below - 1);
	load_call(program);
	return 0;
}

/* Writes the program of an empty one.  0 or -E2BIG. */
static int
assemble(struct program *program, const struct list *list, unsigned when)
{
	const size_t n = list->n_common;
	int r;

	load(program, offsetof(struct seccomp_data, arch));
	add(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, OUR_ARCH);
	add(program, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	load_call(program);
	r = add_rows(program, list->rows, n, when);
	if (r == 0 && holds_heirs(list, when))
		r = add_heirs(program, list, when);
	if (r < 0)
		return r;
	if (list->spares_elders)
		spare_elders(program);
	r = add_rows(program, list->rows + n, list->n - n, when);
	if (r < 0)
		return r;
	add(program, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	return 0;
}

static int
install(const struct program *program)
{
	const struct sock_fprog filter = {
		.len = program->n,
		.filter = (struct sock_filter *)(uintptr_t)program->code,
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0)
		return SANDBOX_SECCOMP;
	return errno == ENOSYS ? 0 : -errno;
}

int
seccomp_enforce(const struct list *list, unsigned when)
{
	/* Given back at once: a relay counts its pages. */
	struct program *program = mmap(NULL, sizeof(*program),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (program == MAP_FAILED)
		return -errno;
	r = assemble(program, list, when);
	if (r == 0)
		r = install(program);
	if (r > 0 && holds_heirs(list, when))
		r |= SANDBOX_HEIR;
	(void)munmap(program, sizeof(*program));
	return r;
}

#else

int
seccomp_enforce(const struct list *list, unsigned when)
{
	(void)list;
	(void)when;
	(void)add_row;
	return 0;
}

#endif
