"""What a multiplexer can get wrong about the first bytes, seen from outside:
each check is a client, and the backends that must or must not hear of it."""

import os
import socket
import sys

from sorting import (INSPECT, SOON, SILENCE, backends, usher, goes_to)
from wire import (Usher, check, expect, hello, hello_message, records,
                  run_checks, same, wait_for)


# -- names ----------------------------------------------------------------------

@check("a name reaches its own service, whatever its case or a trailing dot")
def _():
    for name in ("www.example.com", "WWW.Example.COM", "www.example.com."):
        goes_to("site", hello(name))


@check("*.example.com takes names below it, of one label and of more")
def _():
    for name in ("a.example.com", "b.a.example.com", "WWW2.EXAMPLE.COM"):
        goes_to("domain", hello(name))


@check("*.example.com takes neither evilexample.com nor example.com itself")
def _():
    for name in ("evilexample.com", "example.com", "www.example.com.evil.net",
                 "xexample.com"):
        goes_to("wild", hello(name))


@check("a hello without a name is TLS without a name")
def _():
    goes_to("noname", hello())


@check("a name with NUL, control or blank bytes is no name")
def _():
    for name in (b"www.example.com\0.evil.net", b"www\n.example.com",
                 b"www.example.com ", b"a b.example.com", b"\x1b[2J"):
        goes_to("noname", hello(name))


# -- any number of pieces ---------------------------------------------------------

@check("an SSH banner split after any byte is ssh")
def _():
    banner = b"SSH-2.0-OpenSSH_9.2\r\n"
    for at in range(1, 9):
        goes_to("ssh", banner, (banner[:at], banner[at:]))
    goes_to("ssh", banner)


@check("the first bytes of an SSH banner decide nothing, four of them do")
def _():
    with usher.connect() as client:
        client.send(b"SSH")
        expect(client.quiet(.5), "decided by SSH alone")
        client.send(b"-1.99-old\r\n")
        same(client.line(), "ssh")
        expect(client.took() < INSPECT, "waited for the deadline")


@check("bytes that can be neither TLS nor SSH are decided at once")
def _():
    for data in (b"GET / HTTP/1.0\r\n\r\n", b"\0", b"x", b"SSX", b"\x16\x02",
                 bytes(range(200, 250)), b"\x80\x2e\x01\x03\x01"):
        goes_to("any", data)


@check("a hello in two records is read across them, wherever it is cut")
def _():
    message = hello_message("www.example.com")
    for cut in (1, 3, 4, 5, 40, len(message) - 30, len(message) - 12,
                len(message) - 1):
        both = records(message, cut)
        goes_to("site", b"".join(both))
        goes_to("site", b"".join(both), both)


@check("a hello in records of one byte each is read")
def _():
    message = hello_message("www.example.com")
    goes_to("site", b"".join(records(message, *range(1, len(message)))))


@check("a hello of 16 KiB is read, in one record and sent in two halves")
def _():
    message = hello_message("www.example.com", pad=16384)
    pad = 16384 - (len(message) - 16384)
    message = hello_message("www.example.com", pad=pad)
    same(len(message), 16384)
    whole = b"".join(records(message))
    goes_to("site", whole)
    goes_to("site", whole, (whole[:8000], whole[8000:]))


@check("a hello of 40 KiB in three records is read")
def _():
    message = hello_message("www.example.com", pad=40000)
    goes_to("site", b"".join(records(message, 16384, 32768)))


@check("a hello followed by other bytes is not mixed up with them")
def _():
    goes_to("site", hello("www.example.com") + b"\x14\x03\x03\x00\x01\x01" +
            os.urandom(3000))


# -- time -------------------------------------------------------------------------

@check("a silent client is decided at the deadline, not before")
def _():
    with usher.connect() as client:
        same(client.line(), "ssh")
        expect(SILENCE * .95 < client.took(), "after %.2f s" % client.took())
        client.send(b"now\n")
        same(client.line(), "now")


@check("dripping bytes do not move the deadline")
def _():
    data = hello("www.example.com")[:40]
    with usher.connect() as client:
        sent = 0
        while client.quiet(INSPECT / 16) and sent < len(data):
            client.send(data[sent:sent + 1])
            sent += 1
        same(client.line(), "any")
        expect(INSPECT * .95 < client.took() < INSPECT * 2,
               "decided after %.2f s" % client.took())
        same(client.exactly(sent), data[:sent], "echo is")


@check("urgent bytes arrive where they were sent, wherever that is")
def _():
    data = b"SSH-2.0-urgent\r\n"
    # What is behind one, unless it is the first, the kernel does not show.
    for at, name in ((0, "ssh"), (2, "any"), (9, "ssh"), (15, "ssh")):
        with usher.connect() as client:
            client.send(data[:at])
            client.socket.send(data[at:at + 1], socket.MSG_OOB)
            client.send(data[at + 1:])
            same(client.line(), name, "urgent byte %d" % at)
            expect(client.took() < (SOON if name == "ssh" else INSPECT * 2),
                   "after %.2f s" % client.took())
            same(client.exactly(len(data)), data, "echo is")
            client.socket.send(b"!", socket.MSG_OOB)
            client.send(b"?").finish()
            same(client.rest(), b"!?", "echo is")


@check("an unfinished hello is decided at the deadline, and is not TLS")
def _():
    whole = hello("www.example.com")
    clients = [usher.connect().send(data) for data in (
        whole[:-1], whole[:5], b"\x16",
        b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb\x03\x03")]
    for client in clients:
        same(client.line(), "any")
        expect(INSPECT * .95 < client.took() < INSPECT * 2,
               "after %.2f s" % client.took())
        client.close()


@check("what came too late to decide at once counts at the deadline all the same")
def _():
    # Could be RTMP, which takes 1,537 bytes to tell: until then nobody looks.
    other = Usher("""
        inspect-timeout = 500ms
        [rtmp]
        protocol = rtmp
        reject = reset
        [cassandra]
        protocol = cassandra
        backend = %s
        [any]
        protocol = any
        reject = close
        """ % backends["ssh"].address)
    data = b"\x03\0\0\0\5\0\0\0\0"
    for at in (1, 4, 8):
        with other.connect() as client:
            client.send(data[:at])
            wait_for(lambda: len(other.descendants()) > 1)
            same(client.send(data[at:]).line(), "ssh", "cut at %d" % at)
    other.stop()


@check("an unfinished hello of a client that has finished is decided at once")
def _():
    data = hello("www.example.com")[:-1]
    with usher.connect() as client:
        client.send(data).finish()
        same(client.line(), "any")
        expect(client.took() < SOON, "after %.2f s" % client.took())
        same(client.rest(), data, "echo is")


@check("a malformed hello is decided at once")
def _():
    good = hello_message("www.example.com")
    bad = (b"\x16\x03\x01\x00\x00" + b"x" * 40,  # an empty handshake record
           b"\x16\x03\x01\x00\x08\x02\x00\x00\x04abcd",  # a server's hello
           b"".join(records(good[:38] + b"\xff" + good[39:])))  # session id 255
    for data in bad:
        goes_to("any", data)


@check("waiting for the rest of a hello costs no processor time")
def _():
    clients = [usher.connect().send(hello("x.test")[:100]) for _ in range(8)]
    before = processor_time()
    for client in clients:
        same(client.line(), "any")
    used = processor_time() - before
    for client in clients:
        client.close()
    expect(used < INSPECT / 10 * len(clients), "%.3f s" % used)


def processor_time():
    """Seconds, of all processes under test that are alive."""
    total = 0
    for pid in usher.descendants() | {usher.process.pid}:
        try:
            with open("/proc/%d/schedstat" % pid) as f:
                total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1e9


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
