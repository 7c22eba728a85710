#include "records.h"

enum {
	RECORD_HANDSHAKE = 22,
	RECORD_MAX = 16384,
	RECORD_HEADER = 5,
};

void
records_require_budget(struct records *records)
{
	size_t end = records->raw.at + records->message;
	size_t later = 0;

	if (records->message > records->record)
		later = records->message - records->record;
	end += (later + RECORD_MAX - 1) / RECORD_MAX * RECORD_HEADER;
	records_require(records, end <= RECORDS_MAX);
}

/*
 * Only handshake records may come before the message's end, and none of them
 * may be empty (RFC 8446 section 5.1).  The minor version means nothing.
 */
static void
open_record(struct records *records)
{
	struct cursor *raw = &records->raw;
	size_t size;

	records_require(records, cursor_u8(raw) == RECORD_HANDSHAKE);
	if (!records_stopped(records))
		records_require(records, cursor_u8(raw) == TLS_MAJOR_VERSION);
	if (records_stopped(records) || !cursor_has(raw, 2))
		return;
	cursor_skip(raw, 1);
	size = (size_t)cursor_u8(raw) << 8;
	records_require(records, size <= RECORD_MAX);
	if (records_stopped(records))
		return;
	size |= cursor_u8(raw);
	records_require(records, size > 0 && size <= RECORD_MAX);
	if (records_stopped(records))
		return;
	records->record = size;
	records_require_budget(records);
}

/* Come to where a byte may be read; false once they have stopped. */
static bool
ready(struct records *records)
{
	if (!records_stopped(records) && records->record == 0)
		open_record(records);
	return !records_stopped(records);
}

/* Nearly always what is asked for is there, and in the record that is open. */
static bool
at_hand(const struct records *records, size_t count)
{
	return !records_stopped(records) && count <= records->record &&
	    count <= cursor_left(&records->raw);
}

static void
advance(struct records *records, size_t count)
{
	cursor_skip(&records->raw, count);
	records->record -= count;
	records->message -= count;
}

uint8_t
records_u8(struct records *records)
{
	uint8_t byte;

	if (!ready(records))
		return 0;
	byte = cursor_peek(&records->raw);
	if (!cursor_is_short(&records->raw))
		advance(records, 1);
	return byte;
}

/*
 * Step over bytes that may have any value.  Where they are not there yet,
 * what can change the answer is the byte after them, if the message goes on.
 */
void
records_skip(struct records *records, size_t count)
{
	while (count > 0 && ready(records)) {
		size_t part = count;

		if (part > records->record)
			part = records->record;
		if (!cursor_has(&records->raw, part)) {
			if (part < records->message)
				records->raw.need++;
			return;
		}
		advance(records, part);
		count -= part;
	}
}

size_t
records_length(struct records *records, unsigned size, size_t max)
{
	size_t value = 0;

	if (at_hand(records, size)) {
		value = cursor_be(&records->raw, size);
		records->record -= size;
		records->message -= size;
		records_require(records, value <= max);
		return value <= max ? value : 0;
	}
	for (; size > 0 && !records_stopped(records); size--) {
		value = value << 8 | records_u8(records);
		records_require(records, value << (8 * (size - 1)) <= max);
	}
	return records_stopped(records) || value > max ? 0 : value;
}

void
records_expect(struct records *records, size_t value)
{
	records_require(records, records_u8(records) == value >> 8);
	if (!records_stopped(records))
		records_require(records, records_u8(records) == (value & 0xff));
}
