"""Clients that send nothing: with a process for each connection they have none
until they do.  They are served, limited, counted and let go as all others."""

import fcntl
import os
import pwd
import signal
import struct
import sys

from wire import (Backend, Skipped, Usher, check, expect, hello, limit,
                  run_checks, same, wait_for, PATIENCE, RESIDENT)

backend = Backend("any")
other = Backend("other")


def rules(settings="inspect-timeout = 30s", backend=backend):
    return """
        isolation = connection
        %s
        [any]
        protocol = any silent
        backend = %s
        """ % (settings, backend.address)


def silent(usher, number):
    """So many that have been let in."""
    clients = [usher.connect() for _ in range(number)]
    ports = {client.local for client in clients}
    expect(wait_for(lambda: ports <= {row["client_port"]
                                      for row in usher.rows() or ()}),
           "not all are let in: %s" % usher.table())
    return clients


class no_processes:
    """None can be started by the acceptor that usher has now."""

    def __init__(self, usher):
        if os.getuid():
            raise Skipped("needs root, for usher not to be it")
        self.pid = usher.acceptor()

    def __enter__(self):
        self.was = limit(self.pid, "nproc", "1")

    def __exit__(self, *_):
        if os.path.exists("/proc/%d" % self.pid):
            limit(self.pid, "nproc", self.was)


def served(client, name="any"):
    client.send(b"x\n")
    same((client.line(), client.line()), (name, "x"))
    return client


def close(clients):
    for client in clients:
        client.close()


def descriptors(pid):
    """What a process has open, by the names that /proc has for it."""
    found = set()
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            found.add(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        except FileNotFoundError:
            pass
    return found


@check("a silent client has no process, and gets one with its first byte")
def _():
    usher = Usher(rules())
    clients = silent(usher, 20)
    acceptor = usher.acceptor()
    same(len(usher.descendants()), RESIDENT, "processes")
    same({usher.process_of(client) for client in clients}, {acceptor},
         "who has them")
    for client in clients[:3]:
        served(client)
        expect(usher.process_of(client) != acceptor, "not a process of its own")
    same(len(usher.descendants()), RESIDENT + 3, "processes")
    close(clients)
    usher.at_rest()
    same(len(usher.lines("end=gone")), 17, "lines of those who just left")
    usher.stop()


@check("no client's process has another's socket")
def _():
    usher = Usher("""
        inspect-timeout = 30s
        isolation = connection
        [later]
        payload = "never"
        reject = close
        """)
    # Around those who have processes, as the acceptor has them; and they stay
    # undecided, for an exec would close what they should not have.
    clients = silent(usher, 12)
    speaking = [client.send(b"n") for client in clients[3:9:2]]
    acceptor = usher.acceptor()
    expect(wait_for(lambda: len(usher.descendants()) == RESIDENT + 3),
           "processes: %s" % usher.descendants())
    known = descriptors(acceptor)
    expect("anon_inode:[eventpoll]" in known, "%s" % known)
    own = set()
    for client in speaking:
        pid = usher.process_of(client)
        expect(pid != acceptor, "it has no process")
        expect(wait_for(lambda: len(descriptors(pid) - known) == 1),
               "of its own it has %s" % (descriptors(pid) - known))
        mine = descriptors(pid)
        own |= mine - known
        same(mine & waiting(usher, known), set(), "of those who wait")
        expect("anon_inode:[eventpoll]" not in mine, "%s" % mine)
    same(len(own), 3, "sockets of three: %s" % own)
    close(clients)
    usher.stop()


def waiting(usher, known):
    """The sockets of those who wait: all connected ones at usher's port that
    the acceptor has."""
    found = set()
    with open("/proc/net/tcp") as f:
        for line in f.read().splitlines()[1:]:
            fields = line.split()
            if (fields[1].endswith(":%04X" % usher.port) and
                    fields[3] == "01"):  # ESTABLISHED
                found.add("socket:[%s]" % fields[9])
    found &= known
    expect(found, "nobody waits")
    return found


@check("who has been silent for long is no stranger to its own slot")
def _():
    usher = Usher(rules())
    client, = silent(usher, 1)
    # Far more than the start of a process and the record of it may differ.
    expect(wait_for(lambda: usher.rows()[0]["age"] > 2.5), usher.table())
    served(client)
    expect(usher.process_of(client) != usher.acceptor(), usher.table())
    same(len(usher.rows()), 1, "connections listed")
    client.close()
    usher.at_rest()
    usher.stop()


@check("silence-timeout and inspect-timeout hold for who has no process")
def _():
    usher = Usher(rules("silence-timeout = 300ms\naccept-proxy = 127.0.0.9\n"
                        "inspect-timeout = 1200ms"))
    from_proxy = usher.connect(source="127.0.0.9")
    client = usher.connect()
    same(client.line(), "any")
    expect(.3 <= client.took() < 1.2, "after %.1f s" % client.took())
    same(from_proxy.end(), "fin", "without a header the end is")
    expect(from_proxy.took() >= 1.2, "after %.1f s" % from_proxy.took())
    expect("end=error" in usher.line_of(from_proxy), usher.log())
    client.close()
    usher.stop()


@check("rules that need no byte do not wait for one")
def _():
    usher = Usher("""
        isolation = connection
        inspect-timeout = 1h
        [here]
        from = 127.0.0.9
        backend = %s
        [any]
        protocol = any
        backend = %s
        """ % (other.address, backend.address))
    with usher.connect(source="127.0.0.9") as client:
        same(client.line(), "other")
    usher.at_rest()
    client, = silent(usher, 1)
    same(len(usher.descendants()), RESIDENT, "processes")
    served(client).close()
    usher.stop()


@check("the oldest goes first, whether it has said something or not")
def _():
    usher = Usher(rules("max-pending = 4\ninspect-timeout = 30s").replace(
        "protocol = any silent", "server-name = *"))
    clients = []
    for number in range(4):
        clients.append(usher.connect())
        usher.accepted(number + 1)
        if number % 2:
            clients[-1].send(hello("a.example.net")[:9])
            # It has a process now, and stays undecided.
            expect(wait_for(lambda: usher.process_of(clients[-1]) !=
                            usher.acceptor()), "no process")
    for number in range(4):
        clients.append(usher.connect())
        same(clients[number].end(), "reset", "number %d's end is" % number)
        expect("end=limit" in usher.line_of(clients[number]), usher.log())
    same(clients[-1].send(hello("a.example.net")).line(), "any")
    close(clients)
    usher.at_rest()
    usher.stop()


@check("a reload: who is silent has a process from then on, and the old rules")
def _():
    usher = Usher(rules())
    clients = silent(usher, 5)
    usher.write(rules(backend=other))
    usher.process.send_signal(signal.SIGHUP)
    usher.await_line("reloaded the rules")
    expect(wait_for(lambda: len(usher.descendants()) == RESIDENT + 5),
           "processes: %s" % usher.descendants())
    for client in clients:
        served(client)
    served(usher.connect(), "other").close()
    close(clients)
    usher.at_rest()
    usher.stop()


@check("SIGTERM to usherd: who is silent is served all the same")
def _():
    usher = Usher(rules())
    clients = silent(usher, 5)
    usher.process.terminate()
    same(usher.process.wait(PATIENCE), 0, "exit status")
    for client in clients:
        served(client).close()
        expect("end=client" in usher.line_of(client), usher.log())
    usher.stop()


@check("an interrupt ends who is silent, with a line for each")
def _():
    usher = Usher(rules())
    clients = silent(usher, 5)
    os.killpg(usher.process.pid, signal.SIGINT)
    same(usher.process.wait(PATIENCE), 0, "exit status")
    for client in clients:
        same(client.end(), "fin")
        expect("end=killed" in usher.line_of(client), usher.log())
    usher.stop()


@check("an acceptor that is killed takes who is silent along, and nobody else")
def _():
    usher = Usher(rules())
    first = served(usher.connect())
    clients = silent(usher, 5)
    os.kill(usher.acceptor(), signal.SIGKILL)
    for client in clients:
        expect(client.end() in ("fin", "reset"), "no end")
        expect("end=killed" in usher.line_of(client), usher.log())
    first.send(b"still\n")
    same(first.line(), "still")
    served(usher.connect()).close()
    expect(wait_for(lambda: len(usher.rows()) == 1), usher.table())
    first.close()
    usher.stop()


@check("SIGTERM while many are decided: none of them is stopped with it")
def _():
    for _ in range(3):
        usher = Usher(rules("silence-timeout = 1s\nmax-pending = 400\n"
                            "max-per-source = 400"))
        clients = silent(usher, 300)
        # Their time has come, one after the other.
        expect(wait_for(lambda: len(usher.descendants()) > RESIDENT + 5),
               "no processes")
        usher.process.terminate()
        same(usher.process.wait(PATIENCE), 0, "exit status")
        same([client.line() for client in clients], ["any"] * 300)
        close(clients)
        usher.stop()


def owned_by(user):
    """Processes of a user, those that nobody has reaped yet among them."""
    uid = pwd.getpwnam(user).pw_uid
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.stat("/proc/" + entry).st_uid == uid:
                found.append(int(entry))
        except OSError:
            pass  # it has just ended
    return found


@check("those who have just ended do not take the processes of who is silent")
def _():
    if os.getuid():
        raise Skipped("needs root, for usher not to be it")
    # Its processes are counted, so it has to be this test's alone.
    with open("/etc/passwd") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        expect(wait_for(lambda: not owned_by("games")), "others are there")
        usher = Usher("user = games\n" + rules())
        busy = [served(usher.connect()) for _ in range(10)]
        usher.relayed(busy)
        clients = silent(usher, 10)
        limit(usher.acceptor(), "nproc", "%d" % (len(usher.descendants()) + 1))
        close(busy)
        usher.process.terminate()
        same(usher.process.wait(PATIENCE), 0, "exit status")
        for client in clients:
            served(client).close()
        usher.stop()


@check("somebody has written over the slots of who is silent: they go, no more")
def _():
    usher = Usher(rules())
    clients = silent(usher, 4)
    acceptor = usher.acceptor()
    with open(usher.run + "/scoreboard", "r+b") as f:
        data = f.read()
        at = data.find(struct.pack("<i", acceptor))
        while at >= 0:
            f.seek(at)
            f.write(struct.pack("<i", 0))
            at = data.find(struct.pack("<i", acceptor), at + 1)
    for client in clients[:2]:
        same(client.send(b"x").end(), "reset")
    # Their slots are others' now.
    more = silent(usher, 4)
    for client in clients[2:]:
        same(client.send(b"x").end(), "reset")
    for client in more:
        served(client).close()
    same(usher.acceptor(), acceptor, "the acceptor is")
    usher.stop()


@check("those for whom there are no descriptors have processes, and are served")
def _():
    usher = Usher(rules("inspect-timeout = 30s\nmax-pending = 1000\n"
                        "max-per-source = 1000"),
                  through=["prlimit", "--nofile=600:600"])
    clients = silent(usher, 310)
    expect(wait_for(lambda: len(usher.descendants()) ==
                    RESIDENT + 310 - 600 // 2),
           "%d processes" % len(usher.descendants()))
    for client in clients:
        served(client).close()
    usher.at_rest()
    usher.stop()


@check("there are no processes: who has sent something waits, and is served")
def _():
    usher = Usher(rules())
    clients = silent(usher, 5)
    with no_processes(usher):
        for client in clients:
            client.send(b"x\n")
        usher.await_line("cannot start a process for a connection")
        # Those who came after them are not let in before them.
        late = usher.connect().send(b"x\n")
        expect(clients[0].quiet(.3), "served without a process")
    for client in clients + [late]:
        same((client.line(), client.line()), ("any", "x"))
    close(clients + [late])
    usher.at_rest()
    usher.stop()


@check("a reload when there are no processes: who is silent ends, with a line")
def _():
    usher = Usher(rules())
    clients = silent(usher, 5)
    with no_processes(usher):
        usher.process.send_signal(signal.SIGHUP)
        usher.await_line("reloaded the rules")
        for client in clients:
            expect(client.end() in ("fin", "reset"), "it does not end")
            expect("end=error" in usher.line_of(client), usher.log())
    served(usher.connect()).close()
    usher.at_rest()
    usher.stop()


@check("an interrupt of the acceptor alone ends who waits, and nobody else")
def _():
    usher = Usher(rules())
    first = served(usher.connect())
    clients = silent(usher, 2)
    os.kill(usher.acceptor(), signal.SIGINT)
    for client in clients:
        same(client.end(), "fin")
    client, = silent(usher, 1)
    expect(client.quiet(.3), "it is not let wait")
    served(client).close()
    first.send(b"still\n")
    same(first.line(), "still")
    first.close()
    usher.stop()


@check("an administrator ends all: who is silent, too")
def _():
    if os.getuid():
        raise Skipped("needs root, for usher not to be it")
    usher = Usher(rules())
    first = served(usher.connect())
    clients = silent(usher, 3)
    # As systemctl kill does it, but in an order that is the worst.
    acceptor = usher.acceptor()
    for pid in [acceptor, *(usher.descendants() - {acceptor}),
                usher.process.pid]:
        os.kill(pid, signal.SIGTERM)
    for client in clients:
        same(client.end(), "fin")
        expect("end=killed" in usher.line_of(client), usher.log())
    same(first.end(), "fin")
    same(usher.process.wait(PATIENCE), 0, "exit status")
    expect(wait_for(lambda: not usher.descendants()), "somebody lives")
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
