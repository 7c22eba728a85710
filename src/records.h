/*
 * records.h - reads a TLS handshake message through the records that carry
 * it.
 *
 * The one idea: a reader sees one run of bytes, and the headers of the
 * records between them are read and judged on the way.  It stops for good
 * once bytes are missing or a byte has come that no sane hello has; what it
 * gives from then on are zeros, which are not judged.  So a parser reads
 * straight on and asks at the end.
 *
 * Defined in RFC 8446 section 5.1.
 */
#ifndef USHER_RECORDS_H
#define USHER_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cursor.h"

#define TLS_MAJOR_VERSION 3 /* of SSL 3.0 and all that came after it */
#define RECORDS_MAX 65536 /* raw bytes up to the message's end */

/*
 * Begins with a cursor over the stream, no record, and in message the size of
 * the handshake header; whoever has read that puts the message's own size
 * there.  No reading looks whether it goes beyond the message: what a length
 * says is compared with it first.
 */
struct records {
	struct cursor raw; /* short: bytes are missing */
	size_t record; /* bytes left in the record */
	size_t message; /* bytes left in the handshake message */
	bool bad; /* refused, whatever comes */
};

/* Bytes are missing, or the stream is refused. */
CURSOR_INLINE bool
records_stopped(const struct records *records)
{
	return records->bad || cursor_is_short(&records->raw);
}

/* Refuse what was just read unless good; what was not there is not judged. */
static inline void
records_require(struct records *records, bool good)
{
	if (!good && !cursor_is_short(&records->raw))
		records->bad = true;
}

/*
 * Refuse a message that can only end beyond RECORDS_MAX raw bytes, even if all
 * records to come were as long as they may be.
 */
void records_require_budget(struct records *records);

/* The next byte of the message. */
uint8_t records_u8(struct records *records);

/* Step over bytes that may have any value. */
void records_skip(struct records *records, size_t count);

/*
 * A number of size bytes (1 to 3), refused at the first byte that makes it
 * > max; 0 if they have stopped.
 */
size_t records_length(struct records *records, unsigned size, size_t max);

/* A number of two bytes, refused at the first byte that makes it differ. */
void records_expect(struct records *records, size_t value);

#endif
