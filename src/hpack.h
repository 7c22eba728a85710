/*
 * hpack.h - the host and the path in the first header block of a cleartext
 * HTTP/2 stream.
 *
 * The one idea: bytes are fed in one by one, so a block may be cut anywhere,
 * and no field is kept but the three that rules ask for.  Of the dynamic table
 * only sizes are kept: a field taken from it has been in the block before,
 * and none of the three may come twice.
 *
 * Defined in RFC 7541; which fields there are in RFC 9113 section 8.3.
 */
#ifndef USHER_HPACK_H
#define USHER_HPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "huffman.h"

#define HPACK_TABLE_SIZE 4096 /* unless we said otherwise, and we are mute */
#define HPACK_ENTRIES_MAX (HPACK_TABLE_SIZE / 32)
#define HPACK_NAME_MAX 11 /* one more than ":authority" has */
#define HPACK_HOST_MAX 512
#define HPACK_PATH_MAX 1024

/* What a field is to us. */
enum hpack_kind {
	HPACK_REGULAR,
	HPACK_PSEUDO, /* ":method" and its like */
	HPACK_AUTHORITY,
	HPACK_PATH,
	HPACK_HOST,
};

/* One field of the dynamic table, without its text. */
struct hpack_entry {
	uint16_t size; /* as the table counts it: 32 more than its text */
	uint16_t name_len;
	uint8_t kind;
};

struct hpack {
	bool has_authority, has_path, has_host;
	/* One of them twice, or a pseudo field after a regular one. */
	bool malformed;
	size_t host_len; /* as sent, also if that is more than there is room */
	size_t path_len;
	uint8_t host[HPACK_HOST_MAX]; /* of :authority, or else of host */
	uint8_t path[HPACK_PATH_MAX];

	/* The rest is hpack.c's. */
	uint8_t state; /* enum state */
	uint8_t goal; /* enum goal: what the number is that is being read */
	uint8_t kind; /* of the field that is being read */
	bool insert; /* it goes into the dynamic table */
	bool keep; /* its value goes into host or path */
	bool coded; /* the string that is being read is Huffman code */
	bool seen_field, seen_regular;
	unsigned shift; /* of the next part of the number */
	uint32_t number;
	uint32_t left; /* bytes of the string, before decoding */
	uint32_t name_len, value_len; /* decoded */
	struct huffman huffman;
	char name[HPACK_NAME_MAX];
	/* The dynamic table: a ring, whose newest entry is the first. */
	uint32_t table_max, table_size;
	uint8_t newest, entries;
	struct hpack_entry table[HPACK_ENTRIES_MAX];
};

/* Before the first byte. */
void hpack_begin(struct hpack *ret);

/*
 * Takes the next byte of the block.  False, and then for good, if it cannot be
 * decoded, or has a number beyond 65536, which no first flight needs.
 */
bool hpack_feed(struct hpack *hpack, uint8_t byte);

/* May the block end here? */
bool hpack_may_end(const struct hpack *hpack);

#endif
