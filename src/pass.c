#include "pass.h"

#include <errno.h>
#include <sys/socket.h>

#include "fd.h"

/* A receiver whose backlog is full can only be asked again. */
#define BUSY_RETRY_MS 20

static int
begin(struct pass *pass)
{
	pass->begun = true;
	pass->receiver =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return pass->receiver < 0 ? -errno : 0;
}

static int
try_connect(const struct pass *pass, struct await *await)
{
	if (connect(pass->receiver, &pass->to->any, pass->to->len) == 0)
		return 0;
	if (errno != EAGAIN && errno != EINTR)
		return -errno;
	if (deadline_passed(pass->until, clock_us()))
		return -ETIMEDOUT;
	await->fds[AWAIT_CLIENT].fd = -1;
	await->fds[AWAIT_BACKEND].fd = -1;
	await->until = deadline_first(
	    pass->until, deadline_after(clock_us(), BUSY_RETRY_MS));
	return -EINPROGRESS;
}

static int
send_client(const struct pass *pass)
{
	uint8_t header[PROXY_WRITE_MAX];
	size_t n =
	    proxy_write(2, pass->from, pass->local, pass->extras, header);
	ssize_t sent;
	int r;

	/* Programs expect a socket as it comes from accept(). */
	(void)fd_set_urgent_inline(pass->client, 0);
	r = fd_set_nonblock(pass->client, 0);
	if (r < 0)
		return r;
	sent = fd_send(pass->receiver, header, n, pass->client);
	return sent < 0 ? (int)sent : 0;
}

int
pass_step(struct pass *pass, struct await *await)
{
	int r = pass->begun ? 0 : begin(pass);

	if (r == 0)
		r = try_connect(pass, await);
	if (r == -EINPROGRESS)
		return r;
	if (r == 0)
		r = send_client(pass);
	pass_abandon(pass);
	return r;
}

void
pass_abandon(struct pass *pass)
{
	if (pass->begun)
		fd_close_auto(&pass->receiver);
	pass->receiver = -1;
}
