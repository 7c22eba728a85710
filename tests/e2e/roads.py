"""What the tests of where connections go have in common: usher with a single
service, backends that only listen, programs, PROXY headers."""

import ipaddress
import os
import socket
import struct

from wire import Backend, Usher, expect, same, tmp, wait_for

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

# What a header of version 2 says of the addresses: nothing, IPv4, IPv6, a
# path; and TLVs after them.
UNSPEC, TCP4, TCP6, UNIX = 0x00, 0x11, 0x21, 0x31
ALPN, AUTHORITY, NOOP = 0x01, 0x02, 0x04


def served_by(text, settings="", inspect="500ms", **options):
    """usher with one service, of these lines."""
    return Usher("inspect-timeout = %s\n%s\n[one]\nprotocol = any silent\n"
                 "%s\n" % (inspect, settings, text), **options)


def has_ipv6():
    try:
        Backend("v6", family=socket.AF_INET6, address="::1")
        return True
    except OSError:
        return False


def plain(backend, conn, index):
    """No greeting: what came is kept, and answered with its length."""
    while backend.read(conn, index):
        conn.sendall(b"%d\n" % len(backend.received[index]))


def script(name, text, head="#!/bin/sh\n"):
    path = "%s/%s" % (tmp, name)
    with open(path, "w") as f:
        f.write(head + text)
    os.chmod(path, 0o755)
    return path


def received_after(usher, sink, data, **options):
    """What the backend gets of a client that sends this, and the client's
    port."""
    index = sink.accepted
    with usher.connect(**options) as client:
        client.send(data).finish()
        client.rest()
        local = client.local
    expect(wait_for(lambda: sink.ends[index:] and sink.ends[index]),
           "no end at the backend")
    return sink.received[index], local


def v1(source, target, source_port=50000, target_port=443):
    """A header; the family is that of the first address."""
    family = "TCP6" if ":" in source else "TCP4"
    return ("PROXY %s %s %s %d %d\r\n" % (family, source, target, source_port,
                                          target_port)).encode()


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def v2_head(command, family, length):
    return SIGNATURE + struct.pack(">BBH", command, family, length)


def v2(source, target, source_port=50000, target_port=443, tlvs=b""):
    addresses = [ipaddress.ip_address(a).packed for a in (source, target)]
    body = b"".join(addresses) + struct.pack(">HH", source_port, target_port)
    family = TCP4 if len(addresses[0]) == 4 else TCP6
    return v2_head(0x21, family, len(body + tlvs)) + body + tlvs


def parse_v2(data):
    """The family, the addresses and ports, the TLVs and what comes after the
    header of version 2 with which data begins."""
    same(data[:12], SIGNATURE, "signature")
    command, family, length = struct.unpack(">BBH", data[12:16])
    same(command, 0x20 if family == UNSPEC else 0x21, "version and command")
    body, rest = data[16:16 + length], data[16 + length:]
    same(len(body), length, "bytes of the header")
    size = {UNSPEC: 0, TCP4: 4, TCP6: 16}[family]
    addresses = ()
    if size:
        source, target = body[:size], body[size:2 * size]
        addresses = ("%s" % ipaddress.ip_address(source),
                     "%s" % ipaddress.ip_address(target),
                     *struct.unpack(">HH", body[2 * size:2 * size + 4]))
        body = body[2 * size + 4:]
    tlvs = {}
    while body:
        size, = struct.unpack(">H", body[1:3])
        tlvs[body[0]] = body[3:3 + size]
        body = body[3 + size:]
    return family, addresses, tlvs, rest
