/*
 * scoreboard_snapshot.c - a copy for those who only look.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "deadline.h"
#include "scoreboard.h"
#include "scoreboard_inner.h"

/* Reads n bytes at offset at of fd to the same place of the copy. */
static int
copy_part(int fd, void *copy, size_t at, size_t n)
{
	while (n > 0) {
		ssize_t r = pread(fd, (uint8_t *)copy + at, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EPROTO;
		at += (size_t)r;
		n -= (size_t)r;
	}
	return 0;
}

/* Shared memory may hold anything: now strings end, and times are past. */
static void
bound(const struct scoreboard *copy, uint32_t rows, uint32_t high)
{
	int64_t now_us = clock_us();

	for (uint32_t i = 0; i < rows; i++)
		copy->services[i].name[SCOREBOARD_NAME_MAX - 1] = '\0';
	for (uint32_t i = 0; i < high; i++) {
		struct connection *slot = scoreboard_slot(copy, i);

		slot->protocol[sizeof(slot->protocol) - 1] = '\0';
		if (slot->start_us < 0 || slot->start_us > now_us)
			slot->start_us = now_us;
		if (slot->active_us < 0 || slot->active_us > now_us)
			atomic_store(&slot->active_us, now_us);
	}
}

static int
copy_all(const struct scoreboard *copy, int fd)
{
	struct scoreboard_head *head = copy->head;
	uint32_t rows, high, paths;
	int r = copy_part(fd, head, 0, sizeof(*head));

	if (r < 0)
		return r;
	rows = atomic_load(&head->rows);
	high = atomic_load(&head->high);
	paths = atomic_load(&head->paths);
	if (!scoreboard_has_shape(head) || rows > SCOREBOARD_SERVICES ||
	    high > SCOREBOARD_SLOTS)
		return -EPROTO;
	r = copy_part(fd, head, SERVICES_AT, rows * sizeof(struct tally));
	if (r == 0)
		r = copy_part(fd, head, SLOTS_AT, SLOT_AT(high) - SLOTS_AT);
	/* What clients asked for is shown to nobody. */
	if (r == 0)
		r = copy_part(fd, head, PATHS_AT,
		    (paths < high ? paths : high) * sizeof(copy->paths[0]));
	if (r == 0)
		bound(copy, rows, high);
	return r;
}

int
scoreboard_snapshot(struct scoreboard *ret, int fd)
{
	struct scoreboard copy;
	void *memory;
	int r = scoreboard_check_size(fd);

	if (r < 0)
		return r;
	memory = mmap(NULL, BOARD_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	scoreboard_lay_out(&copy, -1, memory);
	r = copy_all(&copy, fd);
	if (r < 0)
		munmap(memory, BOARD_SIZE);
	else
		*ret = copy;
	return r;
}
