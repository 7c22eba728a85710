/*
 * batch.c - connections on their way from a worker to usher-relay.
 */
#include "batch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FORMAT 1

struct batch_head {
	uint32_t format, n;
	int32_t owner;
	uint32_t n_fds;
};

/* handover_pack()'s, then start_us. */
#define NUMBERS (HANDOVER_NUMBERS + 1)

struct message {
	struct batch_head head;
	int64_t items[BATCH_MAX][NUMBERS];
};

/* Room for as many as the kernel ever sends, so that none is cut off. */
#define FDS_MAX 253

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

_Static_assert(BATCH_FDS <= FDS_MAX, "more than a message can carry");

void
batch_add(struct batch *batch, const struct handover *handover,
    int64_t start_us, const struct relay *relay)
{
	struct batch_item *item = &batch->items[batch->n++];

	*item = (struct batch_item){
		.handover = *handover,
		.start_us = start_us,
		.client = relay->up.from,
		.backend = relay->down.from,
	};
	item->handover.options = relay->options;
	relay_save(relay, &item->handover.state);
	memcpy(item->up_pipe, relay->up.pipe, sizeof(item->up_pipe));
	memcpy(item->down_pipe, relay->down.pipe, sizeof(item->down_pipe));
}

/* The descriptors of an item, in their order.  Returns how many. */
static size_t
list_fds(struct batch_item *item, int *list[6])
{
	const struct relay_state *state = &item->handover.state;
	size_t n = 0;

	list[n++] = &item->client;
	list[n++] = &item->backend;
	for (int end = 0; end < 2 && state->up_held > 0; end++)
		list[n++] = &item->up_pipe[end];
	for (int end = 0; end < 2 && state->down_held > 0; end++)
		list[n++] = &item->down_pipe[end];
	return n;
}

/* Fills the message and returns how many descriptors go with it. */
static size_t
fill(struct message *message, int fds[BATCH_FDS], const struct batch *batch)
{
	size_t n_fds = 0;

	for (size_t i = 0; i < batch->n; i++) {
		struct batch_item item = batch->items[i];
		int *list[6];
		size_t n = list_fds(&item, list);

		handover_pack(&item.handover, message->items[i]);
		message->items[i][HANDOVER_NUMBERS] = item.start_us;
		for (size_t k = 0; k < n; k++)
			fds[n_fds++] = *list[k];
	}
	message->head = (struct batch_head){
		.format = FORMAT,
		.n = (uint32_t)batch->n,
		.owner = batch->owner,
		.n_fds = (uint32_t)n_fds,
	};
	return n_fds;
}

int
batch_send(int via, const struct batch *batch)
{
	struct message message;
	union control control;
	int fds[BATCH_FDS];
	size_t n_fds = fill(&message, fds, batch);
	struct iovec iov = {
		.iov_base = &message,
		.iov_len = offsetof(struct message, items) +
		    batch->n * sizeof(message.items[0]),
	};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = (socklen_t)CMSG_SPACE(n_fds * sizeof(int)),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = (socklen_t)CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
	if (sendmsg(via, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}

/* The descriptors that came along.  Returns how many. */
static size_t
take_fds(struct msghdr *header, int fds[FDS_MAX])
{
	struct cmsghdr *at = CMSG_FIRSTHDR(header);
	size_t n;

	if (at == NULL || at->cmsg_level != SOL_SOCKET ||
	    at->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(at), n * sizeof(int));
	return n;
}

/* Reads the items; *ret_fds is how many descriptors they should have. */
static int
read_items(const struct message *message, size_t size, struct batch *ret,
    size_t *ret_fds)
{
	const struct batch_head *head = &message->head;

	ret->n = 0;
	*ret_fds = 0;
	if (size < sizeof(*head) || head->format != FORMAT ||
	    head->n > BATCH_MAX || head->owner <= 0 ||
	    size !=
		offsetof(struct message, items) +
		    head->n * sizeof(message->items[0]))
		return -EPROTO;
	ret->owner = head->owner;
	for (size_t i = 0; i < head->n; i++) {
		struct batch_item item = {
			.up_pipe = { -1, -1 },
			.down_pipe = { -1, -1 },
		};
		int *list[6];

		if (handover_unpack(message->items[i], &item.handover) < 0)
			return -EPROTO;
		item.start_us = message->items[i][HANDOVER_NUMBERS];
		*ret_fds += list_fds(&item, list);
		ret->items[ret->n++] = item;
	}
	return 0;
}

static void
deal_out(struct batch *batch, const int *fds)
{
	for (size_t i = 0; i < batch->n; i++) {
		int *list[6];
		size_t n = list_fds(&batch->items[i], list);

		for (size_t k = 0; k < n; k++)
			*list[k] = *fds++;
	}
}

int
batch_receive(int via, struct batch *ret)
{
	struct message message;
	union control control;
	struct iovec iov = {
		.iov_base = &message,
		.iov_len = sizeof(message),
	};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fds[FDS_MAX];
	size_t n_fds, expected;
	ssize_t size = recvmsg(via, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int r;

	if (size < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (size == 0)
		return 0;
	n_fds = take_fds(&header, fds);
	r = read_items(&message, (size_t)size, ret, &expected);
	if (r == 0 && n_fds == expected &&
	    !(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		deal_out(ret, fds);
		return 1;
	}
	for (size_t i = 0; i < n_fds; i++)
		(void)close(fds[i]);
	return -EPROTO;
}
