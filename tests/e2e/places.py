"""Where connections come from and go to: families, names, unix sockets,
several backends, programs, and sockets handed over.  What is said of the
client on the way is in headers.py."""

import array
import os
import socket
import subprocess
import sys

from roads import AUTHORITY, has_ipv6, parse_v2, script, served_by
from wire import (Backend, Client, Skipped, Usher, check, closed_port, expect,
                  hello, passed_socket, program, run_checks, same, tmp,
                  wait_for)

backend = Backend("v4")
other = Backend("other")
dead_holder, dead_port = closed_port()


def goes_to(usher, name, data=b"x\n", **options):
    with usher.connect(**options) as client:
        client.send(data)
        same(client.line(), name, "reached")
        same(client.exactly(len(data)), data, "echo is")


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
    usher = Usher("""
        [transparent]
        payload = "t"
        backend = %s
        transparent = yes
        [exec]
        protocol = any
        exec = %s
        """ % (backend.address, script(
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
    same(ask(b"e\n"), b"e none\n")
    usher.await_line(r"service=exec backend=\S+ .*end=backend-closed")
    usher.stop()


@check("urgent bytes of unix sockets are bytes where they were sent, too")
def _():
    path, told = tmp + "/urgent.socket", tmp + "/urgent-told.socket"
    urgent = b"abc", b"!"

    def behave(backend, conn, index):
        for _ in range(20):
            conn.send(urgent[0])
            conn.send(urgent[1], socket.MSG_OOB)
        conn.shutdown(socket.SHUT_WR)
        while backend.read(conn, index):
            pass
    sink = Backend("sink", behave, family=socket.AF_UNIX, address=told)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    for name in (path, told):
        os.chmod(name, 0o777)
    usher = Usher("[one]\nprotocol = any\nbackend = unix:%s\n" % told,
                  sockets=[("unix", listener)])
    for count in range(3):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(40)
            client.connect(path)
            client.send(b"x")
            got = b""
            while len(got) < 80:
                more = client.recv(4096)
                expect(more, "ends after %r" % got)
                got += more
            same(got, b"abc!" * 20)
            client.send(urgent[0])
            try:
                client.send(urgent[1], socket.MSG_OOB)
            except OSError as e:
                raise Skipped("unix sockets have no urgent bytes: %s" % e)
            client.shutdown(socket.SHUT_WR)
            same(client.recv(1), b"")
        expect(wait_for(lambda: sink.ends[count:] and sink.ends[count]),
               "no end")
        same(sink.received[count], b"xabc!")
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
        _, addresses, tlvs, rest = parse_v2(header)
        same(tlvs, {AUTHORITY: b"www.example.com"})
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
    run_checks(*sys.argv[1:])
