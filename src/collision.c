/*
 * collision.c - the table of protocols that are hard to keep apart.
 */
#include "collision.h"

#include <string.h>

#include "shape.h"

#define ZEROS "both begin with zeros and a length"
#define THREE "both begin with 3, and rtmp waits for 1537 bytes"
#define GREETING "a greeting may be the beginning of a longer message"
#define WORDS "a word and a blank may be a tag of imap"

const struct collision collisions[] = {
	{ "smb", "postgres", ZEROS },
	{ "smb", "kafka", ZEROS },
	{ "smb", "dns", ZEROS },
	{ "smb", "openvpn", ZEROS },
	{ "postgres", "kafka", ZEROS },
	{ "postgres", "dns", ZEROS },
	{ "postgres", "openvpn", ZEROS },
	{ "kafka", "dns", ZEROS },
	{ "kafka", "openvpn", ZEROS },
	{ "dns", "openvpn",
	    "both begin with a length, and openvpn is told by one more byte" },
	{ "socks4", "openvpn",
	    "4 and 1 may be a length and port 20480 a reset" },
	{ "rdp", "rtmp", THREE },
	{ "cassandra", "rtmp", THREE },
	{ "openvpn", "rtmp", THREE },
	{ "dns", "rtmp", THREE },
	{ "mongodb", "rtmp", THREE },
	{ "cassandra", "mongodb", GREETING },
	{ "socks5", "dns", GREETING },
	{ "socks5", "mongodb", GREETING },
	{ "mqtt", "minecraft", "both may begin with 16" },
	{ "irc", "imap", WORDS },
	{ "memcached", "imap", WORDS },
	{ "pop3", "imap", WORDS },
	{ "smtp", "imap", WORDS },
	{ "tinc", "imap", WORDS },
};

const size_t collisions_count = COUNT(collisions);

uint64_t
collision_below(const struct protocol *first)
{
	uint64_t ret = 0;
	size_t i;

	for (i = 0; i < collisions_count; i++)
		if (strcmp(collisions[i].first, first->name) == 0)
			ret |=
			    protocol_bit(protocol_find(collisions[i].second));
	return ret;
}

static int
is_pair(const struct collision *row, const char *first, const char *second)
{
	return strcmp(row->first, first) == 0 &&
	    strcmp(row->second, second) == 0;
}

const struct collision *
collision_between(const struct protocol *a, const struct protocol *b)
{
	size_t i;

	for (i = 0; i < collisions_count; i++)
		if (is_pair(&collisions[i], a->name, b->name) ||
		    is_pair(&collisions[i], b->name, a->name))
			return &collisions[i];
	return NULL;
}
