"""Processes come and go, connections stay: reload, restart, death, idleness,
under each of which a connection in progress must notice nothing."""

import os
import re
import signal
import sys
import time

from wire import (Backend, Client, Usher, check, expect, now, run_checks, same,
                  shared, title, tmp, wait_for, RESIDENT)

QUIET = .3  # seconds: longer than a connection is quiet before its relay execs

backends = {name: Backend(name) for name in ("old", "new")}


def rules(name, settings=""):
    return """
        inspect-timeout = 500ms
        %s
        [%s]
        protocol = any silent
        backend = %s
        """ % (settings, name, backends[name].address)


def greeted(usher, name="old"):
    client = usher.connect().send(b"x\n")
    same((client.line(), client.line()), (name, "x"))
    return client


def alive(client):
    """Does its connection still carry bytes, both ways?"""
    client.send(b"still?\n")
    same(client.line(), "still?")


@check("ps is the table of connections")
def _():
    usher = Usher(rules("old"))
    client = greeted(usher)
    pid = usher.relay_of(client)
    expected = "usher-relay old 127.0.0.1:%d %s" % (
        client.local, backends["old"].address)
    if shared:  # there the table is usher status: one relay carries many
        expected = "usher-relay shared"
        second = greeted(usher)
        usher.relay_of(second)
        expect(len(usher.relays()) <= RESIDENT - 1, "%s" % usher.relays())
        alive(second)
    expect(wait_for(lambda: title(pid).endswith(expected)), title(pid))
    alive(client)
    usher.stop()


@check("log-client = none: ps does not tell who the client is")
def _():
    usher = Usher(rules("old", "log-client = none"))
    client = greeted(usher)
    pid = usher.relay_of(client)
    expected = "usher-relay old - %s" % backends["old"].address
    if shared:
        expected = "usher-relay shared"
    expect(wait_for(lambda: title(pid).endswith(expected)), title(pid))
    alive(client)
    usher.stop()


@check("relay-exec = at-once: it is usher-relay from the start")
def _():
    usher = Usher(rules("old", "relay-exec = at-once"))
    client = greeted(usher)
    usher.relay_of(client)
    alive(client)
    client.finish()
    same(client.rest(), b"")
    expect("end=client-closed" in usher.line_of(client), "not in the log")
    usher.stop()


@check("kill -9 of a relay ends its connection alone, and is logged")
def _():
    usher = Usher(rules("old"))
    first = greeted(usher)
    relay = usher.relay_of(first)
    # In shared mode that relay would have the second as well, once quiet.
    second = usher.connect() if shared else greeted(usher)
    os.kill(relay, signal.SIGKILL)
    expect(first.end() in ("fin", "reset"), "it lives")
    second.send(b"still?\n")
    if shared:
        same(second.line(), "old")
    same(second.line(), "still?")
    greeted(usher).close()
    expect("end=killed" in usher.line_of(first), usher.line_of(first))
    usher.stop()


@check("kill of a relay closes both sides in order")
def _():
    usher = Usher(rules("old"))
    client = greeted(usher)
    index = backends["old"].accepted - 1
    os.kill(usher.relay_of(client), signal.SIGTERM)
    same(client.end(), "fin", "the client's end")
    same(wait_for(lambda: backends["old"].ends[index]), "fin", "the backend's")
    expect("end=killed" in usher.line_of(client), usher.line_of(client))
    usher.stop()


def is_refused(usher):
    try:
        Client(usher.port).close()
        return False
    except ConnectionRefusedError:
        return True


@check("SIGTERM to usherd: exit status 0, connections live on")
def _():
    usher = Usher(rules("old"))
    quiet = greeted(usher)
    usher.relay_of(quiet)
    busy = greeted(usher)
    usher.process.send_signal(signal.SIGTERM)
    same(usher.process.wait(10), 0, "exit status")
    # A worker learns of it by the acceptor's end: a moment later.
    expect(wait_for(lambda: is_refused(usher)), "the port is still open")
    time.sleep(QUIET)  # the busy one becomes quiet: nobody is left to ask
    for client in (quiet, busy):
        alive(client)
        client.finish()
        same(client.end(), "fin")
    usher.stop()


@check("SIGTERM to usherd: who is undecided is decided and served all the same")
def _():
    usher = Usher(rules("old").replace("any silent", "ssh").replace(
        "500ms", "1h"))
    greeted_one = usher.connect().send(b"SSH-2.0-x\r\n")
    same(greeted_one.line(), "old")
    undecided = usher.connect().send(b"SS")
    usher.accepted(2)
    usher.process.send_signal(signal.SIGTERM)
    same(usher.process.wait(10), 0, "exit status")
    undecided.send(b"H-2.0-y\r\n")
    same(undecided.line(), "old")
    usher.stop()


def program_rules(name):
    path = "%s/%s" % (tmp, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\necho $$\nexec cat\n")
    os.chmod(path, 0o755)
    return "[program]\nprotocol = any\nexec = %s\n" % path


@check("a program outlives usherd; its end is in the next one's log")
def _():
    text = program_rules("cat")
    first = Usher(text)
    clients = [first.connect().send(b"x\n") for _ in range(2)]
    pids = [client.line() for client in clients]
    for client in clients:
        same(client.line(), "x")
    first.process.send_signal(signal.SIGTERM)
    same(first.process.wait(10), 0, "exit status")
    same(first.lines("service=program"), [], "lines of the first")
    alive(clients[0])
    clients[0].close()  # while nobody is there
    expect(wait_for(lambda: not os.path.exists("/proc/" + pids[0])), "it runs")
    second = Usher(text, after=first)
    second.await_line(r"client_port=%d .*end=backend-closed" %
                      clients[0].local, seconds=30)
    alive(clients[1])
    same(len(second.lines("service=program")), 1, "lines")
    clients[1].close()
    first.stop()
    second.stop()


@check("a program that starts late is listed, and not given up")
def _():
    usher = Usher("silence-timeout = 3s\n" +
                  program_rules("silent").replace("any", "silent"))
    usher.acceptor()  # and with it the scoreboard
    client = usher.connect()
    pid = int(client.line())
    same([row["pid"] for row in usher.table()["connections"]], [pid])
    client.close()
    usher.await_line(r"wait_usec=3\d{6} .*end=backend-closed")
    usher.stop()


@check("SIGTERM to usherd: who is undecided still gets a program")
def _():
    usher = Usher(program_rules("late").replace("any", "ssh"))
    client = usher.connect().send(b"SS")
    expect(wait_for(lambda: len(usher.descendants()) >= 2), "no child")
    usher.process.send_signal(signal.SIGTERM)
    expect(wait_for(lambda: len(usher.descendants()) == 1), "it accepts")
    client.send(b"H-2.0-y\r\n")
    client.line()
    same(client.line(), "SSH-2.0-y\r")
    same(usher.process.wait(10), 0, "exit status")
    client.close()
    usher.stop()


def reload(usher):
    usher.process.send_signal(signal.SIGHUP)


def next_reaches(usher, name):
    with usher.connect() as client:
        return client.send(b"x").line() == name


@check("SIGHUP: new rules serve the next connection, the old one stays")
def _():
    usher = Usher(rules("old"))
    quiet = greeted(usher)
    usher.relay_of(quiet)
    busy = greeted(usher)
    usher.write(rules("new"))
    reload(usher)
    expect(wait_for(lambda: next_reaches(usher, "new")), usher.log())
    for _ in range(5):
        expect(next_reaches(usher, "new"), "back to the old rules")
    alive(quiet)
    alive(busy)
    busy.finish()
    same(busy.end(), "fin")
    expect("end=client-closed" in usher.line_of(busy), "not in the log")
    usher.stop()


@check("SIGHUP with a mistake: it is named, the old rules stay")
def _():
    usher = Usher(rules("old"))
    client = greeted(usher)
    usher.write(rules("new") + "nonsense = 1\n")
    lines = open(usher.file).read().splitlines()
    reload(usher)
    usher.await_line(re.escape("%s:%d:1:" % (usher.file, len(lines))))
    expect(next_reaches(usher, "old"), "not the old rules")
    alive(client)
    usher.write(rules("new"))
    reload(usher)
    expect(wait_for(lambda: next_reaches(usher, "new")), usher.log())
    usher.stop()


@check("SIGHUP a hundred times while clients come: none is lost")
def _():
    usher = Usher(rules("old"))
    greeted(usher).close()
    for number in range(100):
        reload(usher)
        with usher.connect() as client:
            same(client.send(b"x").line(), "old", "connection %d" % number)
    usher.at_rest()
    usher.stop()


@check("an acceptor that is killed is replaced; connections live on")
def _():
    usher = Usher(rules("old"))
    client = greeted(usher)
    usher.relay_of(client)
    for _ in range(3):
        os.kill(usher.acceptor(), signal.SIGKILL)
        expect(wait_for(lambda: next_reaches(usher, "old")), "nobody accepts")
    alive(client)
    usher.await_line("acceptor has died")
    usher.stop()


@check("SIGTERM to the whole group: no death is mourned, exit status 0")
def _():
    usher = Usher(rules("old"))
    expect(wait_for(lambda: next_reaches(usher, "old")), "nobody accepts")
    expect(wait_for(lambda: len(usher.descendants()) == RESIDENT),
           "no acceptor")
    # The keeper hears of both at once: that it shall stop, and of a death.
    usher.process.send_signal(signal.SIGSTOP)
    acceptor = usher.acceptor() if os.getuid() else None
    os.killpg(usher.process.pid, signal.SIGTERM)
    if acceptor:  # it obeys nobody of its own user but the keeper
        os.kill(acceptor, signal.SIGKILL)
    expect(wait_for(lambda: not usher.descendants()), "the acceptor lives")
    usher.process.send_signal(signal.SIGCONT)
    same(usher.process.wait(10), 0, "exit status")
    expect("the acceptor has died" not in usher.log(), usher.log())


@check("exit-idle-time: it ends when all are gone, not before")
def _():
    usher = Usher(rules("old", "exit-idle-time = 1s"))
    client = greeted(usher)
    begun = now()
    while now() - begun < 1.5:
        alive(client)
        expect(usher.process.poll() is None, "it has ended")
        time.sleep(.1)
    client.close()
    same(usher.process.wait(10), 0, "exit status")
    usher.stop()


def zombies_of(usher):
    """How many of usherd's own children nobody has asked about."""
    zombies = 0
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open("/proc/%s/stat" % pid) as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            zombies += (fields[0] == "Z" and
                        int(fields[1]) == usher.process.pid)
    return zombies


@check("nothing is left of a thousand connections")
def _():
    # Ninety that have just gone may still be counted when the next come.
    usher = Usher(rules("old", "max-per-source = 1000"))
    for _ in range(10):
        clients = [usher.connect().send(b"x\n") for _ in range(90)]
        for client in clients:
            same(client.line(), "old")
            client.close()
    usher.at_rest()
    expect(wait_for(lambda: zombies_of(usher) == 0),
           "%d zombies" % zombies_of(usher))
    fds = os.listdir("/proc/%d/fd" % usher.process.pid)
    expect(len(fds) < 24, "descriptors of usherd: %s" % fds)
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
