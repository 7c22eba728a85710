/*
 * fd.c - descriptors that know their owner.
 */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As many as a message can have: what does not fit is closed by the kernel,
 * which takes as long as the sender likes. */
#define RECEIVE_MAX 253
#define RECEIVE_SPACE CMSG_SPACE(RECEIVE_MAX * sizeof(int))

void
fd_close_auto(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

int
fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

int
fd_sanitise_standard(void)
{
	int fd;

	/* open() returns the lowest free number: stop at the first above 2. */
	do {
		fd = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (fd <= STDERR_FILENO)
			(void)fcntl(fd, F_SETFD, 0);
	} while (fd <= STDERR_FILENO);
	(void)close(fd);
	return 0;
}

int
fd_close_range(int first, int last)
{
	/* By number: musl has no wrapper for it. */
	if (syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0u) < 0)
		return -errno;
	return 0;
}

int
fd_close_from(int first)
{
	return fd_close_range(first, -1);
}

/* Changes one flag with the given pair of fcntl() commands. */
static int
set_flag(int fd, int get, int set, int flag, int on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -errno;
	flags = on ? flags | flag : flags & ~flag;
	if (fcntl(fd, set, flags) < 0)
		return -errno;
	return 0;
}

int
fd_set_cloexec(int fd, int on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int
fd_set_nonblock(int fd, int on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int
fd_set_urgent_inline(int socket, int on)
{
	if (setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

int
fd_set_undelayed(int socket)
{
	int on = 1;

	if (setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

static ssize_t
send_with(int via, const void *bytes, size_t n, int fd, int flags)
{
	_Alignas(max_align_t) char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes,
		.iov_len = n };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;
	ssize_t r;

	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	do
		r = sendmsg(via, &message, MSG_NOSIGNAL | flags);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t
fd_send(int via, const void *bytes, size_t n, int fd)
{
	return send_with(via, bytes, n, fd, 0);
}

ssize_t
fd_send_now(int via, const void *bytes, size_t n, int fd)
{
	return send_with(via, bytes, n, fd, MSG_DONTWAIT);
}

void
fd_close_at_once(int *fd)
{
	static const struct linger off = { 0, 0 };

	if (*fd >= 0)
		(void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	fd_close_auto(fd);
}

/* Keeps the first descriptor of a message, closes the others. */
static int
keep_first(const struct cmsghdr *header)
{
	size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fds[RECEIVE_MAX];

	if (n > RECEIVE_MAX)
		n = RECEIVE_MAX;
	memcpy(fds, CMSG_DATA(header), n * sizeof(int));
	for (size_t i = 1; i < n; i++)
		fd_close_at_once(&fds[i]);
	return n > 0 ? fds[0] : -1;
}

ssize_t
fd_receive(int via, void *bytes, size_t n, int *ret_fd)
{
	_Alignas(max_align_t) char control[RECEIVE_SPACE];
	struct iovec iov = { .iov_base = bytes, .iov_len = n };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	ssize_t r;

	do
		r = recvmsg(via, &message, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	*ret_fd = -1;
	header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS)
		*ret_fd = keep_first(header);
	return r;
}
