/*
 * What a relay in a process of its own asks of the kernel, counted by calls
 * that are put in the kernel's place (the linker's --wrap).
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay_rig.h"
#include "waits.h"

#define BULK (1 << 20) /* fits into the buffers on the way */

static unsigned splices, waits; /* those after the first splice */

ssize_t __real_splice(
    int from, loff_t *from_at, int to, loff_t *to_at, size_t n, unsigned flags);
ssize_t __wrap_splice(
    int from, loff_t *from_at, int to, loff_t *to_at, size_t n, unsigned flags);
int __real_wait_briefly(
    struct pollfd *fds, nfds_t n, struct deadline until, const sigset_t *mask);
int __wrap_wait_briefly(
    struct pollfd *fds, nfds_t n, struct deadline until, const sigset_t *mask);

ssize_t
__wrap_splice(
    int from, loff_t *from_at, int to, loff_t *to_at, size_t n, unsigned flags)
{
	splices++;
	return __real_splice(from, from_at, to, to_at, n, flags);
}

int
__wrap_wait_briefly(
    struct pollfd *fds, nfds_t n, struct deadline until, const sigset_t *mask)
{
	waits += splices > 0;
	return __real_wait_briefly(fds, n, until, mask);
}

/* With a wait for each it would be two splices a wait: one in and one out. */
START_TEST(bulk_is_not_asked_for_read_by_read)
{
	const struct rig_options options = { .kind = RIG_TCP };
	static struct connection connection;
	static struct relay relay;
	int client[2], backend[2];

	rig_pair(&options, client);
	rig_pair(&options, backend);
	rig_send(client[0], 0, BULK);
	ck_assert_int_eq(shutdown(client[0], SHUT_WR), 0);
	ck_assert_int_eq(shutdown(backend[1], SHUT_WR), 0);
	relay_init_alone(
	    &relay, client[1], backend[0], &connection, &rig_forever, NULL);
	(void)relay_run(&relay, &rig_stop);
	ck_assert_uint_eq(connection.bytes_in, BULK);
	ck_assert_msg(
	    splices >= 3 * waits, "%u splices and %u waits", splices, waits);
	rig_receive(backend[1], 0, BULK);
	pump_free(&relay.up);
	pump_free(&relay.down);
	for (int i = 0; i < 2; i++) {
		(void)close(client[i]);
		(void)close(backend[i]);
	}
}
END_TEST

Suite *relay_run_suite(void);

Suite *
relay_run_suite(void)
{
	Suite *s = suite_create("relay_run");
	TCase *calls = tcase_create("calls");

	tcase_add_test(calls, bulk_is_not_asked_for_read_by_read);
	suite_add_tcase(s, calls);
	return s;
}
