/*
 * protocol_media.c - recognises sound, pictures, games and peers.
 */
#include "protocol_bytes.h"
#include "shape.h"

#define RTMP_C1 1536

struct answer
rtmp_recognise(const uint8_t *bytes, size_t n)
{
	struct answer rdp = rdp_recognise(bytes, n);
	struct shape shape = shape_over(bytes, n);
	struct answer answer;

	if (rdp.verdict == ANSWER_YES)
		return answer_no();
	shape_byte(&shape, 3);
	shape_skip(&shape, RTMP_C1);
	answer = shape_answer(&shape);
	if (answer.verdict == ANSWER_MORE && rdp.verdict == ANSWER_MORE)
		answer.need = rdp.need;
	return answer;
}

#define URI_MAX 4096

/* method SP, URI, SP version EOL */
static void
request_line(struct shape *shape, const char *const *methods, size_t count,
    const char *const *versions, size_t n_versions)
{
	shape_one_of(shape, methods, count);
	shape_run(shape, byte_is_graph, 1, URI_MAX);
	shape_byte(shape, ' ');
	shape_one_of(shape, versions, n_versions);
	shape_eol(shape);
}

static const char *const rtsp_methods[] = { "OPTIONS ", "DESCRIBE ",
	"ANNOUNCE ", "SETUP ", "PLAY ", "PAUSE ", "TEARDOWN ", "RECORD ",
	"REDIRECT ", "GET_PARAMETER ", "SET_PARAMETER ", "PLAY_NOTIFY " };
static const char *const rtsp_versions[] = { "RTSP/1.0", "RTSP/2.0" };

struct answer
rtsp_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	request_line(&shape, rtsp_methods, COUNT(rtsp_methods), rtsp_versions,
	    COUNT(rtsp_versions));
	return shape_answer(&shape);
}

static const char *const sip_methods[] = { "INVITE ", "ACK ", "BYE ", "CANCEL ",
	"OPTIONS ", "REGISTER ", "PRACK ", "SUBSCRIBE ", "NOTIFY ", "PUBLISH ",
	"INFO ", "REFER ", "MESSAGE ", "UPDATE " };
static const char *const sip_versions[] = { "SIP/2.0" };

struct answer
sip_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	request_line(&shape, sip_methods, COUNT(sip_methods), sip_versions,
	    COUNT(sip_versions));
	return shape_answer(&shape);
}

struct answer
teamspeak_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_text(&shape, "TS3INIT1");
	return shape_answer(&shape);
}

struct answer
bittorrent_recognise(const uint8_t *bytes, size_t n)
{
	struct shape shape = shape_over(bytes, n);

	shape_text(&shape,
	    "\x13"
	    "BitTorrent protocol");
	return shape_answer(&shape);
}
