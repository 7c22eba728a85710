"""What the byte-level tests share: recording backends, usher, clients, checks.

To be run by way of run_python in lib.sh, which makes the directory, shows the
logs of a test that failed, and removes everything.

Every wait here is for an event and has a deadline; where a test has to show
that something does not happen, it waits for what must happen instead.
"""

import atexit
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

HOST = "127.0.0.1"
PATIENCE = 40  # seconds: longer than anything here takes, unless it is broken

tmp = os.environ["tmp"]

# Rules that say nothing of it get this: the same checks hold in both modes.
isolation = os.environ.get("ISOLATION", "connection")
shared = isolation == "shared"

# Below usherd, when it has nothing to do: an acceptor, and its workers.
RESIDENT = 1 + (len(os.sched_getaffinity(0)) if shared else 0)


def now():
    return time.monotonic()


def wait_for(condition, seconds=PATIENCE):
    """Polls until condition() is true; its value, or None after seconds."""
    until = now() + seconds
    while True:
        value = condition()
        if value or now() > until:
            return value or None
        time.sleep(0.01)


# -- checks -------------------------------------------------------------------

_checks = []


def check(what, shared=None):
    """Marks a function as a check, to be run in order by run_checks(); of one
    isolation only where it is about that."""
    def mark(function):
        if shared in (None, isolation == "shared"):
            _checks.append((what, function))
        return function
    return mark


class Failure(Exception):
    pass


class Skipped(Exception):
    """This check cannot be made here, for the reason given."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def same(got, expected, what="got"):
    if isinstance(got, (bytes, str)) and len(got) > 200:
        short = repr(got[:80]) + "... (%d)" % len(got)
    else:
        short = repr(got)
    wanted = repr(expected)[:200]
    expect(got == expected, "%s %s, expected %s" % (what, short, wanted))


def run_checks(only=None):
    """Runs all checks; one line each; returns the program's exit status."""
    failed = 0
    number = 0
    for what, function in _checks:
        if only and only not in what:
            continue
        number += 1
        try:
            function()
            print("ok %d - %s" % (number, what), flush=True)
        except Skipped as e:
            print("ok %d - %s # skipped: %s" % (number, what, e), flush=True)
        except Exception as e:
            failed += 1
            print("not ok %d - %s" % (number, what))
            if isinstance(e, Failure):
                print("# %s" % e, flush=True)
            else:
                print("# " + traceback.format_exc().replace("\n", "\n# "),
                      flush=True)
    return 1 if failed or not number else 0


# -- backends -----------------------------------------------------------------

class Backend:
    """Listens on a port of its own, says its name to who connects, keeps what
    comes in, and sends it back unless told otherwise.  A behave(backend, conn)
    replaces all that; it runs in a thread of the connection."""

    def __init__(self, name, behave=None, family=socket.AF_INET, address=None):
        self.name = name
        self.behave = behave or Backend.greet_and_echo
        self.accepted = 0
        self.received = []
        self.peers = []
        self.ends = []
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_UNIX:
            self.listener.bind(address)
        else:
            if family == socket.AF_INET6:
                self.listener.setsockopt(socket.IPPROTO_IPV6,
                                         socket.IPV6_V6ONLY, 1)
            self.listener.bind((address or HOST, 0))
        self.listener.listen(1024)
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def port(self):
        return self.listener.getsockname()[1]

    @property
    def address(self):
        return "%s:%d" % (HOST, self.port)

    def serve(self):
        while True:
            conn, peer = self.listener.accept()
            index = self.accepted
            self.received.append(b"")
            self.ends.append(None)
            self.peers.append(peer)
            self.accepted += 1
            threading.Thread(target=self.attend, args=(conn, index),
                             daemon=True).start()

    def attend(self, conn, index):
        conn.settimeout(60)
        try:
            self.behave(self, conn, index)
        except OSError as e:
            self.ends[index] = type(e).__name__
        finally:
            conn.close()

    def read(self, conn, index):
        """One recv, kept; b"" at the end of the stream."""
        data = conn.recv(65536)
        self.received[index] += data
        if not data:
            self.ends[index] = "fin"
        return data

    def greet_and_echo(self, conn, index):
        conn.sendall(self.name.encode() + b"\n")
        while True:
            data = self.read(conn, index)
            if not data:
                return
            conn.sendall(data)


def passed_socket(name):
    """A listening socket as systemd would have it, for Usher(sockets=)."""
    listener = socket.socket()
    listener.bind((HOST, 0))
    listener.listen(1024)
    return name, listener


def closed_port():
    """A port that nobody listens on, kept so by a socket that is returned."""
    holder = socket.socket()
    holder.bind((HOST, 0))
    return holder, holder.getsockname()[1]


# -- usher ----------------------------------------------------------------------

def parent(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0  # it has just ended


def title(pid):
    """A process's arguments, as ps shows them."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().rstrip(b"\0").replace(b"\0", b" ").decode()
    except OSError:
        return ""


class Usher:
    """usher serve with these rules; or, for a try, another program."""

    running = []

    def __init__(self, rules, listen=None, sockets=None, through=(),
                 after=None):
        """sockets: pairs of a name and a listening socket, passed as systemd
        passes them; through: a command that starts the command after it;
        after: one that has ended and left its runtime directory."""
        number = len(Usher.running)
        self.file = "%s/usher-%d.conf" % (tmp, number)
        self.log_file = "%s/usher-%d.log" % (tmp, number)
        self.run = "%s/run-%d" % (tmp, number)
        if after:
            self.run = after.run
        else:
            os.mkdir(self.run)
        os.chmod(self.run, 0o1777)
        self.write(rules)
        if listen is None:  # unless the rules or the sockets say where
            listen = [HOST + ":0"]
            if sockets or "listen =" in rules:
                listen = []
        command = [*through, program("usher"), "serve", "-c", self.file]
        for address in listen:
            command += ["--listen", address]
        self.ports = []
        self.start(command, sockets)
        if sockets:
            self.ports = [s.getsockname()[1] for _, s in sockets]
            return
        expected = max(1, len(listen))
        wait_for(lambda: self.find_ports() >= expected or
                 self.process.poll() is not None)
        expect(self.process.poll() is None, "usher has ended:\n" + self.log())
        expect(len(self.ports) >= expected,
               "usher does not say that it listens:\n" + self.log())

    def start(self, command, sockets):
        environment = dict(os.environ, RUNTIME_DIRECTORY=self.run)
        fds = [s.fileno() for _, s in sockets or ()]
        if fds:
            # LISTEN_PID is known only to who becomes usher.
            environment["LISTEN_FDS"] = "%d" % len(fds)
            environment["LISTEN_FDNAMES"] = ":".join(n for n, _ in sockets)
            moves = " ".join("%d<&%d" % (3 + i, 100 + i)
                             for i in range(len(fds)))
            command = ["bash", "-c", "export LISTEN_PID=$$; exec \"$@\" %s"
                       % moves, "-", *command]
            fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100 + i)
                   for i, fd in enumerate(fds)]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=environment, pass_fds=fds)
        for fd in fds:
            os.close(fd)
        Usher.running.append(self)

    def write(self, rules):
        if "log-target" not in rules:
            rules = "log-target = stderr\n" + rules
        if "isolation" not in rules:
            rules = "isolation = %s\n" % isolation + rules
        with open(self.file, "w") as f:
            f.write(re.sub(r"(?m)^[ \t]+", "", rules))

    def find_ports(self):
        self.ports = [int(p) for p in
                      re.findall(r"listening on \S+:(\d+)", self.log())]
        return len(self.ports)

    @property
    def port(self):
        return self.ports[0]

    def log(self):
        with open(self.log_file, errors="replace") as f:
            return f.read()

    def lines(self, pattern):
        """The lines of the log that match."""
        return [l for l in self.log().splitlines() if re.search(pattern, l)]

    def await_line(self, pattern, count=1, seconds=PATIENCE):
        """The count-th line of the log that matches, as soon as it is there."""
        found = wait_for(lambda: self.lines(pattern)[count - 1:count], seconds)
        if not found:
            raise Failure("no %d lines like %r in the log:\n%s"
                          % (count, pattern, self.log()))
        return found[0]

    def line_of(self, client):
        """The log's line about the end of this client's connection.  Earlier
        ones may have had the same port."""
        def find():
            return [l for l in self.log()[client.mark:].splitlines()
                    if re.search(r"client_port=%d\b" % client.local, l)]
        found = wait_for(find)
        expect(found, "no line of port %d in the log:\n%s" %
               (client.local, self.log()))
        return found[0]

    def connect(self, port=None, **options):
        mark = len(self.log())
        client = Client(port or self.port, **options)
        client.mark = mark
        return client

    def status(self, *arguments):
        """What usher status prints."""
        done = subprocess.run([program("usher"), "status", *arguments],
                              capture_output=True, text=True, timeout=PATIENCE,
                              env=dict(os.environ, RUNTIME_DIRECTORY=self.run))
        expect(done.returncode == 0, "usher status: %d, %s" %
               (done.returncode, done.stderr))
        return done.stdout

    def table(self):
        """usher status --json, read; there is none before it is up."""
        def read():
            try:
                return self.status("--json")
            except Failure:
                return None
        return json.loads(wait_for(read) or self.status("--json"))

    def rows(self):
        """The connections that usher status lists; None before there is a
        scoreboard: who starts usher has the port before usher has one."""
        try:
            return self.table()["connections"]
        except Failure:
            return None

    def acceptor(self):
        """The child of usherd that accepts, or has workers that do."""
        def find():
            processes = self.descendants()
            rows = self.rows()
            if rows is None:
                return None
            processes -= {row["pid"] for row in rows}
            processes = {p for p in processes
                         if parent(p) == self.process.pid and
                         not title(p).startswith("usher-relay")}
            return len(processes) == 1 and processes.pop()
        found = wait_for(find)
        expect(found, "not one acceptor: %s, %s" % (self.descendants(),
                                                    self.table()))
        return found

    def descendants(self):
        """Process ids of all below usherd, itself not among them."""
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open("/proc/%s/stat" % entry) as f:
                        fields = f.read().rpartition(")")[2].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    parents[int(entry)] = int(fields[1])
        found = {self.process.pid}
        while True:
            more = {p for p, up in parents.items() if up in found} - found
            if not more:
                return found - {self.process.pid}
            found |= more

    def relays(self):
        """Process ids of all usher-relay below usherd."""
        return {p for p in self.descendants()
                if title(p).startswith("usher-relay")}

    def accepted(self, number):
        """Waits until so many connections have been accepted and go on."""
        expect(wait_for(lambda: len(self.table()["connections"]) >= number),
               "%s" % self.table())

    def process_of(self, client):
        """The process that has this connection now."""
        pid = wait_for(lambda: [row["pid"] for row in self.rows() or ()
                                if row["client_port"] == client.local])
        expect(pid, "nobody has it: %s" % self.table())
        return pid[0]

    def at_rest(self):
        """Waits until there is no process but those that always are."""
        expect(wait_for(lambda: len(self.descendants()) <= RESIDENT),
               "processes: %s" % [title(p) for p in self.descendants()])
        return self.descendants()

    def relay_of(self, client):
        """The usher-relay of this connection, once it is quiet."""
        def find():
            for row in self.rows() or ():
                if (row["client_port"] == client.local and
                        title(row["pid"]).startswith("usher-relay")):
                    return row["pid"]
            return None
        pid = wait_for(find)
        expect(pid, "no relay carries the client: %s; %s" % (
            self.table(), [title(p) for p in self.descendants()]))
        return pid

    def stop(self):
        """usherd in order; what then still lives of its group, without."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE)


@atexit.register
def stop_all():
    for usher in Usher.running:
        usher.stop()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def program(name):
    """Where lib.sh has found it."""
    return os.environ.get(name, name)


def is_sanitized():
    """Are the programs built with sanitizers?"""
    with open(program("usherd"), "rb") as f:
        return b"libasan" in f.read()


def static():
    """Are the small programs what they are meant to be?  Others, as those for
    sanitizers, are dynamic, and large."""
    with open(program("usherd"), "rb") as f:
        return b"ld-linux" not in f.read()


# -- clients --------------------------------------------------------------------

class Client:
    """A connection to usher, with reads that say what they got."""

    def __init__(self, port, host=HOST, family=socket.AF_INET, source=None,
                 rcvbuf=None, sndbuf=None):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if sndbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        self.socket.settimeout(PATIENCE)
        if source:
            self.socket.bind((source, 0))
        self.begun = now()
        self.mark = 0  # of a log that is read later: see Usher.line_of()
        self.socket.connect((host, port))
        self.local = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def finish(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.socket.close()

    def line(self):
        """Up to a newline, without it; what came before the end otherwise."""
        got = b""
        while not got.endswith(b"\n"):
            data = self.socket.recv(1)
            if not data:
                return got.decode() + "<end>"
            got += data
        return got[:-1].decode()

    def exactly(self, count):
        got = bytearray()
        while len(got) < count:
            data = self.socket.recv(min(count - len(got), 1 << 20))
            if not data:
                break
            got += data
        return bytes(got)

    def rest(self):
        got = b""
        while True:
            data = self.socket.recv(65536)
            if not data:
                return got
            got += data

    def end(self):
        """How the connection ends if all is read: "fin" or "reset"."""
        try:
            while self.socket.recv(65536):
                pass
            return "fin"
        except ConnectionResetError:
            return "reset"

    def quiet(self, seconds):
        """Is there nothing to read for so long?"""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
            return False
        except socket.timeout:
            return True
        finally:
            self.socket.settimeout(PATIENCE)

    def took(self):
        return now() - self.begun


# -- TLS ------------------------------------------------------------------------

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
