"""How connections end, seen from outside: by either side, by usher, before and
after they were decided; and what the log says of them."""

import socket
import sys
import time

from sorting import (backends, Haproxy, usher, goes_to, silent_to_ssh)
from wire import (Backend, Client, check, expect, hello, run_checks, same,
                  wait_for)


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
    run_checks(*sys.argv[1:])
