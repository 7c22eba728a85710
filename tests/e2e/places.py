"""Where connections come from and go to: families, names, unix sockets,
several backends, PROXY headers, programs, and sockets handed over."""

import array
import os
import signal
import socket
import struct
import subprocess
import sys

from wire import (Backend, Client, Usher, check, closed_port, expect, hello,
                  passed_socket, program, run_checks, same, tmp, wait_for,
                  HOST)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

backend = Backend("v4")
other = Backend("other")
dead_holder, dead_port = closed_port()


def goes_to(usher, name, data=b"x\n", **options):
    with usher.connect(**options) as client:
        client.send(data)
        same(client.line(), name, "reached")
        same(client.exactly(len(data)), data, "echo is")


def served_by(text, settings=""):
    """usher with one service, of these lines."""
    return Usher("inspect-timeout = 500ms\n%s\n[one]\n"
                 "protocol = any silent\n%s\n" % (settings, text))


def has_ipv6():
    try:
        Backend("v6", family=socket.AF_INET6, address="::1")
        return True
    except OSError:
        return False


def state(pid):
    """The letter that ps shows, or None."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def plain(backend, conn, index):
    """No greeting: what came is kept, and answered with its length."""
    while backend.read(conn, index):
        conn.sendall(b"%d\n" % len(backend.received[index]))


def script(name, text):
    path = "%s/%s" % (tmp, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


# -- addresses ------------------------------------------------------------------

if has_ipv6():
    @check("IPv6 in front, IPv6 behind")
    def _():
        v6 = Backend("v6", family=socket.AF_INET6, address="::1")
        usher = Usher("[one]\nprotocol = any\nbackend = [::1]:%d\n" % v6.port,
                      listen=["[::1]:0"])
        with Client(usher.port, "::1", socket.AF_INET6) as client:
            client.send(b"x\n")
            same((client.line(), client.line()), ("v6", "x"))
        expect("client=::1 " in usher.line_of(client), "not in the log")
        usher.stop()

    @check("two sockets, one of each family, and rules that tell them apart")
    def _():
        usher = Usher("""
            [six]
            local = [::1]
            protocol = any
            backend = %s
            [four]
            local = 127.0.0.1
            protocol = any
            backend = %s
            """ % (other.address, backend.address),
                      listen=["127.0.0.1:0", "[::1]:0"])
        goes_to(usher, "v4")
        with Client(usher.ports[1], "::1", socket.AF_INET6) as client:
            same(client.send(b"x").line(), "other")
        usher.stop()


@check("a backend that is a unix socket")
def _():
    path = tmp + "/backend.socket"
    Backend("unix", family=socket.AF_UNIX, address=path)
    os.chmod(path, 0o777)
    usher = served_by("backend = unix:" + path)
    goes_to(usher, "unix")
    usher.stop()


@check("a backend that is an abstract unix socket")
def _():
    name = "usher-test-%d" % os.getpid()
    Backend("abstract", family=socket.AF_UNIX, address="\0" + name)
    usher = served_by("backend = unix:@" + name)
    goes_to(usher, "abstract")
    usher.stop()


@check("a unix socket to listen at, as systemd passes one")
def _():
    path = tmp + "/front.socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    os.chmod(path, 0o777)
    sink = Backend("sink", plain)
    usher = Usher("""
        [transparent]
        payload = "t"
        backend = %s
        transparent = yes
        [proxy]
        payload = "p"
        backend = %s
        proxy-protocol = v1
        [exec]
        protocol = any
        exec = %s
        """ % (backend.address, sink.address, script(
            "unix", "read -r line\necho \"$line ${REMOTE_ADDR-none}\"\n")),
                  sockets=[("unix", listener)])

    def ask(data):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(path)
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(4096), b""))
    same(ask(b"t\n"), b"v4\nt\n")
    ask(b"p\n")
    expect(wait_for(lambda: sink.ends), "no end at the backend")
    same(sink.received[0], b"PROXY UNKNOWN\r\np\n")
    same(ask(b"e\n"), b"e none\n")
    usher.await_line(r"service=exec backend=\S+ .*end=backend-closed")
    usher.stop()


@check("a backend by name, localhost:PORT")
def _():
    usher = served_by("backend = localhost:%d" % backend.port)
    goes_to(usher, "v4")
    usher.stop()


@check("listen in the rules file does what --listen does")
def _():
    usher = served_by("backend = " + backend.address,
                      "listen = 127.0.0.1:0 127.0.0.3:0")
    expect(wait_for(lambda: usher.find_ports() == 2), usher.log())
    goes_to(usher, "v4")
    goes_to(usher, "v4", host="127.0.0.3", port=usher.ports[1])
    usher.stop()


# -- several backends -------------------------------------------------------------

@check("balance = first: the second backend only if the first is dead")
def _():
    usher = served_by("backend = 127.0.0.1:%d %s %s" %
                      (dead_port, other.address, backend.address))
    for _ in range(5):
        goes_to(usher, "other")
    usher.stop()


@check("balance = random uses all, balance = source keeps a client at one")
def _():
    third = Backend("third")
    addresses = " ".join(b.address for b in (backend, other, third))
    usher = served_by("balance = random\nbackend = " + addresses)
    reached = {usher.connect().send(b"x").line() for _ in range(60)}
    same(reached, {"v4", "other", "third"})
    usher.stop()
    usher = served_by("balance = source\nbackend = " + addresses)
    by_client = {}
    for _ in range(3):
        for last in range(20, 40):
            source = "127.0.0.%d" % last
            by_client.setdefault(source, set()).add(
                usher.connect(source=source).send(b"x").line())
    expect(all(len(v) == 1 for v in by_client.values()), "%s" % by_client)
    expect(len(set.union(*by_client.values())) > 1, "all at one backend")
    usher.stop()


# -- more conditions --------------------------------------------------------------

@check("from, local, http-host, http-path, payload and alpn choose")
def _():
    names = ("near", "host", "path", "bytes", "alpn", "rest")
    b = {n: Backend(n) for n in names}
    usher = Usher("""
        inspect-timeout = 500ms
        [near]
        from = 127.0.0.64/26 !127.0.0.66
        backend = {near.address}
        [host]
        http-host = *.example.net
        backend = {host.address}
        [path]
        http-path = /.well-known/
        backend = {path.address}
        [bytes]
        payload = 2:"host:"
        backend = {bytes.address}
        [alpn]
        alpn = acme-tls/1
        backend = {alpn.address}
        [rest]
        protocol = any
        backend = {rest.address}
        """.format(**b))
    get = b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n"
    for name, data, options in (
            ("near", b"x\n", {"source": "127.0.0.65"}),
            ("rest", b"x\n", {"source": "127.0.0.66"}),
            ("rest", b"x\n", {"source": "127.0.0.1"}),
            ("host", get % (b"/", b"www.Example.net:8443"), {}),
            ("path", get % (b"/.well-known/x", b"example.com"), {}),
            ("rest", get % (b"/x/.well-known/", b"example.com"), {}),
            ("bytes", b"12host:serial", {}),
            ("rest", b"1host:serial\n", {}),
            ("alpn", hello("example.com", alpn=["h2", "acme-tls/1"]), {}),
            ("rest", hello("example.com", alpn=["h2"]), {})):
        goes_to(usher, name, data, **options)
    usher.stop()


# -- PROXY headers ----------------------------------------------------------------

def received_after(usher, sink, data, **options):
    """What the backend gets of a client that sends this."""
    index = sink.accepted
    with usher.connect(**options) as client:
        client.send(data).finish()
        client.rest()
        local = client.local
    expect(wait_for(lambda: sink.ends[index:]), "no end at the backend")
    return sink.received[index], local


@check("proxy-protocol = v1 says who the client is")
def _():
    sink = Backend("sink", plain)
    usher = served_by("backend = %s\nproxy-protocol = v1" % sink.address)
    got, local = received_after(usher, sink, b"hello")
    same(got, b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nhello" %
         (local, usher.port))
    usher.stop()


def parse_v2(data):
    """Addresses, TLVs and the rest of bytes that begin with a v2 header."""
    same(data[:12], SIGNATURE, "signature")
    same(data[12:14], b"\x21\x11", "version and family")
    length, = struct.unpack(">H", data[14:16])
    body, rest = data[16:16 + length], data[16 + length:]
    source, target = map(socket.inet_ntoa, (body[:4], body[4:8]))
    ports = struct.unpack(">HH", body[8:12])
    tlvs = {}
    body = body[12:]
    while body:
        size, = struct.unpack(">H", body[1:3])
        tlvs[body[0]] = body[3:3 + size]
        body = body[3 + size:]
    return (source, target) + ports, tlvs, rest


@check("proxy-protocol = v2 says who the client is, the name and the ALPN")
def _():
    sink = Backend("sink", plain)
    usher = served_by("backend = %s\nproxy-protocol = v2" % sink.address)
    data = hello("www.example.com", alpn=["h2"])
    got, local = received_after(usher, sink, data, source="127.0.0.7")
    addresses, tlvs, rest = parse_v2(got)
    same(addresses, ("127.0.0.7", "127.0.0.1", local, usher.port))
    same(tlvs.get(2), b"www.example.com", "PP2_TYPE_AUTHORITY")
    same(tlvs.get(1), b"h2", "PP2_TYPE_ALPN")
    same(rest, data, "after it")
    usher.stop()


@check("accept-proxy: the address in the header is the client's everywhere")
def _():
    sink = Backend("sink", plain)
    usher = Usher("""
        inspect-timeout = 500ms
        accept-proxy = 127.0.0.1
        [lan]
        from = 192.0.2.0/24
        backend = %s
        proxy-protocol = v1
        [any]
        protocol = any silent
        backend = %s
        """ % (sink.address, backend.address))
    line = b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n"
    v2 = (SIGNATURE + b"\x21\x11" + struct.pack(">H", 12 + 7) +
          socket.inet_aton("192.0.2.8") + socket.inet_aton("198.51.100.1") +
          struct.pack(">HH", 50001, 443) + b"\x04\x00\x04abcd")
    got, _ = received_after(usher, sink, line + b"hello")
    same(got, line + b"hello", "by v1")
    usher.await_line(r"client=192\.0\.2\.7 .*client_port=50000\b")
    got, _ = received_after(usher, sink, v2 + b"hello")
    same(got, b"PROXY TCP4 192.0.2.8 198.51.100.1 50001 443\r\nhello", "by v2")
    # In pieces, and with nothing after it.
    index = sink.accepted
    with usher.connect() as client:
        for at in range(len(line)):
            client.send(line[at:at + 1])
        client.send(b"x").finish()
        client.rest()
    expect(wait_for(lambda: sink.ends[index:]), "no end at the backend")
    same(sink.received[index], line + b"x", "in pieces")
    usher.stop()


@check("accept-proxy: a header and nothing more is a client that has left")
def _():
    usher = served_by("backend = " + backend.address,
                      "accept-proxy = 127.0.0.1")
    line = b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n"
    before = backend.accepted
    for count, at in enumerate((0, 9, len(line) - 1)):
        with usher.connect() as client:
            child = usher.process_of(client)
            client.send(line[:at])
            expect(wait_for(lambda: state(child) == "S"), "it never waits")
            # What comes next, and the FIN, is to be seen in one look.
            os.kill(child, signal.SIGSTOP)
            expect(wait_for(lambda: state(child) == "T"), "it never stops")
            client.send(line[at:]).finish()
            os.kill(child, signal.SIGCONT)
            same(client.rest(), b"", "answered after %d" % at)
        usher.await_line("end=gone", count + 1)
    same(backend.accepted, before, "connections of the backend")
    usher.stop()


@check("accept-proxy: LOCAL and UNKNOWN are taken off, the address stays")
def _():
    sink = Backend("sink", plain)
    usher = served_by("backend = %s\nproxy-protocol = v1" % sink.address,
                      "accept-proxy = 127.0.0.1")
    tlvs = b"\x04\x00\x04abcd"
    for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN some more\r\n",
                   SIGNATURE + b"\x20\x00\x00\x00",
                   SIGNATURE + b"\x20\x11" + struct.pack(">H", 12) + bytes(12),
                   SIGNATURE + b"\x20\x00" + struct.pack(">H", len(tlvs)) +
                   tlvs):
        got, local = received_after(usher, sink, header + b"hello")
        same(got, b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nhello" %
             (local, usher.port), "after %r" % header)
    usher.stop()


if has_ipv6():
    @check("an IPv4 client of a socket for both families is IPv4 in the header")
    def _():
        sink = Backend("sink", plain)
        listener = socket.socket(socket.AF_INET6)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", 0))
        listener.listen(64)
        usher = Usher("[one]\nprotocol = any\nbackend = %s\n"
                      "proxy-protocol = v1\n" % sink.address,
                      sockets=[("both", listener)])
        got, local = received_after(usher, sink, b"hello")
        same(got, b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nhello" %
             (local, usher.port))
        got, local = received_after(usher, sink, b"hello", host="::1",
                                    family=socket.AF_INET6)
        same(got, b"PROXY TCP6 ::1 ::1 %d %d\r\n"
             b"hello" % (local, usher.port))
        usher.stop()


@check("accept-proxy: without a header closed, from anyone else just bytes")
def _():
    usher = served_by("backend = " + backend.address,
                      "accept-proxy = 127.0.0.5")
    for data in (b"hello", b"PROXY TCP4 1.2.3 4 5 6\r\nx", b"PROXY UNKN\r\n"):
        with usher.connect(source="127.0.0.5") as client:
            before = backend.accepted
            client.send(data)
            expect(client.end() in ("fin", "reset"), "not closed")
            same(backend.accepted, before, "connections of the backend")
        expect("end=error" in usher.line_of(client), usher.line_of(client))
    goes_to(usher, "v4", b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n")
    usher.stop()


# -- programs and sockets handed over ------------------------------------------------

@check("exec runs a program on the client's own socket, from the first byte")
def _():
    usher = served_by("exec = %s" % script("cat", "echo cat\nexec cat\n"))
    goes_to(usher, "cat", b"SSH-2.0-x\r\n")
    with usher.connect() as client:
        client.send(b"x" * 100000).finish()
        same(client.rest(), b"cat\n" + b"x" * 100000)
    usher.stop()


@check("exec: environment, descriptors and signals are clean")
def _():
    usher = served_by("exec = %s an argument" % script("show", r"""
        read -r line
        echo "args=$*"
        env | sort
        echo "fds=$(ls /proc/self/fd | tr '\n' ' ')"
        grep -E '^Sig(Blk|Ign):' /proc/self/status | tr -d '\t'
        grep NoNewPrivs /proc/self/status | tr -d '\t'
        """))
    with usher.connect() as client:
        client.send(b"x\n")
        said = client.rest().decode()
        local = client.local
    for line in ("args=an argument", "PROTO=TCP", "REMOTE_ADDR=127.0.0.1",
                 "REMOTE_PORT=%d" % local, "LOCAL_ADDR=127.0.0.1",
                 "LOCAL_PORT=%d" % usher.port, "USHER_SERVICE=one",
                 "TCPREMOTEIP=127.0.0.1", "TCPREMOTEPORT=%d" % local,
                 "TCPLOCALIP=127.0.0.1", "TCPLOCALPORT=%d" % usher.port,
                 "SigBlk:0000000000000000", "SigIgn:0000000000000000",
                 "NoNewPrivs:0"):
        expect(line in said.splitlines(), "no %s in:\n%s" % (line, said))
    # 3 is the directory that ls itself has open.
    expect("fds=0 1 2 3 \n" in said, "descriptors:\n" + said)
    expect("LISTEN_FDS" not in said and "NOTIFY_SOCKET" not in said, said)
    usher.stop()


@check("who was waiting before usher came has keepalive and no delay too")
def _():
    options = script("options", r"""
        read -r line
        exec perl -MSocket=:all -e '
            print join " ", map { unpack "i", getsockopt STDIN, $$_[0], $$_[1] }
                [SOL_SOCKET, SO_KEEPALIVE], [IPPROTO_TCP, TCP_KEEPIDLE],
                [IPPROTO_TCP, TCP_NODELAY], [SOL_SOCKET, SO_OOBINLINE]'
        """)
    sockets = [passed_socket("web")]
    port = sockets[0][1].getsockname()[1]
    early = Client(port)
    usher = Usher("keepalive = 40s\n[one]\nprotocol = any\nexec = %s\n" %
                  options, sockets=sockets)
    for client in (early, usher.connect()):
        same(client.send(b"x\n").rest(), b"1 40 1 0", "options")
        client.close()
    usher.stop()


@check("exec under a super-server: the program's end is in the log")
def _():
    listener = socket.create_server(("127.0.0.1", 0))
    client = Client(listener.getsockname()[1])
    conn, _ = listener.accept()
    file = tmp + "/inetd.conf"
    with open(file, "w") as f:
        f.write("log-target = stderr\n[one]\nprotocol = any\n"
                "exec = %s\n[rest]\nprotocol = silent\nreject = close\n" %
                script("back", "echo $REMOTE_PORT\nexec cat\n"))
    usherd = subprocess.Popen([program("usherd"), "--inetd", file],
                              stdin=conn, stdout=conn, stderr=subprocess.PIPE)
    conn.close()
    client.send(b"one\n")
    same((client.line(), client.line()), ("%d" % client.local, "one"))
    client.finish()
    same(client.rest(), b"")
    _, log = usherd.communicate(timeout=10)
    expect(b"service=one client=127.0.0.1 client_port=%d " % client.local in
           log and b"end=backend-closed" in log, log)


@check("exec: a server name reaches the program as it is, without harm")
def _():
    path = script("name", 'echo "name=$SERVER_NAME"\n')
    usher = served_by("exec = " + path)
    with usher.connect() as client:
        same(client.send(hello("www.example.com")).line(),
             "name=www.example.com")
    with usher.connect() as client:
        same(client.send(hello(b"$(id)\n;x")).line(), "name=")
    usher.stop()


@check("pass hands over the socket with a PROXY header, all bytes unread")
def _():
    path = tmp + "/pass.socket"
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    receiver.bind(path)
    receiver.listen(8)
    receiver.settimeout(10)
    os.chmod(path, 0o777)
    usher = served_by("pass = unix:" + path)
    with usher.connect() as client:
        client.send(hello("www.example.com"))
        conn, _ = receiver.accept()
        conn.settimeout(10)
        header, ancillary, flags, _ = conn.recvmsg(4096, 1024)
        same(len(ancillary), 1, "ancillary messages")
        fds = array.array("i")
        fds.frombytes(ancillary[0][2])
        same(len(fds), 1, "descriptors")
        addresses, tlvs, rest = parse_v2(header)
        same(addresses[2:], (client.local, usher.port), "ports")
        same(rest, b"")
        passed = socket.socket(fileno=fds[0])
        same(passed.getpeername(), ("127.0.0.1", client.local), "peer")
        same(passed.recv(65536), hello("www.example.com"), "first bytes")
        passed.sendall(b"from another process\n")
        same(client.line(), "from another process")
        passed.close()
        same(client.end(), "fin")
        conn.close()
    usher.stop()


if __name__ == "__main__":
    sys.exit(run_checks(*sys.argv[1:]))
