/*
 * relay_rig.c - a relay in a process of its own, with the test at both ends.
 */
#include "relay_rig.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "carrier.h"
#include "deadline.h"
#include "fd.h"

/* Loopback's own segments do not fit into small buffers and crawl. */
#define SMALL_SIZE 65536
#define SMALL_SEGMENT 536
/* A prime, so that no power of two is a period of it. */
#define PATTERN_PERIOD 65521
#define FULL_MS 40
#define PATTERN_SIZE (PATTERN_PERIOD + 262144)

const struct relay_options rig_forever = { -1, -1, -1, 0 };
volatile int rig_stop;
bool rig_carried;

uint64_t
rig_random(uint64_t *state, uint64_t bound)
{
	uint64_t x;

	*state += 0x9e3779b97f4a7c15u;
	x = *state;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (x ^ (x >> 31)) % bound;
}

/* The bytes at position of every stream; at least 262144 of them. */
static const uint8_t *
pattern(uint64_t position)
{
	static uint8_t bytes[PATTERN_SIZE];
	static bool made;
	uint64_t state = 1;

	for (size_t i = 0; i < sizeof(bytes) && !made; i++)
		bytes[i] = i < PATTERN_PERIOD ?
		    (uint8_t)rig_random(&state, 256) :
		    bytes[i - PATTERN_PERIOD];
	made = true;
	return bytes + position % PATTERN_PERIOD;
}

static void
set_option(int fd, int level, int option, int value)
{
	ck_assert_int_eq(
	    setsockopt(fd, level, option, &value, sizeof(value)), 0);
}

static void
set_sizes(int fd, const struct rig_options *options)
{
	if (options->send_size > 0)
		set_option(fd, SOL_SOCKET, SO_SNDBUF, options->send_size);
	if (options->receive_size > 0)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, options->receive_size);
}

static int
tcp_socket(const struct rig_options *options)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int receive = options->receive_size;

	ck_assert_int_ge(fd, 0);
	set_sizes(fd, options);
	if (receive > 0 && receive < SMALL_SIZE)
		set_option(fd, IPPROTO_TCP, TCP_MAXSEG, SMALL_SEGMENT);
	return fd;
}

static void
tcp_pair(const struct rig_options *options, int pair[2])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr *any = (struct sockaddr *)&address;
	socklen_t size = sizeof(address);
	int listener = tcp_socket(options);

	ck_assert_int_eq(bind(listener, any, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, any, &size), 0);
	pair[0] = tcp_socket(options);
	ck_assert_int_eq(connect(pair[0], any, size), 0);
	pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(pair[1], 0);
	close(listener);
}

void
rig_pair(const struct rig_options *options, int pair[2])
{
	if (options->kind == RIG_TCP)
		tcp_pair(options, pair);
	else
		ck_assert_int_eq(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		    0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(fd_set_nonblock(pair[i], 1), 0);
		if (options->kind == RIG_UNIX)
			set_sizes(pair[i], options);
		else
			set_option(pair[i], IPPROTO_TCP, TCP_NODELAY, 1);
	}
}

static void
stop(int signal)
{
	(void)signal;
	rig_stop = 1;
}

/* The end of the one pair, or that it stays; -1: not yet. */
static int carried_end = -1;

static void
note_stays(struct carrier *carrier, struct pair *pair)
{
	(void)carrier;
	(void)pair;
	carried_end = RELAY_STAYS;
}

static void
note_over(struct carrier *carrier, struct pair *pair)
{
	carried_end = pair->end;
	carrier_release(carrier, pair);
}

static int
carry(struct rig *rig)
{
	static const struct carrier_owner owner = {
		.stays = note_stays,
		.over = note_over,
	};
	const struct deadline never = { DEADLINE_NEVER };
	struct carrier c;
	struct pair *pair;

	(void)signal(SIGPIPE, SIG_IGN);
	if (carrier_init(&c, &owner, 1, sizeof(*pair)) < 0)
		return END_COUNT;
	pair = carrier_new(&c);
	relay_init(&pair->relay, rig->relay_client, rig->relay_backend,
	    rig->connection, &rig->options.relay, NULL);
	if (carrier_watch(&c, rig->relay_client, pair, CLIENT) < 0 ||
	    carrier_watch(&c, rig->relay_backend, pair, BACKEND) < 0)
		return END_COUNT;
	pair->relay.plain[CLIENT] = rig->options.kind == RIG_TCP;
	pair->relay.plain[BACKEND] = pair->relay.plain[CLIENT];
	carrier_carry(&c, pair);
	while (carried_end < 0) {
		carrier_turn(&c, never);
		if (rig_stop && pair->state == PAIR_CARRIED)
			carrier_part(&c, pair,
			    rig->connection->evict ? END_LIMIT : END_KILLED);
	}
	return carried_end;
}

int
rig_relay(struct rig *rig)
{
	static struct relay relay;
	enum end end;

	if (rig_carried)
		return carry(rig);
	relay_init_alone(&relay, rig->relay_client, rig->relay_backend,
	    rig->connection, &rig->options.relay, NULL);
	end = relay_run(&relay, &rig_stop);
	if (end != RELAY_STAYS)
		relay_finish(&relay, end);
	return (int)end;
}

static void
run_child(struct rig *rig, rig_main *run)
{
	struct sigaction action = { .sa_handler = stop };
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	close(rig->client);
	close(rig->backend);
	_exit(run(rig));
}

void
rig_start(struct rig *rig, const struct rig_options *options, rig_main *run)
{
	int client[2], backend[2];

	(void)signal(SIGPIPE, SIG_IGN);
	rig->options = *options;
	if (rig->connection == NULL)
		rig->connection = mmap(NULL, sizeof(*rig->connection),
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(rig->connection, MAP_FAILED);
	rig_pair(options, client);
	rig_pair(options, backend);
	rig->client = client[0];
	rig->relay_client = client[1];
	rig->relay_backend = backend[0];
	rig->backend = backend[1];
	rig->pid = fork();
	ck_assert_int_ge(rig->pid, 0);
	if (rig->pid == 0)
		run_child(rig, run);
	close(fd_take(&rig->relay_client));
	close(fd_take(&rig->relay_backend));
}

void
rig_await(int fd, short events, int ms)
{
	struct pollfd poll_for = { .fd = fd, .events = events };

	ck_assert_msg(poll(&poll_for, 1, ms) > 0, "nothing came in %d ms", ms);
}

int
rig_wait(struct rig *rig)
{
	int status, handle = (int)syscall(SYS_pidfd_open, rig->pid, 0);

	ck_assert_int_ge(handle, 0);
	rig_await(handle, POLLIN, RIG_PATIENCE_MS);
	close(handle);
	ck_assert_int_eq(waitpid(rig->pid, &status, 0), rig->pid);
	ck_assert_msg(
	    WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

void
rig_free(struct rig *rig)
{
	fd_close_auto(&rig->client);
	fd_close_auto(&rig->backend);
	(void)munmap(rig->connection, sizeof(*rig->connection));
	*rig = (struct rig){ .client = -1, .backend = -1 };
}

/* Waits for FIN behind whatever is unread, or the end of it all. */
static void
await_end(int fd)
{
	rig_await(fd, POLLRDHUP, RIG_PATIENCE_MS);
}

void
rig_finish(struct rig *rig, enum end end)
{
	if (rig->client >= 0)
		(void)shutdown(rig->client, SHUT_WR);
	/* So that it is the client who was first. */
	if (rig->backend >= 0)
		await_end(rig->backend);
	if (rig->backend >= 0)
		(void)shutdown(rig->backend, SHUT_WR);
	ck_assert_int_eq(rig_wait(rig), (int)end);
	rig_free(rig);
}

void
rig_send(int fd, uint64_t position, size_t n)
{
	while (n > 0) {
		size_t piece = n < 65536 ? n : 65536;
		ssize_t sent = send(fd, pattern(position), piece, 0);

		if (sent < 0 && errno == EAGAIN) {
			rig_await(fd, POLLOUT, RIG_PATIENCE_MS);
			continue;
		}
		ck_assert_int_gt(sent, 0);
		position += (uint64_t)sent;
		n -= (size_t)sent;
	}
}

void
rig_receive(int fd, uint64_t position, size_t n)
{
	uint8_t buffer[65536];

	while (n > 0) {
		size_t piece = n < sizeof(buffer) ? n : sizeof(buffer);
		ssize_t got;

		rig_await(fd, POLLIN, RIG_PATIENCE_MS);
		got = recv(fd, buffer, piece, 0);
		ck_assert_int_gt(got, 0);
		ck_assert_int_eq(
		    memcmp(buffer, pattern(position), (size_t)got), 0);
		position += (uint64_t)got;
		n -= (size_t)got;
	}
}

void
rig_expect_fin(int fd)
{
	char byte;

	rig_await(fd, POLLIN, RIG_PATIENCE_MS);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
}

void
rig_expect_reset(int fd)
{
	socklen_t size = sizeof(int);
	int error = 0;

	rig_await(fd, 0, RIG_PATIENCE_MS);
	ck_assert_int_eq(
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	/* EPIPE: after FIN. */
	ck_assert(error == ECONNRESET || error == EPIPE);
}

/* Sends a piece; returns whether anything moved. */
static bool
push(struct flow *flow, uint64_t *seed, size_t chunk_max)
{
	uint64_t left = flow->total - flow->sent;
	size_t n = 1 + rig_random(seed, chunk_max);
	ssize_t sent;

	if (flow->said_end)
		return false;
	if (left == 0) {
		ck_assert_int_eq(shutdown(flow->from, SHUT_WR), 0);
		flow->said_end = true;
		return true;
	}
	sent = send(flow->from, pattern(flow->sent), n < left ? n : left, 0);
	if (sent < 0) {
		ck_assert_int_eq(errno, EAGAIN);
		return false;
	}
	flow->sent += (uint64_t)sent;
	return true;
}

/* Receives a piece and checks it; returns whether anything moved. */
static bool
pull(struct flow *flow, uint64_t *seed, size_t chunk_max)
{
	static uint8_t buffer[262144];
	ssize_t got;

	if (flow->heard_end || flow->paused)
		return false;
	got = recv(flow->to, buffer, 1 + rig_random(seed, chunk_max), 0);
	if (got < 0) {
		ck_assert_int_eq(errno, EAGAIN);
		return false;
	}
	if (got == 0) {
		ck_assert_uint_eq(flow->got, flow->total);
		flow->heard_end = true;
		return true;
	}
	ck_assert_msg(memcmp(buffer, pattern(flow->got), (size_t)got) == 0,
	    "wrong bytes near %llu", (unsigned long long)flow->got);
	flow->got += (uint64_t)got;
	return true;
}

uint64_t
rig_fill(int fd)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	uint64_t total = 0;
	ssize_t n;

	/* Full is what does not become less full in a while. */
	while (poll(&room, 1, FULL_MS) > 0) {
		n = send(fd, pattern(total), 65536, 0);
		if (n > 0)
			total += (uint64_t)n;
		ck_assert(n > 0 || errno == EAGAIN);
	}
	return total;
}

void
rig_pass(int from, int to, uint64_t n)
{
	uint64_t seed = 1;
	struct flow flow = { .from = from, .to = to, .total = n };

	while (flow.got < n) {
		if (!(flow.sent < n && push(&flow, &seed, 262144)) &&
		    !pull(&flow, &seed, 262144))
			rig_await(to, POLLIN, RIG_PATIENCE_MS);
	}
}

/* Its name changes last, when it is about to serve. */
void
rig_await_program(const struct rig *rig, const char *program)
{
	int64_t until = clock_us() + (int64_t)RIG_PATIENCE_MS * 1000;
	char path[32], name[32] = "";
	size_t n = strlen(program);

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)rig->pid);
	while (strncmp(name, program, n) != 0) {
		FILE *file = fopen(path, "r");

		ck_assert_ptr_nonnull(file);
		ck_assert_ptr_nonnull(fgets(name, sizeof(name), file));
		fclose(file);
		ck_assert_int_lt(clock_us(), until);
		(void)poll(NULL, 0, 1);
	}
}

int
rig_descriptors(const struct rig *rig)
{
	char path[32];
	DIR *directory;
	int n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)rig->pid);
	directory = opendir(path);
	ck_assert_ptr_nonnull(directory);
	while (readdir(directory) != NULL)
		n++;
	closedir(directory);
	return n - 2;
}

/* Nothing could be moved: reads again where it did not, or waits. */
static void
wait_for_any(struct flow *flows)
{
	struct pollfd polls[4];

	if (flows[0].paused || flows[1].paused) {
		flows[0].paused = flows[1].paused = false;
		return;
	}
	for (int i = 0; i < 2; i++) {
		polls[2 * i] = (struct pollfd){ .events = POLLOUT,
			.fd = flows[i].said_end ? -1 : flows[i].from };
		polls[2 * i + 1] = (struct pollfd){ .events = POLLIN,
			.fd = flows[i].heard_end ? -1 : flows[i].to };
	}
	ck_assert_msg(poll(polls, 4, RIG_PATIENCE_MS) > 0,
	    "stalled: up %llu sent, %llu got, down %llu sent, %llu got",
	    (unsigned long long)flows[0].sent, (unsigned long long)flows[0].got,
	    (unsigned long long)flows[1].sent,
	    (unsigned long long)flows[1].got);
}

void
rig_exchange(struct rig *rig, uint64_t up, uint64_t down, uint64_t seed,
    size_t chunk_max)
{
	struct flow flows[2] = {
		{ .from = rig->client, .to = rig->backend, .total = up },
		{ .from = rig->backend, .to = rig->client, .total = down },
	};
	bool moved;

	while (!flows[0].heard_end || !flows[1].heard_end) {
		moved = false;
		for (int i = 0; i < 2; i++) {
			if (rig_random(&seed, 64) == 0)
				flows[i].paused = !flows[i].paused;
			moved |= push(&flows[i], &seed, chunk_max);
			moved |= pull(&flows[i], &seed, chunk_max);
		}
		if (!moved)
			wait_for_any(flows);
	}
}

int64_t
rig_cpu_us(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	ck_assert_int_eq(clock_getcpuclockid(pid, &clock), 0);
	ck_assert_int_eq(clock_gettime(clock, &used), 0);
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}
