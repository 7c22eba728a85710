"""PROXY headers that come in: who is believed, and who is not."""

import os
import re
import signal
import sys

from roads import (NOOP, TCP4, TCP6, UNIX, UNSPEC, plain, received_after, script,
                   served_by, tlv, v1, v2, v2_head)
from wire import (Backend, Usher, check, expect, hello, run_checks, same,
                  shared, wait_for, HOST)

HEADER = v1("192.0.2.7", "198.51.100.1")

backend = Backend("v4")


def trusting(text, **options):
    return served_by(text, "accept-proxy = 127.0.0.0/8", **options)


def await_errors(usher, count):
    """There have been so many connections that ended so.  The log does not
    tell of them all."""
    def find():
        return re.findall(r'usher_ends_total{service="",end="error"} (\d+)',
                          usher.status("--prometheus"))
    expect(wait_for(lambda: find() == ["%d" % count]),
           "%s errors, not %d" % (find(), count))


@check("the address in the header is the client's in the rules and the log")
def _():
    sink = Backend("sink", plain)
    usher = Usher("""
        inspect-timeout = 500ms
        accept-proxy = 127.0.0.1
        [lan]
        from = 192.0.2.0/24
        local = 198.51.100.1:443
        backend = %s
        proxy-protocol = v1
        [any]
        protocol = any silent
        backend = %s
        """ % (sink.address, backend.address))
    got, _ = received_after(usher, sink, HEADER + b"hello")
    same(got, HEADER + b"hello", "by v1")
    usher.await_line(r"client=192\.0\.2\.7 .*client_port=50000\b")
    got, _ = received_after(usher, sink, v2(
        "192.0.2.8", "198.51.100.1", 50001, tlvs=tlv(NOOP, b"abcd")) +
        b"hello")
    same(got, v1("192.0.2.8", "198.51.100.1", 50001) + b"hello", "by v2")
    usher.await_line(r"client=192\.0\.2\.8 .*client_port=50001\b")
    usher.stop()


@check("what follows the header is what the backend gets, seen or not")
def _():
    sink = Backend("sink", plain)
    usher = Usher("""
        inspect-timeout = 500ms
        accept-proxy = 127.0.0.1
        [lan]
        from = 192.0.2.0/24
        backend = %s
        [any]
        protocol = any silent
        backend = %s
        """ % (sink.address, sink.address))
    for header in (HEADER, v2("192.0.2.7", "198.51.100.1"),
                   v1("192.0.3.7", "198.51.100.1")):
        for text in (b"hello", b"SSH-2.0-x\r\n", b"y" * 3000, b"z" * 70000):
            got, _ = received_after(usher, sink, header + text)
            same(got, text, "after %r" % header)
    usher.stop()


@check("a program learns of the header's addresses, both of them")
def _():
    usher = trusting("exec = " + script("ends", """
        read -r line
        echo "$line $REMOTE_ADDR:$REMOTE_PORT $LOCAL_ADDR:$LOCAL_PORT" \\
            "$TCPREMOTEIP:$TCPREMOTEPORT $TCPLOCALIP:$TCPLOCALPORT"
        """))
    for header, ends in (
            (HEADER, "192.0.2.7:50000 198.51.100.1:443"),
            (v2("2001:db8::7", "2001:db8::1"),
             "2001:db8::7:50000 2001:db8::1:443"),
            (b"PROXY UNKNOWN\r\n", None)):
        with usher.connect() as client:
            client.send(header + b"x\n")
            ends = ends or "%s:%d %s:%d" % (HOST, client.local, HOST,
                                            usher.port)
            same(client.line(), "x %s %s" % (ends, ends))
    usher.stop()


@check("a header split after each of its bytes")
def _():
    sink = Backend("sink", plain)
    usher = trusting("backend = %s\nproxy-protocol = v1" % sink.address,
                     inspect="1h")
    headers = HEADER, v2("192.0.2.7", "198.51.100.1", tlvs=tlv(NOOP, b"ab"))
    for header in headers:
        clients = []
        for at in range(1, len(header)):
            client = usher.connect()
            client.send(header[:at])
            clients.append((client, header[at:]))
        usher.accepted(len(clients))
        for client, rest in clients:
            client.send(rest + b"x").finish()
        for client, _ in clients:
            client.rest()
            client.close()
    # Byte for byte.
    index = sink.accepted
    with usher.connect() as client:
        for byte in HEADER:
            client.send(bytes([byte]))
        client.send(b"x").finish()
        client.rest()
    expect(wait_for(lambda: sink.ends[index:] and sink.ends[index]), "no end")
    expect(wait_for(lambda: None not in sink.ends), "no end")
    same(set(sink.received), {HEADER + b"x"})
    same(len(sink.received), sum(map(len, headers)) - 1, "clients")
    usher.stop()


def state(pid):
    """The letter that ps shows, or None."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


@check("a header and nothing more is a client that has left")
def _():
    usher = trusting("backend = " + backend.address, inspect="1h")
    before = backend.accepted
    for count, at in enumerate((0, 9, len(HEADER) - 1)):
        with usher.connect() as client:
            client.send(HEADER[:at])
            # Before the first byte, and in shared mode, it is not its own.
            expect(wait_for(lambda: at == 0 or shared or usher.process_of(
                client) != usher.acceptor()), "it has no process")
            child = usher.process_of(client)
            expect(wait_for(lambda: state(child) == "S"), "it never waits")
            # What comes next, and the FIN, is to be seen in one look.
            os.kill(child, signal.SIGSTOP)
            expect(wait_for(lambda: state(child) == "T"), "it never stops")
            client.send(HEADER[at:]).finish()
            os.kill(child, signal.SIGCONT)
            same(client.rest(), b"", "answered after %d" % at)
        usher.await_line("end=gone", count + 1)
    same(backend.accepted, before, "connections of the backend")
    usher.stop()


@check("a header and silence is a client that is silent")
def _():
    usher = trusting("backend = " + backend.address)
    with usher.connect() as client:
        client.send(HEADER)
        same(client.line(), "v4")
        client.finish().rest()
    usher.await_line(r"client=192\.0\.2\.7 .*protocol=silent")
    usher.stop()


@check("LOCAL, UNKNOWN and what is not TCP is taken off, the address stays")
def _():
    sink = Backend("sink", plain)
    usher = trusting("backend = %s\nproxy-protocol = v1" % sink.address)
    tlvs = tlv(NOOP, b"abcd")
    path = b"/client".ljust(108, b"\0") + b"/server".ljust(108, b"\0")
    for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN some more\r\n",
                   b"PROXY UNKNOWN ".ljust(105, b"x") + b"\r\n",
                   v2_head(0x20, UNSPEC, 0),
                   v2_head(0x20, TCP4, 12) + bytes(range(12)),
                   v2_head(0x20, UNSPEC, len(tlvs)) + tlvs,
                   v2_head(0x20, TCP6, 4) + b"abcd",
                   v2_head(0x21, UNSPEC, 0),
                   v2_head(0x21, UNIX, len(path)) + path,
                   v2_head(0x21, 0x12, 12) + bytes(range(12)),
                   v2_head(0x21, UNSPEC, 20000) + bytes(20000)):
        got, local = received_after(usher, sink, header + b"hello")
        same(got, v1(HOST, HOST, local, usher.port) + b"hello",
             "after %r" % header[:40])
    usher.stop()


@check("of two headers the first is one, the second is bytes")
def _():
    sink = Backend("sink", plain)
    usher = trusting("backend = %s\nproxy-protocol = v1" % sink.address)
    other = v2("203.0.113.9", "203.0.113.10")
    for first in (HEADER, v2("192.0.2.7", "198.51.100.1")):
        for second in (other, v1("203.0.113.9", "203.0.113.10")):
            got, _ = received_after(usher, sink, first + second)
            same(got, HEADER + second)
    usher.stop()


# What a trusted sender must not send: the last byte of each is the one that
# makes it wrong, or after which nothing comes.
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 "
WRONG = (
    b"hello", b"PROXY TCP4 1.2.3 ", b"PROXY UNKN\r", b"PROXY  ",
    b"proxy", b"PROXY TCP5", b"PROXY TCP4 2001:db8::7 ",
    b"PROXY TCP4 ::ffff:192.0.2.7 ", b"PROXY TCP6 192.0.2.7 ",
    b"PROXY TCP4 192.0.2.07 ", b"PROXY TCP4 192.0.2.7  ",
    b"PROXY TCP4 192.0.2.7 198.51.100.256 ",
    V1 + b"01", V1 + b"65536", V1 + b"50000 65536", V1 + b"50000 443 ",
    V1 + b"50000 443\n", V1 + b"50000 443\rx", V1 + b"50000 443\r\r",
    V1 + b"+", V1 + b"-1", V1 + b"0x",
    b"PROXY UNKNOWN ".ljust(108, b"x"),
    b"PROXY UNKNOWN ".ljust(106, b"x") + b"\r\n",
    v2_head(0x11, TCP4, 12)[:13], v2_head(0x31, TCP4, 12)[:13],
    v2_head(0x22, TCP4, 12)[:13],
    v2_head(0x21, TCP4, 0), v2_head(0x21, TCP4, 11),
    v2_head(0x21, TCP6, 35), b"\r\n\r\n\0\r\nQUIT\r", b"\r\n\r\n\r",
    hello("www.example.com")[:1])

# All of these are the beginning of a header that is never finished.
HALF = (b"P", V1 + b"50000 443", V1 + b"50000 443\r",
        b"PROXY UNKNOWN ".ljust(106, b"x") + b"\r",
        v2_head(0x21, TCP4, 12) + bytes(11), v2_head(0x20, UNSPEC, 1),
        v2_head(0x21, TCP4, 65535) + bytes(12))


@check("without a valid header from who is trusted: closed, nothing forwarded")
def _():
    usher = trusting("backend = " + backend.address, inspect="1h")
    before = backend.accepted
    for count, data in enumerate(WRONG):
        with usher.connect() as client:
            client.send(data)
            expect(client.end() in ("fin", "reset"), "not closed at once")
        await_errors(usher, count + 1)
    usher.await_line('client=127.0.0.1 .* error="Protocol error" end=error')
    same(backend.accepted, before, "connections of the backend")
    usher.stop()


@check("a header that is not finished in time, or at all: the same")
def _():
    usher = trusting("backend = " + backend.address)
    before = backend.accepted
    for finish in (False, True):
        clients = [usher.connect().send(data) for data in HALF]
        for client, data in zip(clients, HALF):
            if finish:
                client.finish()
            expect(client.end() in ("fin", "reset"), "not closed")
            expect(finish or client.took() >= 0.5, "%r: too early" % data)
            client.close()
    await_errors(usher, 2 * len(HALF))
    same(backend.accepted, before, "connections of the backend")
    usher.stop()


@check("from anybody else all of that is bytes")
def _():
    sink = Backend("sink", plain)
    usher = served_by("backend = %s" % sink.address,
                      "accept-proxy = 127.0.0.5 192.0.2.0/24")
    for data in (HEADER, v2("192.0.2.7", "198.51.100.1"), *WRONG, *HALF):
        got, _ = received_after(usher, sink, data)
        same(got, data)
    usher.stop()


@check("ports 0 and 65535 are ports")
def _():
    sink = Backend("sink", plain)
    usher = trusting("backend = %s\nproxy-protocol = v1" % sink.address)
    for write in (v1, v2):
        for ports in ((0, 65535), (65535, 0)):
            header = write("192.0.2.7", "198.51.100.1", *ports)
            got, _ = received_after(usher, sink, header + b"x")
            same(got, v1("192.0.2.7", "198.51.100.1", *ports) + b"x")
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
