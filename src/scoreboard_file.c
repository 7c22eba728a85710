/*
 * scoreboard_file.c - where the scoreboard lives and who may use it.
 *
 * The owner holds a POSIX record lock (F_SETLK) on the file.  It is the only
 * kind that fits: it belongs to the process, so fork() does not pass it on
 * and the kernel drops it when the keeper dies, however it dies.  flock() and
 * open file description locks belong to the open file, which every relay
 * keeps: they would be held until the last connection of a dead keeper ends.
 * It also survives exec, and the kernel says whose it is.
 */
#include "scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "lean.h"
#include "scoreboard_inner.h"

#define FILE_MODE 0640
/* A file is replaced at most so often while we look. */
#define OPEN_TRIES 16

int
scoreboard_provide(const struct scoreboard *board, size_t at, size_t n)
{
	while (fallocate(board->fd, 0, (off_t)at, (off_t)n) < 0) {
		if (errno == EOPNOTSUPP || errno == ENOSYS)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

void
scoreboard_lay_out(struct scoreboard *ret, int fd, void *memory)
{
	uint8_t *bytes = memory;

	ret->fd = fd;
	ret->head = memory;
	ret->sources = (void *)(bytes + SOURCES_AT);
	ret->services = (void *)(bytes + SERVICES_AT);
	ret->slots = bytes + SLOTS_AT;
	ret->asked = (void *)(bytes + ASKED_AT);
	ret->paths = (void *)(bytes + PATHS_AT);
	ret->backends = (void *)(bytes + BACKENDS_AT);
}

bool
scoreboard_has_shape(const struct scoreboard_head *head)
{
	return head->magic == SCOREBOARD_MAGIC &&
	    head->version == SCOREBOARD_VERSION &&
	    head->size_of_slot == CONNECTION_SIZE &&
	    head->slots == SCOREBOARD_SLOTS &&
	    head->services == SCOREBOARD_SERVICES &&
	    head->sources == SCOREBOARD_SOURCES;
}

int
scoreboard_check_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != (off_t)BOARD_SIZE)
		return -EPROTO;
	return 0;
}

static int
map_memory(struct scoreboard *ret, int fd)
{
	void *memory = mmap(lean_place(LEAN_PLACES), BOARD_SIZE,
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	scoreboard_lay_out(ret, fd, memory);
	return 0;
}

int
scoreboard_map(struct scoreboard *ret, int fd)
{
	struct scoreboard board = { .fd = -1 };
	int r = scoreboard_check_size(fd);

	if (r < 0)
		return r;
	r = map_memory(&board, fd);
	if (r < 0)
		return r;
	if (!scoreboard_has_shape(board.head)) {
		munmap(board.head, BOARD_SIZE);
		return -EPROTO;
	}
	*ret = board;
	return 0;
}

void
scoreboard_set_shape(struct scoreboard_head *head)
{
	head->version = SCOREBOARD_VERSION;
	head->size_of_slot = CONNECTION_SIZE;
	head->slots = SCOREBOARD_SLOTS;
	head->services = SCOREBOARD_SERVICES;
	head->sources = SCOREBOARD_SOURCES;
	/* Last: a file without it is replaced, not used. */
	atomic_thread_fence(memory_order_release);
	head->magic = SCOREBOARD_MAGIC;
}

/* Writes the head of an empty scoreboard.  0 or -errno. */
static int
fill_head(struct scoreboard_head *head)
{
	const size_t n = sizeof(head->key);

	if (getrandom(head->key, n, 0) != (ssize_t)n)
		return -EIO;
	head->start_us = clock_us();
	scoreboard_set_shape(head);
	return 0;
}

/* Makes an empty scoreboard of an empty file.  0 or -errno. */
static int
fill(int fd)
{
	struct scoreboard board = { .fd = -1 };
	int r;

	if (ftruncate(fd, (off_t)BOARD_SIZE) < 0)
		return -errno;
	r = map_memory(&board, fd);
	if (r < 0)
		return r;
	r = scoreboard_provide(&board, 0, SERVICES_AT);
	/* With less it would be of no use to anybody. */
	if (r == 0)
		r = scoreboard_provide(
		    &board, SLOTS_AT, CHUNK * CONNECTION_SIZE);
	if (r == 0)
		r = scoreboard_provide(&board, BACKENDS_OF(SCOREBOARD_SERVICES),
		    sizeof(struct backends));
	if (r == 0)
		r = fill_head(board.head);
	munmap(board.head, BOARD_SIZE);
	return r;
}

/* Whether what is in the file can be taken over. */
static bool
is_usable(int fd)
{
	struct scoreboard board = { .fd = -1 };
	bool ours;

	if (scoreboard_map(&board, fd) < 0)
		return false;
	/* A directory that outlived a reboot: its clock was another. */
	ours = board.head->start_us <= clock_us() &&
	    atomic_load(&board.head->rows) <= SCOREBOARD_SERVICES &&
	    atomic_load(&board.head->high) <= SCOREBOARD_SLOTS &&
	    atomic_load(&board.head->asked) <= SCOREBOARD_SLOTS &&
	    atomic_load(&board.head->paths) <= SCOREBOARD_SLOTS;
	munmap(board.head, BOARD_SIZE);
	return ours;
}

static int
lock(int fd, int32_t *ret_owner)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int r;

	if (fcntl(fd, F_SETLK, &whole) == 0)
		return 0;
	r = -errno;
	if (r != -EAGAIN && r != -EACCES)
		return r;
	*ret_owner = 0;
	if (fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK)
		*ret_owner = whole.l_pid > 0 ? whole.l_pid : 0;
	return -EBUSY;
}

/* Moves *fd to the number at, if that is one. */
static int
place(int *fd, int at)
{
	if (at < 0 || *fd == at)
		return 0;
	if (dup3(*fd, at, O_CLOEXEC) < 0)
		return -errno;
	close(*fd);
	*fd = at;
	return 0;
}

/* Whether fd is still what the directory calls by our name. */
static bool
is_current(int directory, int fd)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 &&
	    fstatat(directory, SCOREBOARD_FILE, &named, AT_SYMLINK_NOFOLLOW) ==
	    0 &&
	    ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/*
 * One try: opens, locks and if need be fills the file.  Returns it, or
 * -ESTALE if it was replaced meanwhile or had to be put out of the way.
 */
static int
open_once(int directory, int at, int32_t *ret_owner)
{
	struct stat st;
	FD_AUTO int fd = openat(directory, SCOREBOARD_FILE,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
	int r;

	if (fd < 0)
		return -errno;
	r = place(&fd, at);
	if (r == 0)
		r = lock(fd, ret_owner);
	if (r < 0)
		return r;
	if (!is_current(directory, fd) || fstat(fd, &st) < 0)
		return -ESTALE;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size == 0) {
		r = fchmod(fd, FILE_MODE) < 0 ? -errno : fill(fd);
		return r < 0 ? r : fd_take(&fd);
	}
	if (is_usable(fd))
		return fd_take(&fd);
	/* Not shortened but unlinked: somebody may have it mapped. */
	if (unlinkat(directory, SCOREBOARD_FILE, 0) < 0 && errno != ENOENT)
		return -errno;
	return -ESTALE;
}

static int
open_file(const char *path, int at, int32_t *ret_owner)
{
	FD_AUTO int directory = open(path, O_DIRECTORY | O_PATH | O_CLOEXEC);
	int r = -ESTALE;

	if (directory >= 0 && directory == at) {
		directory = fcntl(at, F_DUPFD_CLOEXEC, at + 1);
		(void)close(at); /* where the file is to be */
	}
	if (directory < 0)
		return -errno;
	for (int i = 0; i < OPEN_TRIES && r == -ESTALE; i++)
		r = open_once(directory, at, ret_owner);
	return r;
}

static int
open_anonymous(int at)
{
	FD_AUTO int fd =
	    memfd_create("usher-scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = place(&fd, at);
	if (r == 0)
		r = fill(fd);
	if (r < 0)
		return r;
	/* Shrinking it would be a SIGBUS for everybody. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
	    0)
		return -errno;
	return fd_take(&fd);
}

int
scoreboard_open(
    struct scoreboard *ret, const char *directory, int at, int32_t *ret_owner)
{
	FD_AUTO int fd = directory ? open_file(directory, at, ret_owner) :
				     open_anonymous(at);
	int r;

	if (fd < 0)
		return fd;
	r = scoreboard_map(ret, fd);
	if (r < 0)
		return r;
	atomic_store(&ret->head->keeper, getpid());
	atomic_store(&ret->head->told, 0);
	fd_take(&fd);
	return 0;
}

void
scoreboard_forget(const struct scoreboard *board)
{
	(void)madvise(board->head, BOARD_SIZE, MADV_DONTNEED);
}

void
scoreboard_close(struct scoreboard *board)
{
	munmap(board->head, BOARD_SIZE);
	if (board->fd >= 0)
		close(board->fd);
	board->fd = -1;
}
