#include "hpack.h"

#include <string.h>

enum {
	STATIC_ENTRIES = 61,
	STATIC_AUTHORITY = 1,
	STATIC_PATH = 4,
	STATIC_PATH_INDEX = 5,
	STATIC_PSEUDO_LAST = 14,
	STATIC_HOST = 38,
	ENTRY_OVERHEAD = 32,
	/* No number in a first flight has to be greater. */
	NUMBER_MAX = 65536,
	NUMBER_SHIFT_MAX = 28,
};

enum state {
	FIELD, /* a field begins, or the block ends */
	NUMBER, /* further bytes of a number */
	LENGTH, /* a string's length begins */
	STRING,
	BROKEN,
};

/* What a number is, and so what follows it. */
enum goal {
	WHOLE_FIELD, /* index of a name and value */
	NAME_INDEX, /* index of a name, or 0: the name follows */
	NAME_LENGTH,
	VALUE_LENGTH,
	TABLE_SIZE,
};

/* How long the names of the static table are (RFC 7541 appendix A). */
static const uint8_t static_name_len[STATIC_ENTRIES + 1] = { 0, 10, 7, 7, 5, 5,
	7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16,
	16, 14, 16, 13, 12, 6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12,
	18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16 };

void
hpack_begin(struct hpack *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->table_max = HPACK_TABLE_SIZE;
}

bool
hpack_may_end(const struct hpack *hpack)
{
	return hpack->state == FIELD;
}

static void
evict(struct hpack *hpack, uint32_t size)
{
	while (hpack->entries > 0 && hpack->table_size > size) {
		unsigned oldest =
		    (hpack->newest + hpack->entries - 1u) % HPACK_ENTRIES_MAX;

		hpack->table_size -= hpack->table[oldest].size;
		hpack->entries--;
	}
}

/* A field that is too large for the table empties it (section 4.4). */
static void
insert(struct hpack *hpack)
{
	uint32_t size = hpack->name_len + hpack->value_len + ENTRY_OVERHEAD;

	if (size > hpack->table_max) {
		evict(hpack, 0);
		return;
	}
	evict(hpack, hpack->table_max - size);
	hpack->newest = (uint8_t)((hpack->newest + HPACK_ENTRIES_MAX - 1u) %
	    HPACK_ENTRIES_MAX);
	hpack->table[hpack->newest] = (struct hpack_entry){ (uint16_t)size,
		(uint16_t)hpack->name_len, hpack->kind };
	hpack->table_size += size;
	hpack->entries++;
}

static uint8_t
static_kind(uint32_t index)
{
	if (index == STATIC_AUTHORITY)
		return HPACK_AUTHORITY;
	if (index == STATIC_PATH || index == STATIC_PATH_INDEX)
		return HPACK_PATH;
	if (index == STATIC_HOST)
		return HPACK_HOST;
	return index <= STATIC_PSEUDO_LAST ? HPACK_PSEUDO : HPACK_REGULAR;
}

/* Take over the name of an entry; false if there is no such entry. */
static bool
take_name(struct hpack *hpack, uint32_t index)
{
	const struct hpack_entry *entry;

	if (index == 0)
		return false;
	if (index <= STATIC_ENTRIES) {
		hpack->kind = static_kind(index);
		hpack->name_len = static_name_len[index];
		return true;
	}
	index -= STATIC_ENTRIES + 1;
	if (index >= hpack->entries)
		return false;
	entry = &hpack->table[(hpack->newest + index) % HPACK_ENTRIES_MAX];
	hpack->kind = entry->kind;
	hpack->name_len = entry->name_len;
	return true;
}

static uint8_t
name_kind(const char *name, uint32_t len)
{
	if (len == 10 && memcmp(name, ":authority", 10) == 0)
		return HPACK_AUTHORITY;
	if (len == 5 && memcmp(name, ":path", 5) == 0)
		return HPACK_PATH;
	if (len == 4 && memcmp(name, "host", 4) == 0)
		return HPACK_HOST;
	return len > 0 && name[0] == ':' ? HPACK_PSEUDO : HPACK_REGULAR;
}

/* The name is known: is it in its place, and is its value asked for? */
static void
begin_value(struct hpack *hpack)
{
	bool regular =
	    hpack->kind == HPACK_REGULAR || hpack->kind == HPACK_HOST;
	bool *seen = NULL;

	if (regular)
		hpack->seen_regular = true;
	else if (hpack->seen_regular)
		hpack->malformed = true;
	if (hpack->kind == HPACK_AUTHORITY)
		seen = &hpack->has_authority;
	else if (hpack->kind == HPACK_PATH)
		seen = &hpack->has_path;
	else if (hpack->kind == HPACK_HOST)
		seen = &hpack->has_host;
	if (seen != NULL && *seen)
		hpack->malformed = true;
	hpack->keep = seen != NULL && !*seen &&
	    !(hpack->kind == HPACK_HOST && hpack->has_authority);
	if (seen != NULL)
		*seen = true;
	hpack->value_len = 0;
}

static void
put_value(struct hpack *hpack, uint8_t byte)
{
	hpack->value_len++;
	if (!hpack->keep)
		return;
	if (hpack->kind == HPACK_PATH) {
		if (hpack->path_len < HPACK_PATH_MAX)
			hpack->path[hpack->path_len] = byte;
		hpack->path_len++;
	} else {
		if (hpack->host_len < HPACK_HOST_MAX)
			hpack->host[hpack->host_len] = byte;
		hpack->host_len++;
	}
}

static void
put(struct hpack *hpack, uint8_t byte)
{
	if (hpack->goal == VALUE_LENGTH) {
		put_value(hpack, byte);
		return;
	}
	if (hpack->name_len < HPACK_NAME_MAX)
		hpack->name[hpack->name_len] = (char)byte;
	hpack->name_len++;
}

/* A field of the static table; of the dynamic one the value is lost. */
static uint8_t
take_field(struct hpack *hpack, uint32_t index)
{
	static const char path[] = "/index.html";
	size_t len = 0, i;

	if (!take_name(hpack, index))
		return BROKEN;
	begin_value(hpack);
	if (index == STATIC_PATH)
		len = 1;
	else if (index == STATIC_PATH_INDEX)
		len = sizeof(path) - 1;
	for (i = 0; i < len; i++)
		put_value(hpack, (uint8_t)path[i]);
	return FIELD;
}

static uint8_t
end_string(struct hpack *hpack)
{
	if (hpack->coded && !huffman_may_end(&hpack->huffman))
		return BROKEN;
	if (hpack->goal == NAME_LENGTH) {
		hpack->kind = name_kind(hpack->name, hpack->name_len);
		begin_value(hpack);
		hpack->goal = VALUE_LENGTH;
		return LENGTH;
	}
	if (hpack->insert)
		insert(hpack);
	return FIELD;
}

/* The number is complete. */
static uint8_t
end_number(struct hpack *hpack)
{
	uint32_t number = hpack->number;

	if (hpack->goal == TABLE_SIZE) {
		if (hpack->seen_field || number > HPACK_TABLE_SIZE)
			return BROKEN;
		hpack->table_max = number;
		evict(hpack, number);
		return FIELD;
	}
	hpack->seen_field = true;
	if (hpack->goal == WHOLE_FIELD)
		return take_field(hpack, number);
	if (hpack->goal != NAME_INDEX) {
		hpack->left = number;
		hpack->huffman = (struct huffman){ 0 };
		return number == 0 ? end_string(hpack) : STRING;
	}
	if (number == 0) {
		hpack->name_len = 0;
		hpack->goal = NAME_LENGTH;
		return LENGTH;
	}
	if (!take_name(hpack, number))
		return BROKEN;
	begin_value(hpack);
	hpack->goal = VALUE_LENGTH;
	return LENGTH;
}

/* The first byte of a number, of which the last bits are its own. */
static uint8_t
begin_number(struct hpack *hpack, uint8_t byte, unsigned bits)
{
	uint32_t mask = (UINT32_C(1) << bits) - 1;

	hpack->number = byte & mask;
	hpack->shift = 0;
	return hpack->number == mask ? NUMBER : end_number(hpack);
}

/* Seven bits more, least significant first (section 5.1). */
static uint8_t
go_on_number(struct hpack *hpack, uint8_t byte)
{
	if (hpack->shift >= NUMBER_SHIFT_MAX)
		return BROKEN;
	hpack->number += (uint32_t)(byte & 0x7f) << hpack->shift;
	hpack->shift += 7;
	if (hpack->number > NUMBER_MAX)
		return BROKEN;
	return (byte & 0x80) != 0 ? NUMBER : end_number(hpack);
}

/* Section 6: the first bits say what comes. */
static uint8_t
begin_field(struct hpack *hpack, uint8_t byte)
{
	hpack->insert = false;
	if ((byte & 0x80) != 0) {
		hpack->goal = WHOLE_FIELD;
		return begin_number(hpack, byte, 7);
	}
	if ((byte & 0x40) != 0) {
		hpack->goal = NAME_INDEX;
		hpack->insert = true;
		return begin_number(hpack, byte, 6);
	}
	if ((byte & 0x20) != 0) {
		hpack->goal = TABLE_SIZE;
		return begin_number(hpack, byte, 5);
	}
	hpack->goal = NAME_INDEX;
	return begin_number(hpack, byte, 4);
}

static uint8_t
read_string(struct hpack *hpack, uint8_t byte)
{
	unsigned i;

	hpack->left--;
	if (!hpack->coded)
		put(hpack, byte);
	for (i = 8; hpack->coded && i > 0; i--) {
		int decoded =
		    huffman_bit(&hpack->huffman, (unsigned)byte >> (i - 1));

		if (decoded == HUFFMAN_BAD)
			return BROKEN;
		if (decoded != HUFFMAN_MORE)
			put(hpack, (uint8_t)decoded);
	}
	return hpack->left == 0 ? end_string(hpack) : STRING;
}

bool
hpack_feed(struct hpack *hpack, uint8_t byte)
{
	if (hpack->state == FIELD)
		hpack->state = begin_field(hpack, byte);
	else if (hpack->state == NUMBER)
		hpack->state = go_on_number(hpack, byte);
	else if (hpack->state == STRING)
		hpack->state = read_string(hpack, byte);
	else if (hpack->state == LENGTH) {
		hpack->coded = (byte & 0x80) != 0;
		hpack->state = begin_number(hpack, byte, 7);
	}
	return hpack->state != BROKEN;
}
