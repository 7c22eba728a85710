#include <check.h>
#include <string.h>

#include "hpack.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static size_t
unhex(uint8_t *ret, const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (; *hex != '\0'; hex++) {
		const char *digit = strchr(digits, *hex);

		if (*hex == ' ')
			continue;
		ck_assert(digit != NULL);
		if (n % 2 == 0)
			ret[n / 2] = 0;
		ret[n / 2] = (uint8_t)(ret[n / 2] << 4 | (digit - digits));
		n++;
	}
	ck_assert_uint_eq(n % 2, 0);
	return n / 2;
}

static const char *
text(const uint8_t *bytes, size_t len)
{
	static char copy[HPACK_PATH_MAX + 1];

	memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

/* The parts of RFC 7541 appendix C; a later one needs the earlier. */
#define C_3_1 "828684410f7777772e6578616d706c652e636f6d"
#define C_3_2 "828684be58086e6f2d6361636865"
#define C_3_3 "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565"
#define C_4_1 "828684418cf1e3c2e5f23a6ba0ab90f4ff"
#define C_4_2 "828684be5886a8eb10649cbf"
#define C_4_3 "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"
#define C_5_1                                                                  \
	"4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032" \
	"303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e63" \
	"6f6d"
#define C_5_2 "4803333037c1c0bf"
#define C_5_3                                                                    \
	"88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c0"   \
	"5a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157" \
	"454f49553b206d61782d6167653d333630303b2076657273696f6e3d31"
#define C_6_1                                                                  \
	"488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1b" \
	"ff6e919d29ad171863c78f0b97c8e9ae82ae43d3"
#define C_6_2 "4883640effc1c0bf"
#define C_6_3                                                                    \
	"88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad"   \
	"94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065" \
	"c003ed4ee5b1063d5007"
#define TABLE_OF_256 "3fe101"

static const struct {
	const char *block, *host, *path; /* NULL: none */
	uint32_t table_size;
	uint8_t entries;
} blocks[] = {
	{ "400a637573746f6d2d6b65790d637573746f6d2d686561646572", NULL, NULL,
	    55, 1 }, /* C.2.1 */
	{ "040c2f73616d706c652f70617468", NULL, "/sample/path", 0, 0 },
	{ "100870617373776f726406736563726574", NULL, NULL, 0, 0 },
	{ "82", NULL, NULL, 0, 0 },
	{ C_3_1, "www.example.com", "/", 57, 1 },
	{ C_3_1 C_3_2, "www.example.com", "/", 110, 2 },
	{ C_3_1 C_3_2 C_3_3, "www.example.com", "/", 164, 3 },
	{ C_4_1, "www.example.com", "/", 57, 1 },
	{ C_4_1 C_4_2, "www.example.com", "/", 110, 2 },
	{ C_4_1 C_4_2 C_4_3, "www.example.com", "/", 164, 3 },
	{ TABLE_OF_256 C_5_1, NULL, NULL, 222, 4 },
	{ TABLE_OF_256 C_5_1 C_5_2, NULL, NULL, 222, 4 },
	{ TABLE_OF_256 C_5_1 C_5_2 C_5_3, NULL, NULL, 215, 3 },
	{ TABLE_OF_256 C_6_1, NULL, NULL, 222, 4 },
	{ TABLE_OF_256 C_6_1 C_6_2, NULL, NULL, 222, 4 },
	{ TABLE_OF_256 C_6_1 C_6_2 C_6_3, NULL, NULL, 215, 3 },
	{ "", NULL, NULL, 0, 0 },
	{ "85", NULL, "/index.html", 0, 0 },
	{ "81", "", NULL, 0, 0 },
	{ "0f17 01 61", "a", NULL, 0, 0 }, /* host, a number of two bytes */
	{ "0f9700 01 61", "a", NULL, 0, 0 }, /* and of three */
	{ "0004686f7374 0161", "a", NULL, 0, 0 },
	{ "000a3a617574686f72697479 0161", "a", NULL, 0, 0 },
	{ "00053a70617468 022f61", NULL, "/a", 0, 0 },
	{ "410162 6601 61", "b", NULL, 43 + 37, 2 }, /* host ignored */
	{ "7d0161", NULL, NULL, 16 + 1 + 32, 1 }, /* name 61 */
	{ "2020", NULL, NULL, 0, 0 },
	{ "20 400161 0162", NULL, NULL, 0, 0 }, /* no room in the table */
	{ "3f02 400161 0162", NULL, NULL, 0, 0 }, /* 33 bytes: nor here */
	{ "3f03 400161 0162", NULL, NULL, 34, 1 },
	{ "3f03 400161 0162 400163 0164", NULL, NULL, 34, 1 },
	{ "3f03 400161 0162 40026161 0162", NULL, NULL, 0, 0 },
};

START_TEST(decodes)
{
	uint8_t bytes[512];
	size_t i, n = unhex(bytes, blocks[_i].block);
	struct hpack hpack;

	hpack_begin(&hpack);
	for (i = 0; i < n; i++)
		ck_assert_uint_eq(hpack_feed(&hpack, bytes[i]), true);
	ck_assert(hpack_may_end(&hpack));
	ck_assert_uint_eq(hpack.table_size, blocks[_i].table_size);
	ck_assert_uint_eq(hpack.entries, blocks[_i].entries);
	ck_assert(hpack.has_path == (blocks[_i].path != NULL));
	ck_assert((hpack.has_authority || hpack.has_host) ==
	    (blocks[_i].host != NULL));
	if (blocks[_i].path != NULL)
		ck_assert_str_eq(
		    text(hpack.path, hpack.path_len), blocks[_i].path);
	if (blocks[_i].host != NULL)
		ck_assert_str_eq(
		    text(hpack.host, hpack.host_len), blocks[_i].host);
}
END_TEST

/* Refused with their last byte, and not before. */
static const char *const broken[] = {
	"80", /* index 0 */
	"be", /* index 62 of an empty table */
	"ff00", /* index 127 */
	"7f00", /* name 63 */
	"400161 0162 bf", /* index 63 of a table with one entry */
	"20 400161 0162 be", "823f00", /* the table's size after a field */
	"3fe21f", /* a table of 4097 bytes */
	"007fff808004", /* a string of 65663 bytes */
	"007f8080808080", /* a number that is too long */
	"0084ffffffff", /* Huffman: the code for the end */
	"0082ffff", /* Huffman: two bytes of padding */
	"008100", /* Huffman: padding that is not ones: 0 and 000 */
	"0081ff", /* Huffman: a byte of padding */
	"0081fe", /* Huffman: half a code */
};

START_TEST(refuses)
{
	uint8_t bytes[512];
	size_t i, n = unhex(bytes, broken[_i]);
	struct hpack hpack;

	hpack_begin(&hpack);
	for (i = 0; i < n && hpack_feed(&hpack, bytes[i]); i++)
		;
	ck_assert_uint_eq(i + 1, n);
	ck_assert(!hpack_feed(&hpack, 0x82));
	ck_assert(!hpack_may_end(&hpack));
}
END_TEST

static const struct {
	const char *block;
	bool malformed;
} orders[] = {
	{ "8284 410162", false },
	{ "8284 90", false }, /* accept-encoding */
	{ "8290 84", true },
	{ "90 410162", true },
	{ "90 00033a61620161", true }, /* a pseudo field nobody knows */
	{ "8484", true },
	{ "8485", true },
	{ "410162 410162", true },
	{ "410162 be", true },
	{ "660161 be", true }, /* host again, from the table */
	{ "660161 660161", true },
	{ "410162 660161", false },
	{ "400161 0162 be", false }, /* but others may be repeated */
	{ "400161 0162 0f2f 0163", false },
};

START_TEST(knows_the_order_of_fields)
{
	uint8_t bytes[512];
	size_t i, n = unhex(bytes, orders[_i].block);
	struct hpack hpack;

	hpack_begin(&hpack);
	for (i = 0; i < n; i++)
		ck_assert(hpack_feed(&hpack, bytes[i]));
	ck_assert(hpack.malformed == orders[_i].malformed);
}
END_TEST

/* A path of all bytes there are, as another implementation decodes it too. */
static const char all_bytes[] =
    "04ffc803ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffff"
    "e8ffffeafffffff3fffffa7fffffabffffffdfffffebfffffecfffffedfffffe"
    "efffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffd"
    "bfffffdffffffe3fffffe7fffffebfffffed4fe3f9ffaffcabf1febfafefe7fd"
    "fd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58f265cd9f469d"
    "5af66dddbf871e5f9cff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7"
    "dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9ffffa3fffd3ff"
    "ff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffbffff"
    "fd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1ffffe4fffee7fffb1ffff"
    "97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8ffffd3f"
    "ffdeffffd5fffeeffffbdffffe1fffdfffff7fffff5ffffecffff07fff87fffe"
    "0ffff17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbff"
    "ff37ffff1fffff83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ff"
    "ffc7fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8fffffe6fffff"
    "c1fffff87ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe"
    "3fffffc9fffff97fffb3ffffcffffb7fffcdffff4ffff9ffffd1ffffcffffeaf"
    "fffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfff"
    "ffb7fffff3fffffe8fffffd3fffffabfffff5fffffff7ffffecfffffdbfffffb"
    "bfffff7ffffff0fffffbbf";

START_TEST(knows_the_code_of_every_byte)
{
	uint8_t bytes[1024];
	size_t i, n = unhex(bytes, all_bytes);
	struct hpack hpack;

	hpack_begin(&hpack);
	for (i = 0; i < n; i++)
		ck_assert(hpack_feed(&hpack, bytes[i]));
	ck_assert_uint_eq(hpack.path_len, 256);
	for (i = 0; i < 256; i++)
		ck_assert_uint_eq(hpack.path[i], i);
}
END_TEST

START_TEST(keeps_no_more_than_it_has_room_for)
{
	struct hpack hpack;
	int i;

	hpack_begin(&hpack);
	hpack_feed(&hpack, 0x04); /* :path */
	hpack_feed(&hpack, 0x7f);
	hpack_feed(&hpack, 0xd1); /* 127 + 0x51 + (0x0e << 7) = 2000 */
	hpack_feed(&hpack, 0x0e);
	for (i = 0; !hpack_may_end(&hpack); i++)
		ck_assert(hpack_feed(&hpack, 'a'));
	ck_assert_int_eq(i, 2000);
	ck_assert_uint_eq(hpack.path_len, 2000);
	ck_assert_uint_eq(hpack.path[HPACK_PATH_MAX - 1], 'a');
}
END_TEST

Suite *hpack_suite(void);

Suite *
hpack_suite(void)
{
	Suite *suite = suite_create("hpack");
	TCase *tests = tcase_create("hpack");

	tcase_add_loop_test(tests, decodes, 0, ROWS(blocks));
	tcase_add_loop_test(tests, refuses, 0, ROWS(broken));
	tcase_add_loop_test(tests, knows_the_order_of_fields, 0, ROWS(orders));
	tcase_add_test(tests, knows_the_code_of_every_byte);
	tcase_add_test(tests, keeps_no_more_than_it_has_room_for);
	suite_add_tcase(suite, tests);
	return suite;
}
