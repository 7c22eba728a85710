/*
 * acks.h - whether a peer still acknowledges what it is sent.
 *
 * The one idea: a peer that does not read answers every probe of the kernel,
 * however long its window stays closed; one that is gone answers nothing.
 * TCP_USER_TIMEOUT does not tell these apart and resets both, and keepalive
 * sends no probe while bytes are on their way: left alone, the kernel sends
 * them again for some 15 minutes.
 */
#ifndef USHER_ACKS_H
#define USHER_ACKS_H

#include <stdint.h>

enum acks {
	ACKS_ALL, /* there is nothing that the peer has not acknowledged */
	ACKS_OWED, /* there is; it may be slow, or not read */
	ACKS_OVERDUE, /* there is, and it does not answer */
};

/*
 * Asks the kernel about socket.  Overdue is who has answered none of three or
 * more tries in a row, and nothing for at least ms milliseconds.  A socket
 * that is not TCP owes nothing.
 */
enum acks acks_of(int socket, int64_t ms);

#endif
