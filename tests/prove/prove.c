/*
 * prove.c - asks Frama-C's Eva about every stream that the peek buffer can
 * hold at once: any number of bytes, each of any value.
 */
#include <stdint.h>

#include "http.h"
#include "http2.h"
#include "peek.h"
#include "protocol.h"
#include "proxy.h"
#include "sslv2.h"
#include "tls.h"

/* What Frama-C knows to be any bytes, and any number from min to max. */
void Frama_C_make_unknown(char *at, size_t n);
int Frama_C_interval(int min, int max);

static uint8_t bytes[PEEK_MAX];

static void
ask_tls(size_t n)
{
	struct tls_alpn_name name;
	struct tls_hello hello = { 0 };

	sslv2_recognise(bytes, n);
	if (tls_parse(bytes, n, &hello).verdict == ANSWER_YES)
		while (tls_alpn_next(bytes, n, &hello.alpn, &name))
			;
}

static void
ask_http(size_t n)
{
	struct http2_request request = { 0 };
	struct span span = { 0 };

	http_recognise(bytes, n);
	http_find_path(bytes, n, &span);
	http_find_host(bytes, n, &span);
	http2_recognise(bytes, n);
	http2_find(bytes, n, &request);
}

static void
ask_protocols(size_t n)
{
	for (size_t i = 0; i < protocols_count; i++)
		protocols[i].recognise(bytes, n);
}

int
main(void)
{
	size_t n = (size_t)Frama_C_interval(0, PEEK_MAX);

	Frama_C_make_unknown((char *)bytes, sizeof(bytes));
	ask_tls(n);
	ask_http(n);
	ask_protocols(n);
	return 0;
}
