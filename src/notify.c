/*
 * notify.c - the sd_notify protocol, without libsystemd.
 */
#include "notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "line.h"

/*
 * Out of the way: the low numbers are given to descriptors that a program
 * after an exec has to find, whatever is there by then.
 */
#define LEAST_FD 64

/* Connected, so that it works after chroot(). */
static int manager = -1;

bool
notify_open(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;
	FD_AUTO int fd = -1;

	notify_close();
	if (n < 2 || n >= sizeof(name.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return false;
	memcpy(name.sun_path, path, n);
	if (path[0] == '@') /* an abstract name has no NUL at its end */
		name.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&name,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		return false;
	manager = fcntl(fd, F_DUPFD_CLOEXEC, LEAST_FD);
	return manager >= 0;
}

void
notify_close(void)
{
	if (manager >= 0)
		close(manager);
	manager = -1;
}

void
notify_send(const char *lines)
{
	if (manager >= 0)
		send(
		    manager, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
notify_reloading(void)
{
	char buffer[64];
	struct line line = LINE(buffer);

	line_text(&line, "RELOADING=1\nMONOTONIC_USEC=");
	line_int(&line, clock_us());
	notify_send(line.text);
}
