/*
 * cage_sockets.c - what is tried inside the sandbox with sockets; see cage.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cage.h"

static int
connect_to(uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int backend = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(backend, (struct sockaddr *)&to, sizeof(to));
}

int
connect_where_a_rule_goes(void)
{
	return connect_to(have.allowed_port);
}

int
connect_elsewhere(void)
{
	return connect_to(have.other_port);
}

int
connect_to_an_abstract_name(void)
{
	int backend = socket(AF_UNIX, SOCK_STREAM, 0);

	return connect(
	    backend, (struct sockaddr *)&have.abstract_name, have.abstract_len);
}

static int
bind_to(uint16_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int backend = socket(AF_INET, SOCK_STREAM, 0);

	return bind(backend, (struct sockaddr *)&at, sizeof(at));
}

int
bind_to_any_port(void)
{
	return bind_to(0);
}

int
bind_to_a_port(void)
{
	return bind_to(have.other_port);
}

int
make_a_datagram_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

int
make_a_netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

int
make_a_seqpacket_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

int
make_a_local_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int
connect_elsewhere_by_ipv6(void)
{
	struct sockaddr_in6 to = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(have.other_port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	int backend = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(backend, (struct sockaddr *)&to, sizeof(to));
}

/* A socket that is open already does not lead elsewhere. */
int
connect_by_sending(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(have.other_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int backend = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return (int)sendto(backend, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
	    (struct sockaddr *)&to, sizeof(to));
}

static int
set_option(int level, int name)
{
	int value = 1;

	return setsockopt(have.stream[0], level, name, &value, sizeof(value));
}

int
wait_for_many_bytes(void)
{
	return set_option(SOL_SOCKET, SO_RCVLOWAT);
}

int
filter_packets(void)
{
	return set_option(SOL_SOCKET, SO_ATTACH_FILTER);
}

int
move_bytes(void)
{
	struct linger linger = { 0 };
	struct pollfd ready = { .fd = have.stream[1], .events = POLLIN };
	int pipe[2], error;
	socklen_t n = sizeof(error);

	if (send(have.stream[0], "hello", 5, MSG_NOSIGNAL) != 5 ||
	    poll(&ready, 1, 1000) != 1 || pipe2(pipe, O_NONBLOCK) < 0 ||
	    fcntl(pipe[1], F_SETPIPE_SZ, 65536) < 0 ||
	    splice(have.stream[1], NULL, pipe[1], NULL, 5, SPLICE_F_NONBLOCK) !=
		5 ||
	    splice(pipe[0], NULL, have.stream[1], NULL, 5, SPLICE_F_NONBLOCK) !=
		5 ||
	    getsockopt(have.stream[0], SOL_SOCKET, SO_ERROR, &error, &n) < 0 ||
	    setsockopt(have.stream[0], SOL_SOCKET, SO_LINGER, &linger,
		sizeof(linger)) < 0 ||
	    shutdown(have.stream[0], SHUT_WR) < 0 || close(have.stream[1]) < 0)
		return -1;
	return 0;
}

int
take_a_client(void)
{
	return accept4(have.ends[0], NULL, NULL, SOCK_CLOEXEC) >= 0 ||
		errno == EINVAL || errno == EOPNOTSUPP ?
	    0 :
	    -1;
}

int
keep_an_option(void)
{
	return set_option(IPPROTO_TCP, TCP_NODELAY) == 0 ||
		errno == EOPNOTSUPP || errno == ENOPROTOOPT ?
	    0 :
	    -1;
}

int
make_a_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
}

int
receive_descriptors(void)
{
	struct msghdr message = { .msg_iov = NULL };

	return recvmsg(have.stream[0], &message, MSG_DONTWAIT) < 0 &&
		errno == EAGAIN ?
	    0 :
	    -1;
}
