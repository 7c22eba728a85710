#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "relay_rig.h"

/* Smallest, small, middling, the kernel's own, huge. */
static const int sizes[] = { 1, 4096, 16384, 65536, 262144, 0, 4194304 };
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static bool
long_form(void)
{
	return getenv("USHER_TEST_LONG") != NULL;
}

START_TEST(keeps_every_byte_in_its_place)
{
	unsigned rounds = long_form() ? 40 : 3;

	for (unsigned round = 0; round < rounds; round++) {
		uint64_t seed = (unsigned)_i * 1000u + round + 1;
		struct rig_options options = {
			.kind = rig_random(&seed, 4) == 0 ? RIG_UNIX : RIG_TCP,
			.send_size = sizes[rig_random(&seed, N_SIZES)],
			.receive_size = sizes[rig_random(&seed, N_SIZES)],
			.relay = rig_forever,
		};
		uint64_t up = rig_random(&seed, 1u << rig_random(&seed, 22));
		uint64_t down = rig_random(&seed, 1u << rig_random(&seed, 22));
		size_t chunk =
		    1 + rig_random(&seed, 1u << rig_random(&seed, 18));
		struct rig rig = { 0 };

		if (chunk < up / 4000 + 1)
			chunk = up / 4000 + 1;
		if (chunk < down / 4000 + 1)
			chunk = down / 4000 + 1;
		rig_start(&rig, &options, rig_relay);
		rig_exchange(&rig, up, down, seed, chunk);
		fd_close_auto(&rig.client);
		fd_close_auto(&rig.backend);
		rig.client = rig.backend = -1;
		int status = rig_wait(&rig);
		ck_assert(status == END_CLIENT_CLOSED ||
		    status == END_BACKEND_CLOSED);
		ck_assert_uint_eq(rig.connection->bytes_in, up);
		ck_assert_uint_eq(rig.connection->bytes_out, down);
	}
}
END_TEST

Suite *relay_suite(void);

Suite *
relay_suite(void)
{
	Suite *suite = suite_create("relay");
	TCase *bytes = tcase_create("bytes");

	tcase_set_timeout(bytes, 300);
	tcase_add_loop_test(bytes, keeps_every_byte_in_its_place, 0, 40);
	suite_add_tcase(suite, bytes);
	return suite;
}
