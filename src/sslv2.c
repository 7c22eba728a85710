#include "sslv2.h"

#include "cursor.h"

enum {
	CLIENT_HELLO = 1,
	LENGTH_FLAG = 0x80, /* of a record header of two bytes */
	RECORD_MAX = 2047, /* more ciphers than there are */
	HEAD_SIZE = 9, /* from the message type to the last length */
	CIPHER_SIZE = 3,
	SESSION_ID_SIZE = 16,
	CHALLENGE_MIN = 16,
	CHALLENGE_MAX = 32,
};

/* What the head's lengths may be, given how many bytes they have to fill. */
static bool
read_lengths(struct cursor *cursor, unsigned room)
{
	unsigned ciphers, session_id, challenge;

	ciphers = cursor_u16(cursor);
	if (cursor_is_short(cursor))
		return true;
	if (ciphers == 0 || ciphers % CIPHER_SIZE != 0 ||
	    ciphers + CHALLENGE_MIN > room)
		return false;
	session_id = cursor_u16(cursor);
	if (cursor_is_short(cursor))
		return true;
	if (session_id != 0 && session_id != SESSION_ID_SIZE)
		return false;
	challenge = cursor_u16(cursor);
	if (cursor_is_short(cursor))
		return true;
	return challenge >= CHALLENGE_MIN && challenge <= CHALLENGE_MAX &&
	    ciphers + session_id + challenge == room;
}

/* SSL 2.0 itself, or a later version that is offered in its form. */
static bool
read_head(struct cursor *cursor)
{
	unsigned size = cursor_u8(cursor);
	unsigned major;

	if (!cursor_is_short(cursor) &&
	    ((size & LENGTH_FLAG) == 0 ||
		(size ^ LENGTH_FLAG) << 8 > RECORD_MAX))
		return false;
	size = (size ^ LENGTH_FLAG) << 8 | cursor_u8(cursor);
	if (!cursor_is_short(cursor) &&
	    size < HEAD_SIZE + CIPHER_SIZE + CHALLENGE_MIN)
		return false;
	if (cursor_u8(cursor) != CLIENT_HELLO && !cursor_is_short(cursor))
		return false;
	major = cursor_u8(cursor);
	if (!cursor_is_short(cursor) && major != 0 && major != 3)
		return false;
	if (cursor_u8(cursor) != 2 && major == 0 && !cursor_is_short(cursor))
		return false;
	return cursor_is_short(cursor) ||
	    read_lengths(cursor, size - HEAD_SIZE);
}

struct answer
sslv2_recognise(const uint8_t *bytes, size_t n)
{
	struct cursor cursor = cursor_over(bytes, n);

	if (!read_head(&cursor))
		return answer_no();
	if (cursor_is_short(&cursor))
		return cursor_more(&cursor);
	return answer_yes();
}
