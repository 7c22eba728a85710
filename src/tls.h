/*
 * tls.h - what a TLS ClientHello says, wherever its sender cut it.
 *
 * The one idea: a hello travels in records, and the records' boundaries mean
 * nothing.  So a hello is read through them, byte by byte, from the client's
 * raw stream, and nothing is copied but the name and the protocol that are
 * asked for most.  Each field is judged as soon as its bytes are there: a
 * stream that cannot become a sane hello is refused at the byte that shows it.
 *
 * Defined in RFC 8446 (sections 4.1.2, 4.2, 5.1 and appendix D), RFC 5246,
 * RFC 6066 section 3 (server_name), RFC 7301 (ALPN), RFC 8701 (GREASE).
 */
#ifndef USHER_TLS_H
#define USHER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "hostname.h"

#define TLS_ALPN_MAX 255 /* bytes of one ALPN name */

/* A list of ALPN names that is being walked through. */
struct tls_alpn {
	size_t at; /* raw bytes before the next entry */
	size_t record; /* bytes left in the record there */
	size_t left; /* bytes left in the list */
};

/* One entry of that list: 1 to 255 bytes, any of them, NUL too. */
struct tls_alpn_name {
	size_t len;
	char text[TLS_ALPN_MAX + 1]; /* NUL-terminated */
};

struct tls_hello {
	/*
	 * The highest offered version that there is: 0x0300 (SSL 3.0) to
	 * 0x0304 (TLS 1.3), from supported_versions if that names one, else
	 * from the old field, which goes no higher than TLS 1.2.
	 */
	uint16_t version;
	/*
	 * A server name that is usable as hostname.h has it, as sent: case and
	 * a trailing dot are kept.  With encrypted hellos (ECH) it is the
	 * outer name.  One that is not usable counts as none.
	 */
	bool has_name;
	size_t name_len;
	char name[HOSTNAME_MAX + 1]; /* NUL-terminated */
	/* How many ALPN names are offered, and where; empty ones left out. */
	unsigned n_alpn;
	struct tls_alpn alpn;
};

/*
 * Read the first ClientHello.  Yes, and only then *ret, once all of it is
 * there and sane; what follows it does not matter.  One that ends beyond
 * RECORDS_MAX raw bytes is refused as soon as its lengths show it.
 */
struct answer tls_parse(const uint8_t *bytes, size_t n, struct tls_hello *ret);

/* As tls_parse(), for who does not ask what it says: row "tls". */
struct answer tls_recognise(const uint8_t *bytes, size_t n);

/* Does this hello offer the ALPN name of len bytes, exactly? */
bool tls_offers_alpn(const uint8_t *bytes, size_t n,
    const struct tls_hello *hello, const char *name, size_t len);

/*
 * The next ALPN name, in the client's order.  Begin with a copy of
 * hello.alpn and give the bytes that tls_parse() said yes to.  False, and
 * nothing in *ret, when there is none left.
 */
bool tls_alpn_next(const uint8_t *bytes, size_t n, struct tls_alpn *alpn,
    struct tls_alpn_name *ret);

#endif
