/*
 * prove.c - asks Frama-C's Eva about every stream of exactly N bytes, each of
 * any value, in an array that ends with the last of them: what reads on, were
 * it a byte, is an alarm.
 */
#include <stdint.h>

#include "http.h"
#include "http2.h"
#include "peek.h"
#include "protocol.h"
#include "proxy.h"
#include "sslv2.h"
#include "tls.h"

/* What Frama-C knows to be any bytes. */
void Frama_C_make_unknown(char *at, size_t n);

/* C has no arrays of no bytes: without any, the place after the last. */
#define ROOM (N > 0 ? N : 1)
static uint8_t room[ROOM];
static const uint8_t *const bytes = room + (ROOM - N);

static void
ask_tls(void)
{
	struct tls_alpn_name name;
	struct tls_hello hello = { 0 };

	if (tls_parse(bytes, N, &hello).verdict == ANSWER_YES)
		while (tls_alpn_next(bytes, N, &hello.alpn, &name))
			;
}

static void
ask_http(void)
{
	struct http2_request request = { 0 };
	struct span span = { 0 };

	http_find_path(bytes, N, &span);
	http_find_host(bytes, N, &span);
	http2_find(bytes, N, &request);
}

static void
ask_proxy(void)
{
	struct proxy_header header;

	proxy_parse(bytes, N, &header);
}

/* The table has every recogniser, also those of TLS and HTTP. */
static void
ask_protocols(void)
{
	for (size_t i = 0; i < protocols_count; i++)
		protocols[i].recognise(bytes, N);
}

int
main(void)
{
	Frama_C_make_unknown((char *)room, sizeof(room));
	ask_tls();
	ask_http();
	ask_proxy();
	ask_protocols();
	return 0;
}
