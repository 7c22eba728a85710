"""max-per-source: an IPv6 client has a network of 2^64 addresses, and is one
source with all of them; with IPv4 it has one."""

import socket
import sys

from wire import Backend, Usher, check, expect, run_checks, same, wait_for

backend = Backend("any")
RULES = """
    inspect-timeout = 30s
    max-per-source = 3
    isolation = %s
    %s
    [any]
    protocol = any
    backend = {}
    """.format(backend.address)

NETWORK = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:8000::1",
           "2001:db8:0:1::ffff"]
NEIGHBOUR = "2001:db8:0:2::1"


def come(usher, source):
    """A client from there that is served, or None if it is turned away."""
    try:
        client = usher.connect(host="::1", family=socket.AF_INET6,
                               source=source)
        client.send(b"x")
        if client.line() == "any":
            return client
    except ConnectionError:
        pass
    return None


def announced(usher, source):
    """The same, as somebody trusted says."""
    try:
        client = usher.connect(host="::1", family=socket.AF_INET6)
        client.send(b"PROXY TCP6 %s 2001:db8::1 5000 443\r\nx" %
                    source.encode())
        if client.line() == "any":
            return client
    except ConnectionError:
        pass
    return None


def count_as_one(usher, arrive):
    first = [arrive(usher, source) for source in NETWORK[:3]]
    expect(all(first), "not three")
    for source in NETWORK:
        same(arrive(usher, source), None, source + " is one more:")
    other = arrive(usher, NEIGHBOUR)
    expect(other, "the next network is kept out")
    usher.await_line(r"client=%s .*end=limit" % NETWORK[3])
    first[0].close()
    expect(wait_for(lambda: arrive(usher, NETWORK[3])),
           "not served although one has gone")
    usher.stop()


BOTH = "connection", "shared"


@check("all addresses of a /64 are one source, the next /64 is another")
def _():
    for isolation in BOTH:
        count_as_one(Usher(RULES % (isolation, ""), listen=["[::1]:0"]), come)


@check("so are those that a trusted PROXY header names")
def _():
    for isolation in BOTH:
        count_as_one(Usher(RULES % (isolation, "accept-proxy = ::1"),
                           listen=["[::1]:0"]), announced)


@check("IPv4 addresses are a source each, next to one another")
def _():
    for isolation in BOTH:
        usher = Usher(RULES % (isolation, ""))
        clients = [usher.connect(source="127.0.9.%d" % number).send(b"x")
                   for number in range(1, 5) for _ in range(3)]
        for client in clients:
            same(client.line(), "any")
        usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
