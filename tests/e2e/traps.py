"""What a multiplexer can get wrong about the first bytes, seen from outside:
each check is a client, and the backends that must or must not hear of it."""

import os
import socket
import subprocess
import sys
import time

from wire import (Backend, Client, Usher, check, closed_port, expect, hello,
                  hello_message, records, run_checks, same, tmp, wait_for)

INSPECT = 6.0  # seconds, in all rules here
SOON = INSPECT / 2  # a decision by now was not made by the deadline
SILENCE = INSPECT if os.environ.get("MUX") == "haproxy" else 1.0

NAMES = ("site", "domain", "wild", "noname", "ssh", "any")
backends = {name: Backend(name) for name in NAMES}
dead_holder, dead_port = closed_port()

RULES = """
inspect-timeout = 6s
silence-timeout = 1s
[site]
server-name = www.example.com
backend = {site.address}
[dead]
server-name = dead.example.com
backend = 127.0.0.1:{dead_port}
[close]
server-name = close.example.com
reject = close
[reset]
server-name = reset.example.com
reject = reset
[domain]
server-name = *.example.com
backend = {domain.address}
[wild]
server-name = *
backend = {wild.address}
[noname]
protocol = tls
backend = {noname.address}
[ssh]
protocol = ssh silent
backend = {ssh.address}
[any]
protocol = any
backend = {any.address}
"""

HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend f
  bind 127.0.0.1:{port}
  tcp-request inspect-delay 1s
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
  use_backend site if {{ req.ssl_sni -i www.example.com }}
  use_backend dead if {{ req.ssl_sni -i dead.example.com }}
  use_backend domain if {{ req.ssl_sni -m end example.com }}
  use_backend wild if {{ req.ssl_sni -m found }}
  use_backend noname if {{ req.ssl_hello_type 1 }}
  use_backend ssh if {{ payload(0,7) -m bin 5353482d322e30 }}
  use_backend ssh if {{ req.len 0 }}
  use_backend any if !{{ req.len 0 }}
backend dead
  server s 127.0.0.1:{dead_port}
{servers}
"""


class Haproxy(Usher):
    """The same rules in haproxy's words: which checks does it fail?"""

    def __init__(self):
        holder, port = closed_port()
        holder.close()
        path = tmp + "/haproxy.cfg"
        with open(path, "w") as f:
            f.write(HAPROXY.format(
                port=port, dead_port=dead_port, servers="\n".join(
                    "backend %s\n  server s %s" % (b.name, b.address)
                    for b in backends.values())))
        self.log_file = tmp + "/haproxy.log"
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                ["haproxy", "-db", "-f", path], stdout=log, stderr=log,
                start_new_session=True)
        Usher.running.append(self)
        self.ports = [port]
        expect(wait_for(self.answers), "haproxy does not listen")

    def answers(self):
        try:
            Client(self.port).send(b"x").close()
            return True
        except OSError:
            return False


def start():
    if os.environ.get("MUX") == "haproxy":
        return Haproxy()
    return Usher(RULES.format(dead_port=dead_port, **backends))


usher = start()


def goes_to(name, data, pieces=None):
    """Sent at once, or in these pieces, data gets to this backend, whole, and
    without waiting for the deadline."""
    with usher.connect() as client:
        for piece in pieces or (data,):
            client.send(piece)
        answer = client.line()
        took = client.took()
        same(answer, name, "reached")
        same(client.exactly(len(data)), data, "echo is")
    if not pieces:
        expect(took < SOON, "decided after %.2f s only" % took)


def silent_to_ssh():
    """Once round by a silent client: all before it has been decided."""
    with usher.connect() as client:
        same(client.line(), "ssh", "a silent client reached")


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


# -- clients that are gone ----------------------------------------------------------

@check("a port scanner touches no backend")
def _():
    before = {b.name: b.accepted for b in backends.values()}
    scanners = []
    for leave in (Client.close, Client.reset, Client.finish):
        scanners.append(usher.connect())
        leave(scanners[-1])
    silent_to_ssh()
    for scanner in scanners:
        scanner.close()
    silent_to_ssh()
    for b in backends.values():
        same(b.accepted - before[b.name], 2 if b.name == "ssh" else 0,
             "connections of " + b.name)


@check("a client that leaves in the middle of a hello touches no backend")
def _():
    before = sum(b.accepted for b in backends.values())
    client = usher.connect().send(hello("www.example.com")[:30])
    client.reset()
    silent_to_ssh()
    same(sum(b.accepted for b in backends.values()), before + 1)


# -- ends ---------------------------------------------------------------------------

def delayed_answer(backend, conn, index):
    """Reads to the end, then answers in two parts with a pause."""
    while backend.read(conn, index):
        pass
    time.sleep(.5)
    conn.sendall(b"late\n")
    time.sleep(.5)
    conn.sendall(b"answer of %d\n" % len(backend.received[index]))


@check("request, FIN, delayed answer: the half-closed connection lives on")
def _():
    backends["any"].behave = delayed_answer
    try:
        with usher.connect() as client:
            client.send(b"GET /\n").finish()
            same(client.rest(), b"late\nanswer of 6\n")
    finally:
        backends["any"].behave = Backend.greet_and_echo


@check("a silent client that finishes after the decision is passed its FIN")
def _():
    with usher.connect() as client:
        same(client.line(), "ssh")
        client.send(b"bye").finish()
        same(client.rest(), b"bye")


@check("a backend that refuses: the client is closed, the port serves on")
def _():
    with usher.connect() as client:
        client.send(hello("dead.example.com"))
        expect(client.end() in ("fin", "reset"), "not closed")
        goes_to("site", hello("www.example.com"))
    if isinstance(usher, Haproxy):
        return
    lines = usher.await_line(r"service=dead\b") and usher.lines(
        r"service=dead\b")
    same(len(lines), 1, "number of lines")
    expect("end=refused" in lines[0], lines[0])


@check("reject = close ends with a FIN, even with bytes unread")
def _():
    with usher.connect() as client:
        client.send(hello("close.example.com") + b"x" * 1000)
        same(client.end(), "fin")
    expect("end=rejected" in usher.line_of(client), "not so in the log")


@check("reject = reset ends with a RST")
def _():
    with usher.connect() as client:
        client.send(hello("reset.example.com"))
        same(client.end(), "reset")


@check("a RST from the client reaches the backend as one")
def _():
    b = backends["any"]
    index = b.accepted
    client = usher.connect().send(b"hello")
    same(client.line(), "any")
    same(client.exactly(5), b"hello")
    client.reset()
    expect(wait_for(lambda: b.ends[index]), "the backend saw no end")
    same(b.ends[index], "ConnectionResetError")


@check("a RST from the backend reaches the client as one")
def _():
    def reset(backend, conn, index):
        backend.read(conn, index)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        b"\1\0\0\0\0\0\0\0")
        conn.close()
    backends["any"].behave = reset
    try:
        with usher.connect() as client:
            client.send(b"hello")
            same(client.end(), "reset")
    finally:
        backends["any"].behave = Backend.greet_and_echo


# -- the log ------------------------------------------------------------------------

@check("the log has one line for each connection, with what it did")
def _():
    client = usher.connect()
    data = hello("www.example.com")
    client.send(data)
    same(client.line(), "site")
    same(client.exactly(len(data)), data, "echo is")
    client.finish()
    same(client.end(), "fin")
    line = usher.line_of(client)
    for field in ("service=site", "client=127.0.0.1", "protocol=tls",
                  "server_name=www.example.com",
                  "backend=" + backends["site"].address,
                  "bytes_in=%d" % len(data),
                  "bytes_out=%d" % (len(data) + len("site\n")),
                  "end=client-closed"):
        expect(" %s " % field in " %s " % line, "no %s in: %s" % (field, line))
    same(len(usher.lines(r"client_port=%d\b" % client.local)), 1, "lines")


@check("a client that left says so in the log")
def _():
    client = usher.connect()
    client.close()
    expect("end=gone" in usher.line_of(client), "not in its line")


@check("nothing a client sends can make a line of its own in the log")
def _():
    for name in (b"a\nservice=forged", b"\x1b[31mred", b'q"uote'):
        client = usher.connect().send(hello(name))
        same(client.line(), "noname")
        client.close()
        usher.line_of(client)
    same(usher.lines("^service=forged"), [])
    expect("\x1b" not in usher.log(), "an escape sequence in the log")


if __name__ == "__main__":
    sys.exit(run_checks(*sys.argv[1:]))
