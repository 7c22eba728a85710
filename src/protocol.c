/*
 * protocol.c - the table of protocols.
 */
#include "protocol.h"

#include <string.h>

#include "http.h"
#include "http2.h"
#include "protocol_bytes.h"
#include "shape.h"
#include "sslv2.h"
#include "tls.h"

/*
 * Common ones first, then by kind; no row says yes to what is meant for one
 * above it, so that protocol_of() may stop at the first.
 */
const struct protocol protocols[] = {
	{ "ssh", "Secure Shell, any version", "RFC 4253, 4.2", ssh_recognise,
	    false },
	{ "tls", "TLS 1.0 to 1.3 and SSL 3.0, any name", "RFC 8446, 4.1.2",
	    tls_recognise, false },
	{ "sslv2", "TLS and SSL with a hello in the form of SSL 2.0",
	    "RFC 5246, E.2", sslv2_recognise, false },
	{ "http", "HTTP/1", "RFC 9112, 3", http_recognise, false },
	{ "http2", "HTTP/2 in the clear, with prior knowledge", "RFC 9113, 3.4",
	    http2_recognise, false },
	{ "openvpn", "OpenVPN over TCP, with or without a static key",
	    "OpenVPN protocol, hard reset of a client", openvpn_recognise,
	    false },
	{ "xmpp", "XMPP: Jabber clients, servers and components",
	    "RFC 6120, 4.7; XEP-0114", xmpp_recognise, false },
	{ "socks4", "SOCKS 4 and 4A proxy clients", "SOCKS 4, 4A (Ying-Da Lee)",
	    socks4_recognise, false },
	{ "socks5", "SOCKS 5 proxy clients", "RFC 1928, 3", socks5_recognise,
	    false },
	{ "rdp", "Remote Desktop", "[MS-RDPBCGR] 2.2.1.1; RFC 1006",
	    rdp_recognise, false },
	{ "postgres", "PostgreSQL, with or without TLS",
	    "PostgreSQL manual, Message Formats", postgres_recognise, false },
	{ "mysql", "MySQL and MariaDB: the server speaks first, use silent",
	    "MySQL protocol, Initial Handshake", mysql_recognise, true },
	{ "mqtt", "MQTT 3.1 to 5, and bridges",
	    "MQTT 5.0, 3.1; MQTT 3.1.1, 3.1", mqtt_recognise, false },
	{ "dns", "DNS over TCP", "RFC 1035, 4.2.2", dns_recognise, false },
	{ "adb", "Android Debug Bridge", "AOSP adb, protocol.txt",
	    adb_recognise, false },
	{ "tinc", "tinc VPN, meta connections", "tinc manual, meta-protocol",
	    tinc_recognise, false },
	{ "syslog", "syslog over TCP", "RFC 5424; RFC 6587; RFC 3164",
	    syslog_recognise, false },
	{ "teamspeak", "TeamSpeak 3, where it is carried over TCP",
	    "TS3INIT packet", teamspeak_recognise, false },
	{ "winbox", "MikroTik WinBox", "MikroTik EC-SRP5 login",
	    winbox_recognise, false },
	{ "minecraft", "Minecraft, Java edition",
	    "Minecraft protocol, Handshake", minecraft_recognise, false },
	{ "smb", "SMB 1 to 3, Windows file sharing",
	    "[MS-SMB2] 2.1; RFC 1002, 4.3", smb_recognise, false },
	{ "ldap", "LDAP", "RFC 4511, 4.1.1", ldap_recognise, false },
	{ "rtmp", "RTMP, Flash video", "RTMP 1.0, 5.2", rtmp_recognise, false },
	{ "rtsp", "RTSP, cameras", "RFC 2326, 6.1; RFC 7826", rtsp_recognise,
	    false },
	{ "sip", "SIP telephony", "RFC 3261, 7.1", sip_recognise, false },
	{ "redis", "Redis and Valkey", "RESP protocol", redis_recognise,
	    false },
	{ "amqp", "AMQP 0-8 to 1.0, RabbitMQ", "AMQP 0-9-1, 4.2.2; 1.0, 2.2",
	    amqp_recognise, false },
	{ "bittorrent", "BitTorrent peers, not encrypted", "BEP 3",
	    bittorrent_recognise, false },
	{ "rsync", "rsync daemon", "rsync daemon protocol", rsync_recognise,
	    false },
	{ "git", "git daemon (git://)", "gitprotocol-pack(5)", git_recognise,
	    false },
	{ "stomp", "STOMP", "STOMP 1.2, CONNECT", stomp_recognise, false },
	{ "nats", "NATS clients that do not wait for INFO",
	    "NATS client protocol, CONNECT", nats_recognise, false },
	{ "kafka", "Kafka", "Kafka protocol guide, request header",
	    kafka_recognise, false },
	{ "mongodb", "MongoDB", "MongoDB wire protocol", mongodb_recognise,
	    false },
	{ "mssql", "Microsoft SQL Server (TDS)", "[MS-TDS] 2.2.6.5",
	    mssql_recognise, false },
	{ "cassandra", "Cassandra and ScyllaDB (CQL)",
	    "CQL native protocol v1 to v5, 2", cassandra_recognise, false },
	{ "zabbix", "Zabbix agents, proxies and senders",
	    "Zabbix manual, header and data length", zabbix_recognise, false },
	{ "memcached", "memcached, text and binary",
	    "memcached protocol.txt, binary protocol", memcached_recognise,
	    false },
	{ "irc", "IRC", "RFC 2812, 3.1; IRCv3 capabilities", irc_recognise,
	    false },
	{ "smtp", "SMTP and LMTP clients that do not wait for the greeting",
	    "RFC 5321, 4.1.1.1; RFC 2033", smtp_recognise, false },
	{ "imap", "IMAP clients that do not wait for the greeting",
	    "RFC 9051, 2.2.1", imap_recognise, false },
	{ "pop3", "POP3 clients that do not wait for the greeting",
	    "RFC 1939, 7; RFC 2449; RFC 2595", pop3_recognise, false },
};

const size_t protocols_count = COUNT(protocols);

/* Frama-C, as tests/prove.sh runs it, reads C99. */
#ifndef __FRAMAC__
_Static_assert(COUNT(protocols) <= PROTOCOLS_MAX, "a bit for each");
#endif

const struct protocol *
protocol_find(const char *name)
{
	size_t i;

	for (i = 0; i < protocols_count; i++)
		if (strcmp(protocols[i].name, name) == 0)
			return &protocols[i];
	return NULL;
}

const struct protocol *
protocol_of(const uint8_t *bytes, size_t n)
{
	size_t i;

	for (i = 0; i < protocols_count; i++)
		if (protocols[i].recognise(bytes, n).verdict == ANSWER_YES)
			return &protocols[i];
	return NULL;
}
