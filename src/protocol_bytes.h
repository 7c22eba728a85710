/*
 * protocol_bytes.h - recognisers of the protocols that are told by a few bytes.
 *
 * Each has the contract of recognise() in struct protocol: a pure function
 * of a prefix.  Above each stands its byte rule; SP is a blank, EOL a line
 * feed with or without a carriage return before it, "u16" and so on are
 * numbers with the most significant byte first.
 *
 * A rule asks for as much as tells the protocol from all others, and no
 * more: what is left out is the server's business.  None of them looks for
 * the end of the data, because a packet's end is not a stream's.
 *
 * TLS and HTTP are parsed, not only told; they are in tls.h and http.h.
 */
#ifndef USHER_PROTOCOL_BYTES_H
#define USHER_PROTOCOL_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "answer.h"

/* To shells, desktops and devices: protocol_remote.c */

/* "SSH-": the identification string, RFC 4253 section 4.2. */
struct answer ssh_recognise(const uint8_t *bytes, size_t n);

/*
 * A TPKT header (RFC 1006: 3, 0, u16 length) around an X.224 connection
 * request (a length that fits, 0xe0, u16 0, u16 any, 0) up to 259 bytes, with
 * nothing in it or a cookie, a routing token or a negotiation request
 * ([MS-RDPBCGR] 2.2.1.1), but not the parameters of ISO transport, which
 * all have 0x80 set: those are other users of TPKT.
 */
struct answer rdp_recognise(const uint8_t *bytes, size_t n);

/*
 * Android's CNXN message: "CNXN", le32 version 0x0100000?, 12 bytes, le32
 * complement of the command, "host:" (AOSP adb, protocol.txt).
 */
struct answer adb_recognise(const uint8_t *bytes, size_t n);

/*
 * MikroTik's login, EC-SRP5: u8 length, 6, the user's name, NUL, a key of 32
 * bytes, its parity 0 or 1, all together length bytes after the first two.  Not
 * published; as Margin Research describes it ("MikroTik Authentication").
 */
struct answer winbox_recognise(const uint8_t *bytes, size_t n);

/* Tunnels and proxies: protocol_tunnel.c */

/*
 * u16 length, u8 opcode << 3 | key 0: a client's hard reset V1 or V2 of
 * 14..86 bytes or V3 of 344..1078 (the wrapped key is at most 1024).  If what
 * is the session's number here is flags and counts of a DNS query there, it
 * is none.  OpenVPN's protocol description, P_CONTROL_HARD_RESET_CLIENT.
 */
struct answer openvpn_recognise(const uint8_t *bytes, size_t n);

/*
 * The ID request of the meta protocol: "0", SP, a name, or "?" and a key for
 * an invitation, SP, "17", perhaps "." and a number, EOL: tinc manual, "The
 * meta-protocol".
 */
struct answer tinc_recognise(const uint8_t *bytes, size_t n);

/*
 * 4, 1 or 2, u16 port, address, user's name, NUL; and for addresses 0.0.0.x
 * but x = 0 (SOCKS 4A) a host's name, NUL: "SOCKS: A protocol for TCP proxy
 * across firewalls" and "SOCKS 4A" by Ying-Da Lee.
 */
struct answer socks4_recognise(const uint8_t *bytes, size_t n);

/* 5, u8 count >= 1, count methods, each once, not 0xff: RFC 1928 section 3. */
struct answer socks5_recognise(const uint8_t *bytes, size_t n);

/* Databases: protocol_database.c */

/*
 * u32 length, u32 code: SSLRequest, GSSENCRequest (both of length 8), a
 * CancelRequest, or protocol 3 with the name of a parameter: PostgreSQL manual,
 * "Message Formats".
 */
struct answer postgres_recognise(const uint8_t *bytes, size_t n);

/* Never: the server speaks first (MySQL, "Connection Phase"; MariaDB too). */
struct answer mysql_recognise(const uint8_t *bytes, size_t n);

/*
 * le32 length 26..65535, le32 any, le32 0, le32 opcode OP_QUERY 2004 or
 * OP_MSG 2013: the first request is never a reply nor compressed.  MongoDB
 * manual, "Wire Protocol".
 */
struct answer mongodb_recognise(const uint8_t *bytes, size_t n);

/*
 * TDS pre-login, [MS-TDS] 2.2.6.5: 0x12, 1, u16 length, u16 0, u8 any, 0;
 * then the option VERSION, which is first: 0, u16 offset, u16 6.  Or a login,
 * 2.2.6.4, as clients of 7.0 send it at once: 0x10 and the same; then le32
 * the length without the header, le32 a version 0x70?????? to 0x74??????.
 */
struct answer mssql_recognise(const uint8_t *bytes, size_t n);

/*
 * CQL native protocol, version 3 to 5: version, flags 0, u16 stream, OPTIONS
 * with u32 length 0 or STARTUP with u32 length 22..4096.  Versions 1 and 2
 * have a stream of one byte.  0x41 and 0x42 are DSE's versions.  Cassandra's
 * native_protocol_v1.spec to v5, section 2.
 */
struct answer cassandra_recognise(const uint8_t *bytes, size_t n);

/*
 * "*", a count, CR LF, "$", a digit: Redis, "RESP protocol".  No inline
 * commands.
 */
struct answer redis_recognise(const uint8_t *bytes, size_t n);

/*
 * A command line of the text protocol (protocol.txt), but not a request in
 * the manner of HTTP; or the header of a binary request: 0x80, opcode, u16
 * key length, u8 extras length, 0, 0, 0, u32 length of all of the body ("Binary
 * Protocol" of memcached).
 */
struct answer memcached_recognise(const uint8_t *bytes, size_t n);

/* Brokers and chats: protocol_message.c, protocol_xmpp.c, protocol_mail.c */

/*
 * A stream header, RFC 6120 section 4.7: perhaps an XML declaration, then an
 * element "stream" with or without a prefix, with a namespace of XMPP:
 * jabber:client, jabber:server, jabber:component:accept (or :connect), or
 * that of streams itself.
 */
struct answer xmpp_recognise(const uint8_t *bytes, size_t n);

/*
 * CONNECT: 0x10, remaining length 12 or more, then u16 4 "MQTT" and level 3,
 * 4 or 5, or u16 6 "MQIsdp" and level 3: MQTT 3.1, 3.1.1 and 5.0, section 3.1.
 * A bridge sets 0x80 in the level.
 */
struct answer mqtt_recognise(const uint8_t *bytes, size_t n);

/*
 * "AMQP" and one of the protocol headers of 0-8 to 1.0: AMQP 0-9-1 section
 * 4.2.2, 1.0 sections 2.2 and 5.3.
 */
struct answer amqp_recognise(const uint8_t *bytes, size_t n);

/* "CONNECT" EOL or "STOMP" EOL: STOMP 1.2, "Connecting". */
struct answer stomp_recognise(const uint8_t *bytes, size_t n);

/*
 * "CONNECT", SP, "{", from clients that do not wait for INFO: NATS, "Client
 * Protocol".
 */
struct answer nats_recognise(const uint8_t *bytes, size_t n);

/*
 * u32 length 10..2^24-1, u16 request kind, u16 version, u32 correlation,
 * u16 length of the client's name, or 0xffff for none, and the name: Kafka
 * protocol guide, "Request Header".
 */
struct answer kafka_recognise(const uint8_t *bytes, size_t n);

/*
 * RFC 2812 section 3.1: NICK and PASS with one parameter, USER with four.
 * IRCv3: CAP LS, CAP REQ, STARTTLS.
 */
struct answer irc_recognise(const uint8_t *bytes, size_t n);

/* Mail, of clients that do not wait for the greeting: protocol_mail.c */

/*
 * "EHLO", "HELO" (RFC 5321 section 4.1.1.1) or "LHLO" (RFC 2033) in any case,
 * SP, a name or literal, EOL.
 */
struct answer smtp_recognise(const uint8_t *bytes, size_t n);

/* A tag, SP, a command that is good before login, SP or EOL: RFC 9051. */
struct answer imap_recognise(const uint8_t *bytes, size_t n);

/*
 * "CAPA" EOL, "STLS" EOL, or "APOP", SP, a name, SP, 32 hexadecimal digits:
 * what RFC 1939 and 2449 do not share with FTP and IRC.
 */
struct answer pop3_recognise(const uint8_t *bytes, size_t n);

/* The services of a network: protocol_service.c */

/*
 * RFC 1035 section 4.2.2: u16 length, then a query, notification or update
 * with one question.
 */
struct answer dns_recognise(const uint8_t *bytes, size_t n);

/*
 * RFC 4511: SEQUENCE, length, INTEGER message number > 0, and the tag of a
 * bind, unbind, search or extended request.
 */
struct answer ldap_recognise(const uint8_t *bytes, size_t n);

/*
 * [MS-SMB2] 2.1: 0, u24 length, 0xff "SMB" negotiate or 0xfe "SMB" le16 64;
 * or a NetBIOS session request, RFC 1002 section 4.3.2.
 */
struct answer smb_recognise(const uint8_t *bytes, size_t n);

/*
 * RFC 5424 and 3164: perhaps an octet count and SP (RFC 6587), then "<", a
 * priority 0..191 without needless zeros, ">".
 */
struct answer syslog_recognise(const uint8_t *bytes, size_t n);

/* "ZBXD", flags with 1 set, none above 4: Zabbix manual, "Header". */
struct answer zabbix_recognise(const uint8_t *bytes, size_t n);

/* "@RSYNCD:", with which rsync's daemon and its clients greet each other. */
struct answer rsync_recognise(const uint8_t *bytes, size_t n);

/*
 * A pkt-line (four hexadecimal digits) with one of git-daemon's three
 * services, SP, "/" (gitprotocol-pack).
 */
struct answer git_recognise(const uint8_t *bytes, size_t n);

/* Sound, pictures, games, peers: protocol_media.c */

/*
 * C0 and C1: 3, then 1536 bytes of time, version and noise (RTMP 1.0 section
 * 5.2); not what is an RDP connection request.
 */
struct answer rtmp_recognise(const uint8_t *bytes, size_t n);

/* A method, SP, a URI, SP, "RTSP/1.0" or "RTSP/2.0", EOL: RFC 2326, 7826. */
struct answer rtsp_recognise(const uint8_t *bytes, size_t n);

/* A method, SP, a URI, SP, "SIP/2.0", EOL: RFC 3261 section 7.1. */
struct answer sip_recognise(const uint8_t *bytes, size_t n);

/* "TS3INIT1", if carried over TCP: TeamSpeak 3's first packet, unpublished. */
struct answer teamspeak_recognise(const uint8_t *bytes, size_t n);

/*
 * A handshake: varint length, 0, varint version, varint length and name of
 * the server, u16 port, state 1 to 3, which fill the length; or the ping of
 * version 1.6: 0xfe, 1, 0xfa, "MC|PingHost" in UTF-16.  Minecraft Wiki, "Java
 * Edition protocol", Handshake and Server List Ping.
 */
struct answer minecraft_recognise(const uint8_t *bytes, size_t n);

/* 19, "BitTorrent protocol": BEP 3, "peer protocol". */
struct answer bittorrent_recognise(const uint8_t *bytes, size_t n);

#endif
