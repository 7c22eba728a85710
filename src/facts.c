#include "facts.h"

#include "http.h"

void
facts_update(struct facts *facts)
{
	facts->tls_asked = false;
	facts->host_asked = false;
	facts->path_asked = false;
	facts->http2_asked = false;
	facts->protocols_asked = 0;
}

struct answer
facts_tls(struct facts *facts)
{
	if (!facts->tls_asked)
		facts->tls = tls_parse(facts->bytes, facts->n, &facts->hello);
	facts->tls_asked = true;
	return facts->tls;
}

struct answer
facts_host(struct facts *facts)
{
	if (!facts->host_asked)
		facts->host =
		    http_find_host(facts->bytes, facts->n, &facts->host_at);
	facts->host_asked = true;
	return facts->host;
}

struct answer
facts_path(struct facts *facts)
{
	if (!facts->path_asked)
		facts->path =
		    http_find_path(facts->bytes, facts->n, &facts->path_at);
	facts->path_asked = true;
	return facts->path;
}

struct answer
facts_http2(struct facts *facts)
{
	if (!facts->http2_asked)
		facts->http2 =
		    http2_find(facts->bytes, facts->n, &facts->request);
	facts->http2_asked = true;
	return facts->http2;
}

const struct tls_hello *
facts_hello(struct facts *facts)
{
	return facts_tls(facts).verdict == ANSWER_YES ? &facts->hello : NULL;
}

const struct http2_request *
facts_request(struct facts *facts)
{
	return facts_http2(facts).verdict == ANSWER_YES ? &facts->request :
							  NULL;
}

struct answer
facts_protocol(struct facts *facts, const struct protocol *protocol)
{
	size_t i = (size_t)(protocol - protocols);
	uint64_t bit = protocol_bit(protocol);

	if (protocol->recognise == tls_recognise)
		return facts_tls(facts);
	if (!(facts->protocols_asked & bit))
		facts->protocols[i] =
		    protocol->recognise(facts->bytes, facts->n);
	facts->protocols_asked |= bit;
	return facts->protocols[i];
}
