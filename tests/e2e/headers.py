"""PROXY headers that go out: what a backend is told of a client.  Who is
believed is in senders.py."""

import ipaddress
import itertools
import os
import socket
import struct
import sys

from roads import (ALPN, AUTHORITY, TCP4, TCP6, UNSPEC, has_ipv6, parse_v2,
                   plain, received_after, served_by, v1, v2)
from wire import (Backend, Usher, check, closed_port, expect, hello,
                  run_checks, same, tmp, wait_for, HOST)

HEADER = v1("192.0.2.7", "198.51.100.1")


def passed(family, address):
    """A listening socket, as a super-server passes one."""
    listener = socket.socket(family)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(address)
    listener.listen(64)
    return listener


# Where clients connect to, and as whom: the IPv6 socket "both" is one that
# only IPv4 clients reach, whom the kernel calls ::ffff:127.0.0.1.
FRONTS = {
    "four": (socket.AF_INET, (HOST, 0), socket.AF_INET, HOST),
    "unix": (socket.AF_UNIX, tmp + "/front.socket", socket.AF_UNIX, None),
}
FAMILIES = {"four": (socket.AF_INET, HOST),
            "unix": (socket.AF_UNIX, tmp + "/told.socket")}
if has_ipv6():
    FRONTS["six"] = (socket.AF_INET6, ("::1", 0), socket.AF_INET6, "::1")
    FRONTS["both"] = (socket.AF_INET6, ("::ffff:" + HOST, 0),
                      socket.AF_INET, HOST)
    FAMILIES["six"] = (socket.AF_INET6, "::1")

# A backend of each kind, once for each version.
sinks = {(kind, version): Backend(kind, plain, family=family,
                                  address=address + ("" if kind != "unix"
                                                     else version))
         for kind, (family, address) in FAMILIES.items()
         for version in ("v1", "v2")}
for version in ("v1", "v2"):
    os.chmod(tmp + "/told.socket" + version, 0o777)


def target_of(kind, version):
    sink = sinks[kind, version]
    name = sink.listener.getsockname()
    return ("unix:" + name if kind == "unix" else
            "[::1]:%d" % name[1] if kind == "six" else sink.address)


def usher_to_all(settings="", more=""):
    """usher at all fronts, with each backend behind a word of its own."""
    if os.path.exists(tmp + "/front.socket"):
        os.unlink(tmp + "/front.socket")
    fronts = [(name, passed(family, address))
              for name, (family, address, _, _) in FRONTS.items()]
    os.chmod(tmp + "/front.socket", 0o777)
    rules = settings + "\n"
    for kind, version in sinks:
        rules += """
            [{0}-{1}]
            payload = "{0}-{1} "
            backend = {2}
            proxy-protocol = {1}
            """.format(kind, version, target_of(kind, version))
    usher = Usher(rules + more, sockets=fronts)
    usher.fronts = dict(fronts)
    return usher


def say(usher, front, first, word):
    """What the backend gets of a client of this front that sends these bytes
    and then this word; and the ports of the connection."""
    _, _, family, _ = FRONTS[front]
    sink = sinks[word]
    index = sink.accepted
    to = usher.fronts[front].getsockname()
    if front == "both":
        to = (HOST, to[1])
    data = b"%s-%s hello" % (word[0].encode(), word[1].encode())
    with socket.socket(family) as client:
        client.settimeout(40)
        client.connect(to)
        client.sendall(first + data)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass
        ports = () if front == "unix" else (client.getsockname()[1], to[1])
    expect(wait_for(lambda: sink.ends[index:] and sink.ends[index]),
           "no end at the backend")
    got = sink.received[index]
    expect(got.endswith(data), "%r does not end with %r" % (got, data))
    return got[:-len(data)], ports


def as_told(source, target):
    """As a backend has to be told of these two addresses: an IPv4 address is
    one however it is written, and both are of one family."""
    ends = [ipaddress.ip_address(a) for a in (source, target)]
    ends = [getattr(a, "ipv4_mapped", None) or a for a in ends]
    if ends[0].version != ends[1].version:
        ends = [ipaddress.ip_address("::ffff:%s" % a) if a.version == 4 else a
                for a in ends]
    return ends


def text_of(address):
    """With version 1 an IPv6 address may have no dots in it."""
    if address.version == 6 and address.ipv4_mapped:
        return "::ffff:%x:%x" % struct.unpack(">HH", address.packed[12:])
    return "%s" % address


def check_header(header, version, source, target, ports):
    """Is this the header, and no other?"""
    ends = as_told(source, target)
    if version == "v1":
        same(header, v1(*map(text_of, ends), *ports))
        return
    family, addresses, tlvs, rest = parse_v2(header)
    same(family, TCP4 if ends[0].version == 4 else TCP6, "family")
    same(addresses, ("%s" % ends[0], "%s" % ends[1], *ports))
    same((tlvs, rest), ({}, b""))


@check("clients of IPv4, of IPv6 and of both at one socket, to any backend")
def _():
    usher = usher_to_all()
    for front in set(FRONTS) - {"unix"}:
        address = FRONTS[front][3]
        for word in sinks:
            header, ports = say(usher, front, b"", word)
            check_header(header, word[1], address, address, ports)
    usher.stop()


@check("a client of a unix socket is nobody: UNKNOWN, or UNSPEC")
def _():
    usher = usher_to_all()
    for word in sinks:
        header, _ = say(usher, "unix", b"", word)
        if word[1] == "v1":
            same(header, b"PROXY UNKNOWN\r\n")
        else:
            same(parse_v2(header), (UNSPEC, (), {}, b""))
    usher.stop()


# Source and target, as headers have them: pairs of both families, and what
# is IPv4 in IPv6's clothes at either end or at both.
CARRIED = (("192.0.2.7", "198.51.100.1"), ("2001:db8::7", "2001:db8::1"),
           ("::ffff:192.0.2.7", "2001:db8::1"),
           ("2001:db8::7", "::ffff:198.51.100.1"),
           ("::ffff:192.0.2.7", "::ffff:198.51.100.1"))


@check("what a header brings in goes out, whatever families the sockets are")
def _():
    usher = usher_to_all("accept-proxy = 127.0.0.0/8 ::1")
    count = 0
    for front in set(FRONTS) - {"unix"}:
        for word, ends, write in itertools.product(sinks, CARRIED, (v1, v2)):
            header, _ = say(usher, front, write(*ends), word)
            check_header(header, word[1], *ends, (50000, 443))
            count += 1
    # The client's address in the log is the header's, in its short form.
    usher.await_line("end=", count)
    for source in ("192.0.2.7", "2001:db8::7"):
        expect(usher.lines(r"client=%s client_port=50000\b" % source),
               "no line of " + source)
    same(usher.lines("client=::ffff"), [])
    usher.stop()


@check("a header is of no use at a unix socket: nobody there can be trusted")
def _():
    usher = usher_to_all("accept-proxy = 127.0.0.0/8 ::1",
                         "[rest]\nprotocol = any\nbackend = %s\n"
                         "proxy-protocol = v1\n"
                         % sinks["four", "v1"].address)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(40)
        client.connect(tmp + "/front.socket")
        sink = sinks["four", "v1"]
        index = sink.accepted
        client.sendall(HEADER)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass
    expect(wait_for(lambda: sink.ends[index:] and sink.ends[index]), "no end")
    same(sink.received[index], b"PROXY UNKNOWN\r\n" + HEADER)
    usher.stop()


@check("version 2 tells the name and the ALPN, if there is but one")
def _():
    sink = Backend("sink", plain)
    usher = served_by("backend = %s\nproxy-protocol = v2" % sink.address)
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    for name, offered, told in (
            ("www.example.com", ["h2"], {AUTHORITY: b"www.example.com",
                                         ALPN: b"h2"}),
            ("www.example.com", ["h2", "http/1.1"],
             {AUTHORITY: b"www.example.com"}),
            (None, ["acme-tls/1"], {ALPN: b"acme-tls/1"}),
            (longest, (), {AUTHORITY: longest.encode()}),
            (b"a\0b", (), {}),
            # What cannot be told as it is is not told.
            (None, ["a\"\\\n"], {}), (None, ["x" * 255], {}),
            (None, (), {})):
        data = hello(name, alpn=offered)
        got, local = received_after(usher, sink, data, source="127.0.0.7")
        family, addresses, tlvs, rest = parse_v2(got)
        same((family, addresses),
             (TCP4, ("127.0.0.7", HOST, local, usher.port)))
        same(tlvs, told, "of %r and %r" % (name, offered))
        same(rest, data, "after it")
    usher.stop()


@check("version 2 tells the name to a backend that is told no address, too")
def _():
    path = tmp + "/only.socket"
    sink = Backend("sink", plain)
    usher = served_by("backend = %s\nproxy-protocol = v2" % sink.address,
                      sockets=[("unix", passed(socket.AF_UNIX, path))])
    os.chmod(path, 0o777)
    data = hello("www.example.com", alpn=["h2"])
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(40)
        client.connect(path)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        client.recv(4096)
    expect(wait_for(lambda: sink.ends and sink.ends[0]), "no end")
    same(parse_v2(sink.received[0]), (UNSPEC, (), {
        AUTHORITY: b"www.example.com", ALPN: b"h2"}, data))
    usher.stop()


@check("the next backend is told as well when the first is dead")
def _():
    sink = Backend("sink", plain)
    _holder, port = closed_port()
    usher = served_by("backend = %s:%d %s\nproxy-protocol = v1" %
                      (HOST, port, sink.address))
    got, local = received_after(usher, sink, b"hello")
    same(got, v1(HOST, HOST, local, usher.port) + b"hello")
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
