#!/usr/bin/env python3
"""Write the made-up first flights of this table, and their rows of INDEX.tsv.

Each row says what the bytes are expected to be by the definition of the
protocol, named in src/protocol_bytes.h.  Run it after a change to the table.
"""

import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))

NOISE = bytes((i * 167 + 91) * (i + 3) % 256 for i in range(2048))


def u16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack(">I", value)


def frame(kind, flags, stream, content):
    return (u32(len(content))[1:] + bytes((kind, flags)) + u32(stream) +
            content)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def le32(value):
    return struct.pack("<I", value)


def openvpn(length, opcode, key=0, body=None):
    body = NOISE[:length - 1] if body is None else body
    return u16(length) + bytes([opcode << 3 | key]) + body


def dns(flags=0x0100, counts=(1, 0, 0, 0), name=b"\3www\7example\3com\0",
        tail=b"\0\1\0\1", number=0x1234, length=None):
    body = struct.pack(">HH4H", number, flags, *counts) + name + tail
    return u16(len(body) if length is None else length) + body


def tpkt(payload, length=None):
    return b"\3\0" + u16(len(payload) + 4 if length is None else length) \
        + payload


def x224(rest=b"", fixed=b"\xe0\0\0\0\0\0", size=None):
    return bytes([len(fixed + rest) if size is None else size]) + fixed + rest


def postgres(code, body=b"", length=None):
    return u32(8 + len(body) if length is None else length) + u32(code) + body


def mqtt(variable, first=0x10):
    return bytes([first, len(variable)]) + variable


def kafka(kind, version, correlation, name, body=b""):
    name = u16(0xffff) if name is None else u16(len(name)) + name
    request = struct.pack(">HHI", kind, version, correlation) + name + body
    return u32(len(request)) + request


def mongodb(opcode, reply_to=0, length=58):
    return struct.pack("<IIII", length, 7, reply_to, opcode) + b"\0" * 42


def minecraft(host, state=1, kind=0, length=None, version=b"\xff\x05"):
    body = bytes([kind]) + version + bytes([len(host)]) + host + u16(25565) \
        + bytes([state])
    return bytes([len(body) if length is None else length]) + body


def winbox(name, parity=1, length=None):
    body = name + b"\0" + NOISE[:32] + bytes([parity])
    return bytes([len(body) if length is None else length, 6]) + body


def ldap(operation, number=b"\x02\x01\x01", length=None):
    body = number + operation
    return b"\x30" + (bytes([len(body)]) if length is None else length) + body


BIND = b"\x60\x07\x02\x01\x03\x04\x00\x80\x00"
USER = b"user\0u\0database\0d\0\0"
XMPP = b"<stream:stream to='example.com' version='1.0' %s>"
CLIENT = b"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"

ROWS = [
    # name, expected, bytes, note
    ("ssh_15", "ssh", b"SSH-1.5-old\n", "protocol 1"),
    ("ssh_S", "incomplete(ssh)", b"S", ""),
    ("ssh_SSH", "incomplete(ssh)", b"SSH", ""),
    ("ssh_lower", "unknown", b"ssh-2.0-x\r\n", "it is in capitals"),
    ("ssh_after_eol", "unknown", b"x\r\nSSH-2.0-x\r\n",
     "only servers send lines before it"),
    ("openvpn_v1", "openvpn", openvpn(14, 1), "hard reset of key method 1"),
    ("openvpn_two", "openvpn",
     openvpn(14, 7, body=b"12345678\0\0\0\0\0") * 2, "two at once"),
    ("openvpn_partial", "openvpn", openvpn(54, 7)[:20], "not all of it yet"),
    ("openvpn_session", "openvpn",
     openvpn(42, 7, body=b"\x12\x81\0\0\1" + NOISE[:36]),
     "a session with a count of one where DNS has it"),
    ("openvpn_len13", "unknown", openvpn(13, 7), "too short"),
    ("openvpn_server", "unknown", openvpn(26, 8), "a server's hard reset"),
    ("openvpn_control", "unknown", openvpn(100, 4), "not a reset"),
    ("openvpn_key1", "unknown", openvpn(14, 7, 1), "a reset begins key 0"),
    ("openvpn_v2_long", "unknown", openvpn(87, 7), "no digest is that long"),
    ("openvpn_v3_short", "unknown", openvpn(343, 10),
     "without room for a wrapped key"),
    ("openvpn_len", "incomplete(openvpn)", b"\0\x0e", ""),
    ("dns_like_openvpn", "dns", dns(number=0x3801),
     "number that looks like a hard reset"),
    ("dns_root", "dns", dns(name=b"\0", tail=b"\0\2\0\1"), ". NS"),
    ("dns_two", "dns", dns() * 2, "two queries"),
    ("dns_partial", "dns", dns(length=64), "some of the rest to come"),
    ("dns_answer", "unknown", dns(flags=0x8180), "a response"),
    ("dns_no_question", "unknown", dns(counts=(0, 0, 0, 0)), ""),
    ("dns_two_questions", "unknown", dns(counts=(2, 0, 0, 0)), ""),
    ("dns_pointer", "unknown", dns(name=b"\3www\xc0\x0c"),
     "nothing to point to yet"),
    ("dns_long_label", "unknown", dns(name=b"\x40" + b"a" * 64 + b"\0"), ""),
    ("dns_class0", "unknown", dns(tail=b"\0\1\0\0"), ""),
    ("dns_too_short", "unknown", dns(length=24), "the name is longer"),
    ("dns_opcode2", "unknown", dns(flags=0x1000), "STATUS is not in use"),
    ("rdp_cookie", "rdp", tpkt(x224(
        b"Cookie: mstshash=user\r\n\1\0\x08\0\3\0\0\0")), ""),
    ("rdp_token", "rdp", tpkt(x224(
        b"Cookie: msts=3640205228.15629.0000\r\n\1\0\x08\0\3\0\0\0")), ""),
    ("rdp_200", "rdp", tpkt(x224(
        b"Cookie: mstshash=" + b"u" * 170 + b"\r\n")), "beyond 127 bytes"),
    ("rdp_s7", "unknown", tpkt(x224(
        b"\xc0\1\x0a\xc1\2\1\0\xc2\2\1\2", b"\xe0\0\0\0\1\0")),
     "ISO transport: a machine's controller"),
    ("rdp_data", "unknown", tpkt(b"\2\xf0\x80"), "data without a connection"),
    ("rdp_short", "unknown", tpkt(x224(), 10), ""),
    ("postgres_ssl", "postgres", postgres(80877103), "SSLRequest"),
    ("postgres_cancel", "postgres", postgres(80877102, NOISE[:8]),
     "CancelRequest"),
    ("postgres_cancel_long", "postgres", postgres(80877102, NOISE[:36]),
     "with a key of 32 bytes, as of 18"),
    ("postgres_v32", "postgres", postgres(0x30002, USER), "3.2, as of 18"),
    ("postgres_v4", "unknown", postgres(0x40000, USER), ""),
    ("postgres_ssl_len9", "unknown", postgres(80877103, b"x", 9), ""),
    ("postgres_huge", "unknown", postgres(0x30000, USER, 10001),
     "beyond the server's limit"),
    ("mqtt_bridge", "mqtt",
     mqtt(b"\0\4MQTT\x84\2\0\x3c\0\1b"), "a bridge sets 0x80 in the level"),
    ("mqtt_v31", "mqtt", mqtt(b"\0\6MQIsdp\3\2\0\x3c\0\1c"), ""),
    ("mqtt_long", "mqtt", b"\x10\x90\1" + b"\0\4MQTT\4\2\0\x3c\0\x84",
     "remaining length of two bytes"),
    ("mqtt_level6", "unknown", mqtt(b"\0\4MQTT\6\2\0\x3c\0\1c"), ""),
    ("mqtt_name", "unknown", mqtt(b"\0\4MQXX\4\2\0\x3c\0\1c"), ""),
    ("mqtt_short", "unknown", b"\x10\x0b\0\4MQTT\4\2\0\x3c\0",
     "no room for a client's name"),
    ("mqtt_flags", "unknown", mqtt(b"\0\4MQTT\4\2\0\x3c\0\1c", 0x11),
     "CONNECT has no flags"),
    ("kafka_versions", "kafka", kafka(18, 0, 1, b"rdkafka"), "ApiVersions"),
    ("kafka_no_name", "kafka", kafka(3, 5, 0, None, b"\0\0\0\0\1"),
     "Metadata, no client id"),
    ("kafka_body_text", "kafka", kafka(18, 3, 1, b"adminclient-1", b"x" * 9),
     "text right behind the name"),
    ("kafka_name_long", "unknown",
     u32(14) + struct.pack(">HHI", 18, 0, 1) + u16(5) + b"abcde",
     "the name leaves the request"),
    ("kafka_negative", "unknown", kafka(18, 0, 0x80000000, b"x"),
     "correlation numbers are not negative"),
    ("mongodb_msg", "mongodb", mongodb(2013), "OP_MSG"),
    ("mongodb_reply", "unknown", mongodb(1), "OP_REPLY"),
    ("mongodb_compressed", "unknown", mongodb(2012), "not agreed on yet"),
    ("mongodb_to", "unknown", mongodb(2013, 5), "a request answers nothing"),
    ("minecraft_login", "minecraft", minecraft(b"mc.example.com", 2), ""),
    ("minecraft_transfer", "minecraft", minecraft(b"mc.example.com", 3), ""),
    ("minecraft_forge", "minecraft", minecraft(b"mc.example.com\0FML2\0", 2),
     "a mod appends its mark"),
    ("minecraft_minus1", "minecraft",
     minecraft(b"h", version=b"\xff\xff\xff\xff\x0f"), "version -1"),
    ("minecraft_16_ping", "minecraft", b"\xfe\1\xfa\0\x0b"
     + "MC|PingHost".encode("utf-16-be") + b"\0\7\x4a\0\0\0\0\x63\xdd", ""),
    ("minecraft_state4", "unknown", minecraft(b"localhost", 4), ""),
    ("minecraft_lengths", "unknown", minecraft(b"localhost", length=18), ""),
    ("winbox_admin", "winbox", winbox(b"admin"), ""),
    ("winbox_romon", "winbox", winbox(b"admin+r", 0), ""),
    ("winbox_parity", "unknown", winbox(b"admin", 2), ""),
    ("winbox_length", "unknown", winbox(b"admin", length=40), ""),
    ("ldap_ad", "ldap", ldap(BIND, length=b"\x84\0\0\0\x0c"),
     "length as Windows writes it"),
    ("ldap_search", "ldap", ldap(b"\x63\x05\4\0\n\1\0"), "no bind before"),
    ("ldap_number2", "ldap", ldap(BIND, b"\2\2\1\0"), "message 256"),
    ("ldap_number0", "unknown", ldap(BIND, b"\2\1\0"), "is the server's"),
    ("ldap_snmp", "unknown", ldap(b"\4\6public\xa0\0", b"\2\1\1"),
     "SNMP over TCP"),
    ("ldap_response", "unknown", ldap(b"\x61\7\n\1\0\4\0\4\0"), ""),
    ("smb2", "smb", b"\0\0\0\x6c\xfeSMB\x40\0" + b"\0" * 102, ""),
    ("smb_netbios", "smb", b"\x81\0\0\x44\x20" + b"CK" * 16 + b"\0\x20"
     + b"FH" * 16 + b"\0", "session request of port 139"),
    ("smb3_encrypted", "unknown", b"\0\0\0\x6c\xfdSMB" + NOISE[:104],
     "nothing is agreed on yet"),
    ("socks4_bind", "socks4", b"\4\2\0\x50\xc0\0\2\1me\0", ""),
    ("socks4_connect3", "unknown", b"\4\3\0\x50\xc0\0\2\1me\0", ""),
    ("socks4_binary", "unknown", b"\4\1\0\x50\xc0\0\2\1\1\2\0",
     "control bytes in a user's name"),
    ("socks4_no_end", "incomplete(socks4)", b"\4\1\0\x50\xc0\0\2\1me", ""),
    ("socks4a_no_host", "unknown", b"\4\1\0\x50\0\0\0\1me\0\0", ""),
    ("socks5_private", "socks5", b"\5\2\0\x80", "a private method"),
    ("socks5_none", "unknown", b"\5\0\1\2\3\4\5\6\7", "no method"),
    ("socks5_ff", "unknown", b"\5\1\xff\xff\xff\xff", "only servers say 0xff"),
    ("socks5_twice", "unknown", b"\5\3\0\2\2", ""),
    ("socks5_short", "incomplete(socks5)", b"\5\3\0\1", ""),
    ("cassandra_v3", "cassandra", b"\3\0\0\0\5\0\0\0\0", "OPTIONS"),
    ("cassandra_v5", "cassandra", b"\5\0\0\1\5\0\0\0\0", "OPTIONS"),
    ("cassandra_v2", "cassandra", b"\2\0\0\1\0\0\0\x16\0\1\0\x0bCQL_VERSION"
     b"\0\x053.0.0", "STARTUP, a stream of one byte"),
    ("cassandra_query", "unknown", b"\4\0\0\0\7\0\0\0\x10" + b"SELECT",
     "no query before STARTUP"),
    ("cassandra_answer", "unknown", b"\x84\0\0\0\0\0\0\0\x0a" + b"\0" * 10, "ERROR"),
    ("mssql_data", "unknown", b"\1\1\0\x2f\0\0\1\0" + b"\0" * 39,
     "a batch before the login"),
    ("mssql_bad_offset", "unknown", b"\x12\1\0\x2f\0\0\1\0\0\0\x30\0\6",
     "beyond the packet"),
    ("redis_inline", "unknown", b"PING\r\n", "could be anybody's"),
    ("redis_zero", "unknown", b"*0\r\n$4\r\n", ""),
    ("redis_answer", "unknown", b"+OK\r\n", ""),
    ("amqp10", "amqp", b"AMQP\0\1\0\0", ""),
    ("amqp10_sasl", "amqp", b"AMQP\3\1\0\0", ""),
    ("amqp_other", "unknown", b"AMQP\4\1\0\0", ""),
    ("xmpp_client", "xmpp", b"<?xml version='1.0'?>" + XMPP % CLIENT, ""),
    ("xmpp_server", "xmpp", b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
     b"<stream:stream\n\txmlns=\"jabber:server\">", ""),
    ("xmpp_unprefixed", "xmpp",
     b"<stream xmlns='http://etherx.jabber.org/streams'>", ""),
    ("xmpp_declaration", "incomplete(xmpp)", b"<?xml version='1.0'?>",
     "some send it alone"),
    ("xmpp_other", "unknown", XMPP % b"xmlns='urn:x'",
     "a stream of something else"),
    ("xmpp_not_xmlns", "unknown", XMPP % b"xmlnsx='jabber:client'",
     "an attribute that declares nothing"),
    ("xmpp_in_value", "unknown", b"<a b=\"xmlns='jabber:client'\">", ""),
    ("xmpp_html", "unknown", b"<html><body>jabber:client</body></html>", ""),
    ("syslog_3164", "syslog", b"<34>Oct 11 22:14:15 host su: x\n", ""),
    ("syslog_octets", "syslog", b"24 <165>1 - - - - - - hello", ""),
    ("syslog_192", "unknown", b"<192>1 - - - - - - x\n", ""),
    ("syslog_zero", "unknown", b"<034>x\n", "a needless zero"),
    ("syslog_octets0", "unknown", b"012 <34>x\n", ""),
    ("tinc_invitation", "tinc", b"0 ?" + b"A" * 43 + b" 17.7\n", ""),
    ("tinc_10", "tinc", b"0 node_1 17\n", ""),
    ("tinc_16", "unknown", b"0 node1 16\n", ""),
    ("tinc_name", "unknown", b"0 no-de 17.7\n", ""),
    ("teamspeak", "teamspeak", b"TS3INIT1\0\x65\0\0\x88\x0a", ""),
    ("adb_tls_version", "adb", b"CNXN\1\0\0\1\0\0\x10\0\7\0\0\0" + NOISE[:4]
     + b"\xbc\xb1\xa7\xb1host::", ""),
    ("adb_device", "unknown", b"CNXN\1\0\0\1\0\0\x10\0\7\0\0\0" + NOISE[:4]
     + b"\xbc\xb1\xa7\xb1device:", "the other end"),
    ("adb_magic", "unknown", b"CNXN\1\0\0\1\0\0\x10\0\7\0\0\0" + NOISE[:4]
     + b"\xbc\xb1\xa7\xb2host::", ""),
    ("git_receive", "git", b"0037git-receive-pack /x.git\0host=example.com\0",
     ""),
    ("git_other", "unknown", b"0015git-frobnicate /x", ""),
    ("rsync_31", "rsync", b"@RSYNCD: 31.0\n", ""),
    ("bittorrent_other", "unknown", b"\x13BitTorrent protocoL" + NOISE[:48],
     ""),
    ("stomp_crlf", "stomp", b"STOMP\r\naccept-version:1.2\r\nhost:x\r\n\r\n\0",
     ""),
    ("stomp_send", "unknown", b"SEND\ndestination:/q\n\nx\0",
     "nothing before CONNECT"),
    ("nats_no_object", "unknown", b"CONNECT verbose\r\n", ""),
    ("zabbix_compressed", "zabbix", b"ZBXD\3\x10\0\0\0\x20\0\0\0" + NOISE[:16],
     ""),
    ("zabbix_flags", "unknown", b"ZBXD\x08\x10\0\0\0\0\0\0\0", ""),
    ("memcached_set", "memcached", b"set key 0 0 5\r\nhello\r\n", ""),
    ("memcached_binary", "memcached",
     b"\x80\x0b\0\0\0\0\0\0\0\0\0\0" + b"\0" * 12, "version"),
    ("memcached_meta", "memcached", b"mg key v\r\n", ""),
    ("memcached_response", "unknown", b"\x81" + b"\0" * 23, ""),
    ("memcached_word", "unknown", b"getter\r\n", ""),
    ("irc_user", "irc", b"USER guest 0 * :Real Name\r\n", ""),
    ("irc_nick", "irc", b"NICK guest\r\nUSER guest 0 * :x\r\n", ""),
    ("irc_pass", "irc", b"PASS secret\r\nNICK guest\r\n", ""),
    ("irc_cap", "irc", b"CAP LS 302\r\n", ""),
    ("irc_nick_noop", "irc", b"NICK noop\r\n",
     "a command of IMAP with a tag"),
    ("smtp_ehlo", "smtp", b"EHLO client.example.com\r\n", ""),
    ("smtp_helo_lower", "smtp", b"helo [192.0.2.1]\r\n", ""),
    ("smtp_no_name", "unknown", b"EHLO \r\n", ""),
    ("imap_login", "imap", b"a001 LOGIN user pass\r\n", ""),
    ("imap_capability", "imap", b". CAPABILITY\r\n", ""),
    ("imap_select", "unknown", b"a001 SELECT inbox\r\n",
     "nothing before the login"),
    ("pop3_capa", "pop3", b"CAPA\r\n", ""),
    ("pop3_apop", "pop3",
     b"APOP user c4c9334bac560ecc979e58001b3e22fb\r\n", ""),
    ("pop3_retr", "unknown", b"RETR 1\r\n", ""),
    ("sip_invite", "sip", b"INVITE sip:b@example.com SIP/2.0\r\n", ""),
    ("sip_answer", "unknown", b"SIP/2.0 200 OK\r\n", ""),
    ("sip_version", "unknown", b"INVITE sip:b@example.com SIP/1.0\r\n", ""),
    ("sip_no_end", "incomplete(sip)", b"INVITE sip:b@example.com SIP/2.0",
     ""),
    ("rtsp_setup", "rtsp", b"SETUP rtsp://h/x RTSP/2.0\r\nCSeq: 1\r\n\r\n",
     ""),
    ("rtsp_version", "unknown", b"SETUP rtsp://h/x RTSP/3.0\r\n\r\n", ""),
    ("rtmp_encrypted", "unknown", b"\6" + NOISE[:1536], "RTMPE"),
    ("rtmp_short", "incomplete(rtmp)", b"\3\0\0\0\0\0\0\0\0" + NOISE[:1527],
     "one byte is missing"),
    ("vnc", "unknown", b"RFB 003.008\n", "a server speaks first"),
    ("json", "unknown", b"{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n", ""),
    ("http2_padded", "http2", PREFACE + frame(4, 0, 0, b"\0\1\0\0\0\0") +
     frame(8, 0, 0, u32(65535)) + frame(6, 0, 0, NOISE[:8]) +
     frame(0x99, 0, 0, b"zz") +
     frame(1, 0x28, 1, b"\5" + u32(0x80000003) + b"\xc8" + b"\x20\x82\x86" +
           b"\x44\2/a" + NOISE[:5]) + frame(9, 0, 1, b"\x41\x03ww") +
     frame(9, 0, 1, b"") + frame(9, 4, 1, b"w"),
     "padding, priority, a smaller table, CONTINUATION, unknown frames"),
    ("empty_line", "incomplete(http)", b"\r\n", "before the request"),
    ("utf8_text", "unknown", "grüße an alle\n".encode(), ""),
    ("ff_32", "unknown", b"\xff" * 32, ""),
    ("noise_32", "unknown", bytes(255 - i * 5 % 251 for i in range(32)), ""),
]


def main():
    with open(os.path.join(HERE, "INDEX.tsv"), encoding="utf-8") as file:
        head, *rows = [line.split("\t") for line in file]
    names = {"der_" + row[0] for row in ROWS}
    assert len(names) == len(ROWS), "a name twice"
    rows = [row for row in rows if row[0] not in names]
    for name, expected, flight, note in ROWS:
        with open(os.path.join(HERE, f"der_{name}.bin"), "wb") as file:
            file.write(flight)
        rows.append(["der_" + name, "made up", expected, "-", "-",
                     (note or "-") + "\n"])
    rows.sort(key=lambda row: row[0].encode())
    with open(os.path.join(HERE, "INDEX.tsv"), "w", encoding="utf-8") as file:
        file.writelines("\t".join(row) for row in [head] + rows)


if __name__ == "__main__":
    main()
