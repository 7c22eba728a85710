"""Backends, receivers and programs that do their worst: the others are served,
memory stays where it is, and nothing is left of any of it."""

import array
import os
import re
import signal
import socket
import struct
import sys
import threading

from roads import script, served_by
from wire import (Backend, check, expect, run_checks, same, static, title,
                  tmp, wait_for, HOST)

CROWD = 20
DATA = b"x" * 3000 + b"\n"


# -- what is there, and what is left ---------------------------------------------

def descriptors(pid):
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return None  # it has just ended


def inventory(usher):
    """How many descriptors each process has open; those of a relay that many
    share come and go."""
    return {pid: descriptors(pid)
            for pid in {usher.process.pid} | usher.descendants()
            if not title(pid).startswith("usher-relay shared")}


def resident_kb(usher):
    """Of the largest process that has connections."""
    sizes = [0]
    for pid in usher.descendants():
        try:
            with open("/proc/%d/status" % pid) as f:
                found = re.search(r"VmRSS:\s+(\d+)", f.read())
        except OSError:
            continue
        sizes.append(int(found.group(1)) if found else 0)
    return max(sizes)


class Siege:
    """usher with one service; nothing of it may be left at the end."""

    def __init__(self, target, settings="", **options):
        self.usher = served_by(target, settings, **options)
        with self.usher.connect():
            pass  # who leaves at once; now all that ever is resident is there
        self.usher.await_line("end=gone")
        self.usher.at_rest()
        self.before = inventory(self.usher)

    def __enter__(self):
        return self.usher

    def __exit__(self, kind, *_):
        if kind is None:
            usher = self.usher
            expect(wait_for(lambda: not usher.table()["connections"]),
                   "left: %s" % usher.table())
            expect(wait_for(lambda: inventory(usher) == self.before),
                   "descriptors: %s, before: %s" % (inventory(usher),
                                                    self.before))
            expect("usher_pending 0\n" in usher.status("--prometheus"),
                   "there are undecided ones left")
            expect(usher.process.poll() is None, "usherd has ended")
            same(usher.lines("violat|has died|was killed by"), [])
        self.usher.stop()


def ends(usher):
    """How connections of the service ended, and how many."""
    found = re.findall(r'usher_ends_total{service="one",end="(\S+)"} (\d+)',
                       usher.status("--prometheus"))
    return {name: int(count) for name, count in found if count != "0"}


def ended(usher, *names):
    """All of the crowd has ended, in one of these ways."""
    expect(wait_for(lambda: sum(ends(usher).values()) == CROWD),
           "ends: %s" % ends(usher))
    expect(set(ends(usher)) <= set(names), "ends: %s" % ends(usher))


def crowd(visit):
    """As many at a time; what visit() raises is a failure."""
    failures = []

    def run(number):
        try:
            visit(number)
        except Exception as e:
            failures.append(repr(e))
    threads = [threading.Thread(target=run, args=(number,))
               for number in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(failures, [])


def ask(usher, finish=True):
    """A client that sends, and reads until the end, whatever that is."""
    with usher.connect() as client:
        try:
            client.send(DATA)
            if finish:
                client.finish()
            return client.end()
        except OSError:  # reset while it was sending
            return "reset"


# -- backends ----------------------------------------------------------------------

def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    conn.close()


def reset_at_once(backend, conn, index):
    reset(conn)


def reset_then(backend, conn, index):
    conn.recv(10)
    reset(conn)


def reset_in_bulk(backend, conn, index):
    for _ in range(100):
        conn.sendall(b"y" * 65536)
    reset(conn)


def finish_at_once(backend, conn, index):
    conn.shutdown(socket.SHUT_WR)
    while conn.recv(65536):
        pass


def leave_unread(backend, conn, index):
    conn.recv(1)
    conn.sendall(b"z" * 100000)


def speak_first(backend, conn, index):
    conn.sendall(b"banner\n" * 1000)
    while conn.recv(65536):
        pass


for behave, names in (
        # A reset may come before the connection is known to be one.
        (reset_at_once, ("backend-reset", "refused")),
        (reset_then, ("backend-reset",)),
        (reset_in_bulk, ("backend-reset",)),
        (finish_at_once, ("backend-closed", "client-closed")),
        (leave_unread, ("backend-reset",)),
        (speak_first, ("client-closed",))):
    @check("backends that %s" % behave.__name__.replace("_", " "))
    def _(behave=behave, names=names):
        with Siege("backend = " + Backend("bad", behave).address) as usher:
            crowd(lambda _: ask(usher))
            ended(usher, *names)


@check("backends that flood: who does not read costs no memory, until idle")
def _():
    def flood(backend, conn, index):
        while True:
            conn.sendall(b"y" * 262144)
    bad = Backend("bad", flood)
    with Siege("backend = " + bad.address, "idle-timeout = 1s") as usher:
        clients = [usher.connect().send(b"x") for _ in range(CROWD)]
        sizes = []
        expect(wait_for(lambda: sizes.append(resident_kb(usher)) or
                        sum(ends(usher).values()) == CROWD), ends(usher))
        same(ends(usher), {"idle": CROWD})
        if static():
            expect(max(sizes) < 1000, "%d KB" % max(sizes))
        for client in clients:
            client.close()


@check("backends that never read: who floods costs no memory, until idle")
def _():
    over = threading.Event()
    bad = Backend("bad", lambda *_: over.wait(60))
    with Siege("backend = " + bad.address, "idle-timeout = 1s") as usher:
        sizes = []

        def flood(number):
            with usher.connect() as client:
                try:
                    while True:
                        client.send(b"x" * 262144)
                except ConnectionError:
                    pass
        watch = threading.Thread(target=lambda: wait_for(
            lambda: sizes.append(resident_kb(usher)) or over.is_set()))
        watch.start()
        crowd(flood)
        over.set()
        watch.join()
        ended(usher, "idle")
        if static():
            expect(max(sizes) < 1000, "%d KB" % max(sizes))


def full_queue(listener):
    """What fills a listener's queue, to be kept."""
    held = []
    while True:
        client = socket.socket(listener.family, listener.type)
        client.setblocking(False)
        held.append(client)
        try:
            client.connect(listener.getsockname())
        except BlockingIOError as e:
            if listener.family == socket.AF_UNIX or len(held) > 2:
                return held


def unix_listener(name, kind, backlog=0):
    path = tmp + "/" + name
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(path)
    listener.listen(backlog)
    os.chmod(path, 0o777)
    return listener, "unix:" + path


@check("backends whose queue is full: connect-timeout")
def _():
    tcp = socket.create_server((HOST, 0), backlog=0)
    unix, path = unix_listener("full", socket.SOCK_STREAM)
    for listener, target in ((tcp, "%s:%d" % tcp.getsockname()),
                             (unix, path)):
        held = full_queue(listener)
        with Siege("backend = " + target, "connect-timeout = 1s") as usher:
            clients = [usher.connect().send(b"x") for _ in range(CROWD)]
            for client in clients:
                same(client.end(), "fin")
                expect(client.took() >= 1, "too early")
                client.close()
            ended(usher, "connect-timeout")
        for client in held:
            client.close()


@check("a unix backend that sends descriptors along: none is kept")
def _():
    def send(backend, conn, index):
        conn.recv(1)
        with open("/dev/null") as null:
            for _ in range(300):
                conn.sendmsg([b"z" * 1000], [(
                    socket.SOL_SOCKET, socket.SCM_RIGHTS,
                    array.array("i", [null.fileno()] * 10))])
    path = tmp + "/sender"
    Backend("bad", send, family=socket.AF_UNIX, address=path)
    os.chmod(path, 0o777)

    def count(usher):
        with usher.connect() as client:
            same(len(client.send(b"x").rest()), 300000)
    with Siege("backend = unix:" + path) as usher:
        crowd(lambda _: count(usher))
        ended(usher, "backend-closed")


# -- receivers ----------------------------------------------------------------------

def receiving(listener, behave):
    def serve():
        while True:
            conn, _ = listener.accept()
            try:
                behave(conn)
            except OSError:
                pass
            conn.close()
    threading.Thread(target=serve, daemon=True).start()


def talk_back(conn):
    conn.send(b"\xff" * 1000)
    _, ancillary, _, _ = conn.recvmsg(4096, 1024)
    for _, _, data in ancillary:
        for fd in array.array("i", bytes(data)):
            os.close(fd)


for number, (what, kind, behave, names) in enumerate((
        ("close at once", socket.SOCK_SEQPACKET, lambda conn: None,
         ("backend-closed", "refused")),
        ("talk back and drop the client", socket.SOCK_SEQPACKET, talk_back,
         ("backend-closed",)),
        ("are stream sockets", socket.SOCK_STREAM, None, ("refused",)))):
    @check("receivers that " + what)
    def _(number=number, kind=kind, behave=behave, names=names):
        listener, path = unix_listener("receiver-%d" % number, kind, 64)
        if behave:
            receiving(listener, behave)
        with Siege("pass = " + path) as usher:
            crowd(lambda _: expect(ask(usher) in ("fin", "reset"), "no end"))
            ended(usher, *names)


@check("a receiver whose queue is full: connect-timeout")
def _():
    listener, path = unix_listener("hung", socket.SOCK_SEQPACKET)
    held = full_queue(listener)
    with Siege("pass = " + path, "connect-timeout = 1s") as usher:
        crowd(lambda _: same(ask(usher), "fin"))
        ended(usher, "connect-timeout")
    for client in held:
        client.close()


# -- programs -----------------------------------------------------------------------

for number, (what, text, head, mode, error) in enumerate((
        ("may not be run", "true\n", "#!/bin/sh\n", 0o644,
         "Permission denied"),
        ("ask for an interpreter that is not there", "true\n",
         "#!/nonexistent\n", 0o755, "No such file or directory"),
        ("are nothing that can be run", "true\n", "", 0o755,
         "Exec format error"))):
    @check("programs that " + what)
    def _(number=number, text=text, head=head, mode=mode, error=error):
        path = script("wrong-%d" % number, text, head)
        os.chmod(path, mode)
        with Siege("exec = " + path) as usher:
            crowd(lambda _: expect(ask(usher) in ("fin", "reset"), "no end"))
            ended(usher, "error")
            usher.await_line("one: cannot run %s: %s" % (path, error))


for what, text, names in (
        ("leave unread what was sent", "exit 3\n", ("backend-closed",)),
        ("close the socket and stay", "exec <&- >&-\nexec sleep 1\n",
         ("backend-closed",)),
        ("are killed", "kill -9 $$\n", ("killed",)),
        ("leave a daemon with the socket behind",
         "exec 2>&-\nsleep 1 &\nexit 0\n", ("backend-closed",))):
    @check("programs that " + what)
    def _(what=what, text=text, names=names):
        path = script(what.replace(" ", "-"), text)
        with Siege("exec = " + path) as usher:
            crowd(lambda _: expect(ask(usher) in ("fin", "reset"), "no end"))
            ended(usher, *names)


@check("a keeper that does not hear: connect-timeout, or served after all")
def _():
    path = script("line", "read -r line\necho \"$line\"\n")
    with Siege("exec = " + path, "connect-timeout = 1s\n"
               "max-per-source = 1000") as usher:
        os.kill(usher.process.pid, signal.SIGSTOP)
        # More than the kernel keeps for it: its send buffer is the limit.
        clients = [usher.connect().send(b"x\n") for _ in range(500)]
        refused = wait_for(lambda: "connect-timeout" in ends(usher))
        os.kill(usher.process.pid, signal.SIGCONT)
        expect(refused, "all could ask")
        answers = [client.rest() for client in clients]
        same(set(answers), {b"", b"x\n"})
        expect(wait_for(lambda: sum(ends(usher).values()) == len(clients)),
               "ends: %s" % ends(usher))
        same(ends(usher), {"connect-timeout": answers.count(b""),
                           "backend-closed": answers.count(b"x\n")})
        usher.await_line(r'error="\w+ timed out" end=connect-timeout')
        for client in clients:
            client.close()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
