/*
 * fuzz_tls.c - any bytes as a first flight of TLS or SSL 2.0.
 *
 * With FUZZ_OPENSSL also OpenSSL reads them: where both take it for a hello,
 * both have to see the same server name and the same ALPN names.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hostname.h"
#include "sslv2.h"
#include "stream.h"
#include "tls.h"

enum { RECORD_HEADER = 5, BYTES_MAX = 1 << 17 };

static void
require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* All offered names, each after a byte with its length; returns their size. */
static size_t
list_alpn(
    const uint8_t *bytes, size_t n, const struct tls_hello *hello, uint8_t *ret)
{
	struct tls_alpn list = hello->alpn;
	struct tls_alpn_name name;
	unsigned count = 0;
	size_t size = 0;

	for (; tls_alpn_next(bytes, n, &list, &name); count++) {
		require(name.len >= 1 && name.len <= TLS_ALPN_MAX &&
			name.text[name.len] == '\0',
		    "an ALPN name out of bounds");
		require(tls_offers_alpn(bytes, n, hello, name.text, name.len),
		    "an ALPN name that is listed and not offered");
		ret[size++] = (uint8_t)name.len;
		memcpy(ret + size, name.text, name.len);
		size += name.len;
		/* Asking each time costs its square: a few are enough. */
		if (count == 64)
			break;
	}
	require(count == hello->n_alpn || count == 64, "ALPN count");
	return size;
}

static void
check_hello(const struct tls_hello *hello)
{
	require(hello->version >= 0x0300 && hello->version <= 0x0304,
	    "a version that is none");
	require(hello->name_len <= HOSTNAME_MAX &&
		strlen(hello->name) == hello->name_len,
	    "a name's length");
	require(hello->has_name ==
		hostname_is_usable(
		    (const uint8_t *)hello->name, hello->name_len),
	    "a name that is not usable");
}

/*
 * The same flight in records of part bytes, as far as RECORDS_MAX allows;
 * returns 0 if it has something else than whole handshake records.
 */
static size_t
cut_anew(const uint8_t *bytes, size_t n, size_t part, uint8_t *ret)
{
	static uint8_t message[BYTES_MAX];
	size_t at = 0, size = 0, made = 0;

	while (n - at >= RECORD_HEADER && bytes[at] == 22) {
		size_t record = (size_t)(bytes[at + 3] << 8 | bytes[at + 4]);

		at += RECORD_HEADER;
		if (record > n - at)
			record = n - at;
		memcpy(message + size, bytes + at, record);
		size += record;
		at += record;
	}
	for (at = 0; at < size; at += part) {
		if (part > size - at)
			part = size - at;
		if (made + RECORD_HEADER + part > 65536)
			return 0;
		memcpy(ret + made, "\x16\x03\x01", 3);
		ret[made + 3] = (uint8_t)(part >> 8);
		ret[made + 4] = (uint8_t)part;
		memcpy(ret + made + RECORD_HEADER, message + at, part);
		made += RECORD_HEADER + part;
	}
	return made;
}

static void
check_other_records(const uint8_t *bytes, size_t n,
    const struct tls_hello *hello, const uint8_t *alpn, size_t alpn_size)
{
	static uint8_t cut[BYTES_MAX], other_alpn[BYTES_MAX];
	size_t part = 1 + (size_t)bytes[n - 1] * 3;
	size_t size = cut_anew(bytes, n, part, cut);
	struct tls_hello other;

	if (size == 0)
		return;
	require(tls_parse(cut, size, &other).verdict == ANSWER_YES,
	    "refused in other records");
	require(other.version == hello->version &&
		other.has_name == hello->has_name &&
		strcmp(other.name, hello->name) == 0 &&
		other.n_alpn == hello->n_alpn,
	    "says something else in other records");
	require(list_alpn(cut, size, &other, other_alpn) == alpn_size &&
		memcmp(alpn, other_alpn, alpn_size) == 0,
	    "offers something else in other records");
}

#ifdef FUZZ_OPENSSL
#include <openssl/bio.h>
#include <openssl/ssl.h>

static bool seen;
static uint8_t seen_sni[BYTES_MAX], seen_alpn[BYTES_MAX];
static size_t seen_sni_size, seen_alpn_size;

static void
keep(SSL *ssl, unsigned type, uint8_t *ret, size_t *ret_size)
{
	const unsigned char *bytes;
	size_t size;

	*ret_size = 0;
	if (SSL_client_hello_get0_ext(ssl, type, &bytes, &size) != 1)
		return;
	memcpy(ret, bytes, size);
	*ret_size = size;
}

static int
on_hello(SSL *ssl, int *alert, void *context)
{
	(void)alert;
	(void)context;
	seen = true;
	keep(ssl, TLSEXT_TYPE_server_name, seen_sni, &seen_sni_size);
	keep(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, seen_alpn,
	    &seen_alpn_size);
	return SSL_CLIENT_HELLO_ERROR;
}

static void
ask_openssl(const uint8_t *bytes, size_t n)
{
	static SSL_CTX *context;
	SSL *ssl;
	BIO *in = BIO_new_mem_buf(bytes, (int)n);

	if (context == NULL) {
		context = SSL_CTX_new(TLS_server_method());
		SSL_CTX_set_client_hello_cb(context, on_hello, NULL);
		SSL_CTX_set_min_proto_version(context, 0);
		SSL_CTX_set_security_level(context, 0);
	}
	ssl = SSL_new(context);
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(ssl, in, BIO_new(BIO_s_mem()));
	seen = false;
	SSL_accept(ssl);
	SSL_free(ssl);
}

static void
compare(const uint8_t *bytes, size_t n, struct answer answer,
    const struct tls_hello *hello, const uint8_t *alpn, size_t alpn_size)
{
	size_t i, kept = 0;

	ask_openssl(bytes, n);
	if (!seen || sslv2_recognise(bytes, n).verdict == ANSWER_YES)
		return;
	require(answer.verdict != ANSWER_MORE, "OpenSSL has all of it");
	if (answer.verdict != ANSWER_YES)
		return;
	/* List length, type, length, name: the first one is a host name? */
	if (seen_sni_size > 5 && seen_sni[2] == 0) {
		size_t size = (size_t)(seen_sni[3] << 8 | seen_sni[4]);

		require(size + 5 <= seen_sni_size, "SNI size");
		require(
		    hello->has_name == hostname_is_usable(seen_sni + 5, size),
		    "OpenSSL has another opinion of the name");
		require(!hello->has_name ||
			(size == hello->name_len &&
			    memcmp(seen_sni + 5, hello->name, size) == 0),
		    "OpenSSL sees another name");
	} else if (seen_sni_size == 0) {
		require(!hello->has_name, "OpenSSL sees no name");
	}
	/* Without empty names, which are left out of ours. */
	for (i = 2; i < seen_alpn_size; i += 1u + seen_alpn[i]) {
		if (seen_alpn[i] == 0)
			continue;
		require(i + 1 + seen_alpn[i] <= seen_alpn_size, "ALPN size");
		if (kept + 1 + seen_alpn[i] > alpn_size)
			return;
		require(
		    memcmp(alpn + kept, seen_alpn + i, 1u + seen_alpn[i]) == 0,
		    "OpenSSL sees other ALPN names");
		kept += 1u + seen_alpn[i];
	}
	require(kept == alpn_size, "OpenSSL sees fewer ALPN names");
}
#endif

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static uint8_t alpn[BYTES_MAX];
	struct tls_hello hello = { 0 };
	struct answer answer;
	size_t alpn_size = 0;

	if (n > BYTES_MAX)
		return 0;
	stream_check(tls_recognise, bytes, n, FUZZ_STEP(n));
	stream_check(sslv2_recognise, bytes, n, FUZZ_STEP(n));
	answer = tls_parse(bytes, n, &hello);
	if (answer.verdict == ANSWER_YES) {
		check_hello(&hello);
		alpn_size = list_alpn(bytes, n, &hello, alpn);
		check_other_records(bytes, n, &hello, alpn, alpn_size);
	}
#ifdef FUZZ_OPENSSL
	compare(bytes, n, answer, &hello, alpn, alpn_size);
#endif
	return 0;
}
