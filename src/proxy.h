/*
 * proxy.h - the PROXY protocol, versions 1 and 2, in and out.
 *
 * The one idea: an address that travels in front of a stream.  Reading is a
 * pure function of a prefix (see answer.h); writing fills a buffer.
 *
 * Defined in HAProxy's doc/proxy-protocol.txt: version 1 in section 2.1,
 * version 2 in 2.2, its TLVs in 2.2.1 and after.
 */
#ifndef USHER_PROXY_H
#define USHER_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "answer.h"
#include "rules.h"

/* Version 1's longest line, and version 2's fixed part. */
#define PROXY_V1_MAX 107
#define PROXY_V2_FIXED 16

/* The longest header that proxy_write() makes. */
#define PROXY_WRITE_MAX 640

struct proxy_header {
	size_t len; /* bytes of the stream that are the header */
	/*
	 * False for LOCAL and UNKNOWN, and for what is neither TCP over IPv4
	 * nor over IPv6: the addresses of the socket hold.
	 */
	bool known;
	struct addr source, destination; /* if known; IPv4-mapped as IPv4 */
};

/*
 * Yes and *ret if the stream begins with a whole, valid header; no if it
 * cannot become one.
 */
struct answer proxy_parse(
    const uint8_t *bytes, size_t n, struct proxy_header *ret);

/*
 * What a header says besides the addresses; version 2 only, and not what is
 * longer than 255 bytes.
 */
struct proxy_extras {
	const char *authority; /* the SNI; NULL or empty: none */
	const char *alpn; /* NULL or empty: none */
};

/*
 * Writes a header of version 1 or 2 for a connection from source to
 * destination.  IPv4-mapped addresses are written as IPv4; if the families
 * differ then, both as IPv6.  Anything but IP is UNKNOWN (1) or LOCAL and
 * UNSPEC (2).  extras may be NULL.  Returns the length.
 */
size_t proxy_write(int version, const struct addr *source,
    const struct addr *destination, const struct proxy_extras *extras,
    uint8_t ret[static PROXY_WRITE_MAX]);

/* Whether connections from this address begin with a header. */
bool proxy_expected(const struct settings *settings, const struct addr *from);

#endif
