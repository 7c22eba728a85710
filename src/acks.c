/*
 * acks.c - whether a peer still acknowledges what it is sent.
 */
#include "acks.h"

/* Not <netinet/tcp.h>: musl's may lack what the kernel has had since 4.6. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

/* Tries in a row without an answer that are more than a packet lost. */
#define UNANSWERED 3

enum acks
acks_of(int socket, int64_t ms)
{
	struct tcp_info info = { .tcpi_unacked = 0 };
	socklen_t size = sizeof(info);

	if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return ACKS_ALL;
	/* An older kernel fills in less; zeros are what it does not know. */
	if (info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0)
		return ACKS_ALL;
	/*
	 * The probes of a closed window come ever less often, so the age of an
	 * acknowledgement alone says nothing.
	 */
	if (info.tcpi_retransmits < UNANSWERED && info.tcpi_probes < UNANSWERED)
		return ACKS_OWED;
	return info.tcpi_last_ack_recv < ms ? ACKS_OWED : ACKS_OVERDUE;
}
