"""Ten thousand connections by every road and to every end: nothing is left of
them.  And what a relay holds that has nothing to do."""

import array
import collections
import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading

from wire import (Backend, Skipped, Usher, check, closed_port, expect,
                  program, run_checks, same, shared, tmp, wait_for)

CONNECTIONS = int(os.environ.get("CONNECTIONS", "4000"))
AT_ONCE = 8  # clients of the test's; more would only wait for its processor


def fds(pid):
    """What it has open, sorted; not what it closes while we look."""
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            found.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        except FileNotFoundError:
            pass
    return sorted(found)


def memory(pid, key):
    """In kilobytes, of /proc/PID/smaps_rollup."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"(?m)^%s:\s+(\d+) kB" % key, f.read()).group(1))


def is_sanitized(pid):
    with open("/proc/%d/maps" % pid) as f:
        return ".so" in f.read()


def sockets_of(port):
    """States of the sockets at this port, but for those that only wait for
    the network to forget them."""
    found = []
    with open("/proc/net/tcp") as f:
        for line in f.readlines()[1:]:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) == port and fields[3] != "06":
                found.append(fields[3])
    return found


def short(client):
    client.send(b"short\n")
    same((client.line(), client.line()), ("any", "short"))


def half(client):
    client.send(b"half\n").finish()
    same(client.rest(), b"any\nhalf\n")


def bulk(client):
    client.send(b"b" * 200000)
    client.exactly(200004)


def torn(client):
    client.send(b"torn\n")
    client.line()
    client.reset()


def gone(client):
    client.reset()


def refused(client):
    client.send(b"refused\n")
    client.end()


def rejected(client):
    client.send(b"rejected\n")
    same(client.end(), "fin")


def executed(client):
    client.send(b"exec\n").finish()
    same(client.rest(), b"exec\n")


def passed(client):
    client.send(b"pass\n")
    same(client.rest(), b"passed\n")


# Programs cost most, so there are fewer of them.
KINDS = [short, half, torn, gone, refused, rejected, passed, short, half,
         torn, gone, short, half, bulk, passed, executed]


def receive_passed(path):
    """Answers on the sockets that are passed to this path, for ever."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(128)
    os.chmod(path, 0o777)

    def serve():
        while True:
            sender, _ = listener.accept()
            _, ancillary, _, _ = sender.recvmsg(4096, 1024)
            sender.close()
            received = array.array("i")
            received.frombytes(ancillary[0][2])
            conn = socket.socket(fileno=received[0])
            try:
                conn.recv(100)
                conn.sendall(b"passed\n")
            except OSError:
                pass
            conn.close()
    threading.Thread(target=serve, daemon=True).start()


def status(usher):
    out = subprocess.run([program("usher"), "status", "--json"],
                         env=dict(os.environ, RUNTIME_DIRECTORY=usher.run),
                         capture_output=True, check=True)
    return json.loads(out.stdout)


def work(usher, todo, failures):
    while True:
        try:
            kind = todo.get_nowait()
        except queue.Empty:
            return
        try:
            with usher.connect() as client:
                kind(client)
        except Exception as e:
            failures.append("%s: %r" % (kind.__name__, e))


backend = Backend("any")
holder, dead_port = closed_port()
RULES = """
log = none
inspect-timeout = 5s
max-per-source = 1000
[refused]
payload = "refused"
backend = 127.0.0.1:%d
[rejected]
payload = "rejected"
reject = close
[exec]
payload = "exec"
exec = /bin/cat
[pass]
payload = "pass"
pass = unix:%s/pass.socket
[any]
protocol = any
backend = %s
""" % (dead_port, tmp, backend.address)


def states(*parents):
    """What ps says of their children."""
    return subprocess.run(["ps", "-o", "stat=", "--ppid",
                           ",".join(str(pid) for pid in parents)],
                          capture_output=True, text=True).stdout


@check("nothing is left of %d connections" % CONNECTIONS)
def _():
    receive_passed(tmp + "/pass.socket")
    usher = Usher(RULES)
    for kind in KINDS:  # what is only made when it is needed, is made now
        with usher.connect() as client:
            kind(client)
    resident = usher.at_rest() | {usher.process.pid}
    before = {pid: (fds(pid), memory(pid, "Pss_Anon")) for pid in resident}
    todo, failures = queue.Queue(), []
    for number in range(CONNECTIONS - len(KINDS)):
        todo.put(KINDS[number % len(KINDS)])
    workers = [threading.Thread(target=work, args=(usher, todo, failures))
               for _ in range(AT_ONCE)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    same(failures[:3], [], "failures")
    same(usher.at_rest() | {usher.process.pid}, resident, "processes")
    expect(wait_for(lambda: "Z" not in states(*resident), 30),
           "zombies: " + states(*resident))
    for pid in resident:
        same(fds(pid), before[pid][0], "descriptors of %d" % pid)
        grown = memory(pid, "Pss_Anon") - before[pid][1]
        expect(grown <= 64 or is_sanitized(pid), "%d kB more" % grown)
    expect(wait_for(lambda: sockets_of(usher.port) == ["0A"], 30),
           "sockets: %s" % sockets_of(usher.port))
    now = status(usher)
    same(now["connections"], [], "connections")
    services = now["services"].values()
    same(sum(s["connections"] for s in services), 0, "counted as open")
    usher.stop()


def address_space(pid):
    """Its mappings but the kernel's, and the kilobytes of its page tables."""
    with open("/proc/%d/maps" % pid) as f:
        maps = [line for line in f if "[vsyscall]" not in line]
    with open("/proc/%d/status" % pid) as f:
        return maps, int(re.search(r"VmPTE:\s+(\d+)", f.read()).group(1))


if not shared:
    @check("a connection's process is small from the start")
    def _():
        usher = Usher(RULES)
        acceptor = usher.acceptor()
        with usher.connect().send(b"e") as client:
            expect(wait_for(lambda: len(usher.descendants()) == 2), "no process")
            pid = (usher.descendants() - {acceptor}).pop()
            expect(wait_for(lambda: open("/proc/%d/syscall" % pid).read() !=
                            "running\n"), "does not wait")
            maps, tables = address_space(pid)
            name = open("/proc/%d/cmdline" % pid).read()
            client.send(b"\n")
            same((client.line(), client.line()), ("any", "e"))
        same(name, open("/proc/%d/cmdline" % usher.process.pid).read(), "name")
        usher.stop()
        if ".so" in "".join(maps):
            raise Skipped("memory is that of a sanitizer or of a large libc")
        expect(len(maps) <= 3, "mappings: " + "".join(maps))
        expect(tables <= 12, "%d kB of page tables" % tables)


@check("an idle relay has two sockets, and pages that can be counted")
def _():
    usher = Usher("[any]\nprotocol = any\nbackend = %s\n" % backend.address)
    clients = [usher.connect() for _ in range(20)]
    for client in clients:
        client.send(b"x" * 300000)  # enough for pipes, both ways
        client.exactly(300004)

    # Whoever has a client, and how many it has.
    relays = collections.Counter(usher.relay_of(client) for client in clients)
    same(len(relays) == len(clients), not shared, "a relay each")
    expect(wait_for(lambda: all("pipe:" not in " ".join(fds(pid))
                                for pid in relays)), "pipes are kept")
    for pid, carried in relays.items():
        have = fds(pid)
        # And one from its worker, where it gets them.
        same(sum(fd.startswith("socket:") for fd in have),
             2 * carried + shared, "sockets")
        # Three standard ones, the log's place, the scoreboard, and those; an
        # epoll.
        expect(len(have) <= 5 + 2 * carried + 2 * shared,
               "descriptors: %s" % have)
        with open("/proc/%d/status" % pid) as f:
            text = f.read()
        same(re.search(r"Threads:\s+(\d+)", text).group(1), "1", "threads")
        same(re.search(r"Seccomp:\s+(\d+)", text).group(1),
             "0" if is_sanitized(pid) else "2", "seccomp")
    if is_sanitized(min(relays)):
        usher.stop()
        raise Skipped("memory is that of a sanitizer or of a large libc")
    own = [memory(pid, "Pss_Anon") for pid in relays]
    all_of = [memory(pid, "Pss") for pid in relays]
    expect(max(own) <= (80 if shared else 12), "private kilobytes: %s" % own)
    # Code and scoreboard are shared by as many as there are: in shared mode
    # that may be one.
    expect(sum(all_of) <= 140 + 60 * len(relays) if shared else
           max(all_of) <= 24, "kilobytes in all: %s" % all_of)
    print("# private %d to %d kB, in all %d to %d kB, descriptors %d" % (
        min(own), max(own), min(all_of), max(all_of), len(fds(min(relays)))))
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
