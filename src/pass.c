#include "pass.h"

#include <errno.h>
#include <sys/socket.h>

#include "fd.h"
#include "waits.h"

/* A receiver whose backlog is full can only be asked again. */
#define BUSY_RETRY_MS 20

static int
connect_before(int receiver, const struct addr *to, struct deadline until)
{
	while (connect(receiver, &to->any, to->len) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (deadline_passed(until, clock_us()))
			return -ETIMEDOUT;
		(void)wait_any(NULL, 0,
		    deadline_first(
			until, deadline_after(clock_us(), BUSY_RETRY_MS)));
	}
	return 0;
}

int
pass_socket(const struct addr *to, int client, const struct addr *from,
    const struct addr *local, const struct proxy_extras *extras,
    struct deadline until)
{
	FD_AUTO int receiver =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uint8_t header[PROXY_WRITE_MAX];
	size_t n = proxy_write(2, from, local, extras, header);
	ssize_t sent;
	int r;

	if (receiver < 0)
		return -errno;
	r = connect_before(receiver, to, until);
	if (r < 0)
		return r;
	/* Programs expect a socket as it comes from accept(). */
	(void)fd_set_urgent_inline(client, 0);
	r = fd_set_nonblock(client, 0);
	if (r < 0)
		return r;
	sent = fd_send(receiver, header, n, client);
	return sent < 0 ? (int)sent : 0;
}
