"""Limits and timeouts: who has to wait, who has to go, and who must not."""

import socket
import sys
import time

from wire import (Backend, Usher, check, expect, hello, now,
                  run_checks, same, wait_for, HOST)

backend = Backend("any")


def rules(settings="", service="", address=None):
    return """
        inspect-timeout = 500ms
        %s
        [any]
        protocol = any silent
        backend = %s
        %s
        """ % (settings, address or backend.address, service)


def greeted(client):
    """The client sends something and is served; its connection."""
    client.send(b"x\n")
    same((client.line(), client.line()), ("any", "x"))
    return client


@check("max-connections: one more waits and is served when one has gone")
def _():
    usher = Usher(rules("max-connections = 3"))
    clients = [greeted(usher.connect()) for _ in range(3)]
    late = usher.connect().send(b"late\n")
    expect(late.quiet(.4), "served beyond the limit")
    same(backend.accepted, 3, "connections of the backend")
    clients[0].close()
    same((late.line(), late.line()), ("any", "late"))
    usher.stop()


@check("max-connections: of fifty at once none is lost")
def _():
    usher = Usher(rules("max-connections = 3"))
    clients = [usher.connect().send(b"%d\n" % i) for i in range(50)]
    for number, client in enumerate(clients):
        same((client.line(), client.line()), ("any", "%d" % number))
        client.close()
    usher.stop()


@check("max-connections in a service concerns that service alone")
def _():
    other = Backend("other")
    usher = Usher("""
        inspect-timeout = 500ms
        [small]
        server-name = *
        backend = %s
        max-connections = 1
        [any]
        protocol = any
        backend = %s
        """ % (other.address, backend.address))
    first = usher.connect().send(hello("a.example.net"))
    same(first.line(), "other")
    second = usher.connect().send(hello("a.example.net"))
    greeted(usher.connect())
    same(other.accepted, 1, "connections of the service")
    first.close()
    second.close()
    usher.stop()


@check("max-pending: the oldest undecided goes, an honest client is served")
def _():
    usher = Usher("max-pending = 8\ninspect-timeout = 30s\n" +
                  rules().replace("inspect-timeout = 500ms", ""))
    silent = [usher.connect() for _ in range(8)]
    greeted(usher.connect())
    more = [usher.connect() for _ in range(4)]
    same(silent[0].end(), "reset", "the oldest's end is")
    expect("end=limit" in usher.line_of(silent[0]), "not so in the log")
    greeted(usher.connect())
    expect(more[-1].quiet(.1), "the youngest was dropped")
    for client in silent + more:
        client.close()
    usher.stop()


@check("max-per-source: one address cannot have more, another can")
def _():
    usher = Usher(rules("max-per-source = 3"))
    clients = [greeted(usher.connect(source="127.0.0.9")) for _ in range(3)]
    try:
        end = usher.connect(source="127.0.0.9").send(b"x").end()
    except ConnectionError:
        end = "reset"
    same(end, "reset", "the fourth's end is")
    other = greeted(usher.connect(source="127.0.0.10"))
    clients[0].close()
    expect(wait_for(lambda: serves(usher, "127.0.0.9")),
           "not served although one has gone")
    other.close()
    usher.stop()


@check("max-per-source counts whom a trusted PROXY header names")
def _():
    usher = Usher(rules("max-per-source = 2\naccept-proxy = 127.0.0.1"))
    header = b"PROXY TCP4 192.0.2.%d 198.51.100.1 50000 443\r\n"

    def named(number):
        return usher.connect().send(header % number)
    clients = [greeted(named(7)) for _ in range(2)]
    # The sender of them all is not who is counted.
    clients += [greeted(named(number)) for number in range(10, 16)]
    same(named(7).end(), "reset", "the third's end is")
    usher.await_line(r"client=192\.0\.2\.7 .*end=limit")
    clients[0].close()

    def serves_again():
        try:
            with named(7) as client:
                return client.send(b"x").line() == "any"
        except ConnectionError:
            return False
    expect(wait_for(serves_again), "not served although one has gone")
    usher.stop()


def serves(usher, source):
    try:
        with usher.connect(source=source) as client:
            return client.send(b"x").line() == "any"
    except ConnectionError:
        return False


@check("idle-timeout ends a quiet connection, and says so")
def _():
    usher = Usher(rules(service="idle-timeout = 700ms"))
    client = usher.connect()
    begun = now()
    expect(greeted(client).end() in ("fin", "reset"), "no end")
    expect(.7 <= now() - begun, "after %.1f s" % (now() - begun))
    expect("end=idle" in usher.line_of(client), "not so in the log")
    usher.stop()


@check("idle-timeout is one clock for both directions")
def _():
    def talk(backend, conn, index):
        """Talks all the time; the client says nothing after its first."""
        backend.read(conn, index)
        for _ in range(8):
            conn.sendall(b".")
            time.sleep(.4)
        conn.sendall(b"\n")

    talker = Backend("talker", talk)
    usher = Usher(rules(service="idle-timeout = 2s",
                        address=talker.address))
    with usher.connect() as client:
        client.send(b"x")
        same(client.line(), "........")
    usher.stop()


@check("half-close-timeout ends what one side has left too long")
def _():
    def wait(backend, conn, index):
        while backend.read(conn, index):
            pass
        time.sleep(3600)

    slow = Backend("slow", wait)
    usher = Usher(rules("half-close-timeout = 700ms", address=slow.address))
    with usher.connect() as client:
        begun = now()
        client.send(b"x").finish()
        client.end()
        expect(.7 <= now() - begun, "after %.1f s" % (now() - begun))
    expect("end=half-close-timeout" in usher.line_of(client), "not in the log")
    usher.stop()


@check("connect-timeout: a backend that does not answer is given up")
def _():
    deaf = socket.socket()
    deaf.bind((HOST, 0))
    deaf.listen(0)
    port = deaf.getsockname()[1]
    fill = []
    while True:  # until the queue is full and a connection is not taken
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((HOST, port))
        fill.append(s)
        time.sleep(.02)
        try:
            s.getpeername()
        except OSError:
            break
    usher = Usher(rules("connect-timeout = 600ms",
                        address="%s:%d" % (HOST, port)))
    with usher.connect() as client:
        begun = now()
        client.send(b"x")
        client.end()
        expect(.6 <= now() - begun, "after %.1f s" % (now() - begun))
    expect("end=connect-timeout" in usher.line_of(client), "not in the log")
    usher.stop()
    for s in fill:
        s.close()


@check("a hundred silent clients do not delay one that speaks")
def _():
    usher = Usher(rules("max-per-source = 1000").replace("500ms", "1h"))
    silent = [usher.connect() for _ in range(100)]
    with usher.connect() as client:
        greeted(client)
    for client in silent:
        client.close()
    usher.stop()


@check("silence-timeout may be shorter than inspect-timeout")
def _():
    usher = Usher(rules("silence-timeout = 300ms").replace("500ms", "1h"))
    with usher.connect() as client:
        same(client.line(), "any")
        expect(.3 <= client.took(), "after %.1f s" % client.took())
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
