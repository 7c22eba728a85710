"""ClientHellos of TLS, whole and in pieces."""

import struct


def extension(kind, body):
    return struct.pack(">HH", kind, len(body)) + body


def hello_message(name=None, pad=0, alpn=()):
    """A ClientHello handshake message; pad adds an extension so large."""
    extensions = b""
    if pad:
        extensions += extension(21, b"\0" * pad)
    if name is not None:
        raw = name if isinstance(name, bytes) else name.encode()
        entry = b"\0" + struct.pack(">H", len(raw)) + raw
        extensions += extension(0, struct.pack(">H", len(entry)) + entry)
    extensions += extension(43, b"\x04\x03\x04\x03\x03")
    if alpn:
        names = b"".join(bytes([len(a)]) + a.encode() for a in alpn)
        extensions += extension(16, struct.pack(">H", len(names)) + names)
    body = (b"\x03\x03" + bytes(range(32)) + b"\x20" + bytes(32) +
            b"\x00\x04\x13\x01\xc0\x2f" + b"\x01\x00" +
            struct.pack(">H", len(extensions)) + extensions)
    return b"\x01" + len(body).to_bytes(3, "big") + body


def records(message, *cuts):
    """The message in TLS records, cut at these places."""
    edges = [0, *cuts, len(message)]
    return [b"\x16\x03\x01" + struct.pack(">H", b - a) + message[a:b]
            for a, b in zip(edges, edges[1:])]


def hello(name=None, pad=0, alpn=()):
    return b"".join(records(hello_message(name, pad, alpn)))
