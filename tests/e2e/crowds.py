"""Many clients in few processes: what isolation = shared has to stand.

Whatever dies takes its own connections with it, each with its line in the log
and its counts put right, and nobody else's."""

import os
import select
import signal
import sys
import threading
import time

from wire import (Backend, Usher, check, expect, run_checks, same, title,
                  wait_for, PATIENCE, RESIDENT)

CROWD = 60
LINES = 10  # of errors of a service, before the others are only counted
QUIET = .3  # seconds: longer than a connection is quiet before it is handed on

backend = Backend("any")


def rules(settings=""):
    return """
        isolation = shared
        inspect-timeout = 20s
        max-per-source = 1000
        %s
        [any]
        protocol = any
        backend = %s
        """ % (settings, backend.address)


def greeted(usher, number=0):
    client = usher.connect().send(b"%d\n" % number)
    same((client.line(), client.line()), ("any", "%d" % number))
    return client


def answers(client):
    """Does its connection still carry bytes, both ways?"""
    try:
        return client.send(b"still?\n").line() == "still?"
    except OSError:
        return False


def owners(usher, clients):
    """The process of each of these connections."""
    rows = {row["client_port"]: row["pid"]
            for row in usher.table()["connections"]}
    return [rows.get(client.local) for client in clients]


def workers(usher):
    """Those whose parent is a child of usherd's."""
    def parent(pid):
        try:
            with open("/proc/%d/stat" % pid) as f:
                return int(f.read().rpartition(")")[2].split()[1])
        except OSError:
            return 0
    return {p for p in usher.descendants()
            if parent(parent(p)) == usher.process.pid and
            "usher-relay" not in title(p)}


def counted(usher, alive, lost=None):
    """Once everything is put right: so many go on, so many were killed."""
    def right():
        table = usher.table()
        service = table["services"]["any"]
        ended = sum(service["ends"].values())
        return (service["connections"] == len(table["connections"]) == alive
                and service["total"] >= alive + ended
                and (lost is None or service["ends"].get("killed", 0) == lost))
    # A process that was killed while it counted is put right within 10 s.
    expect(wait_for(right, 20), "%s" % usher.table())


class Load:
    """Short connections, one after the other, by some threads."""

    def __init__(self, usher, threads=4):
        self.usher = usher
        self.done = self.lost = 0
        self.errors = []
        self.stopping = False
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopping and self.usher.process.poll() is None:
            try:
                with self.usher.connect() as client:
                    good = client.send(b"x").line() == "any"
                    client.finish()
                    client.rest()
                self.done += good
                self.lost += not good
            except OSError:
                self.lost += 1

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(PATIENCE)


@check("a crowd is carried by as many relays as there are workers, or fewer")
def _():
    usher = Usher(rules())
    clients = [greeted(usher, number) for number in range(CROWD)]
    usher.relayed(clients)
    expect(len(usher.relays()) < RESIDENT, "%s" % usher.relays())
    for client in clients:
        expect(answers(client), "one does not")
        client.close()
    counted(usher, 0)
    usher.at_rest()
    usher.stop()


@check("kill -9 of a relay under load: its connections end, no others")
def _():
    usher = Usher(rules())
    clients = [greeted(usher, number) for number in range(CROWD)]
    usher.relayed(clients)
    load = Load(usher)
    undecided = [usher.connect() for _ in range(5)]
    usher.accepted(CROWD + 5)
    before = owners(usher, clients)
    victim = before[0]
    os.kill(victim, signal.SIGKILL)
    for client, owner in zip(clients, before):
        if owner == victim:
            expect(client.end() in ("fin", "reset"), "one lives on")
        else:
            expect(answers(client), "one went with another's relay")
    # A line each, as far as errors of a service have lines.
    usher.await_line("end=killed", min(before.count(victim), LINES))
    for client in undecided:
        same(client.send(b"x").line(), "any")
    load.stop()
    same(load.lost, 0, "short connections lost")
    expect(load.done > 0, "no load")
    for client in clients + undecided:
        client.close()
    counted(usher, 0, before.count(victim))
    again = greeted(usher)
    expect(usher.relay_of(again) != victim, "no other relay")
    again.close()
    usher.stop()


@check("kill -9 of a worker under load: its connections end, no others")
def _():
    usher = Usher(rules())
    clients = [greeted(usher, number) for number in range(CROWD)]
    usher.relayed(clients)
    load = Load(usher)
    undecided = [usher.connect() for _ in range(10)]
    usher.accepted(CROWD + 10)
    before = owners(usher, undecided)
    victim = before[0]
    expect(victim in workers(usher), "%s" % before)
    os.kill(victim, signal.SIGKILL)
    load.stop()
    expect(all(answers(c) for c in clients), "a relay's connection ended")
    for client, owner in zip(undecided, before):
        if owner == victim:
            expect(client.end() in ("fin", "reset"), "one lives on")
        else:
            same(client.send(b"x").line(), "any")
    usher.await_line("end=killed", min(before.count(victim), LINES))
    expect(load.lost <= 4, "%d short connections lost" % load.lost)
    usher.await_line("a worker has died")
    expect(wait_for(lambda: len(workers(usher)) == RESIDENT - 1),
           "not replaced: %s" % workers(usher))
    for client in clients + undecided:
        client.close()
    counted(usher, 0)
    usher.stop()


@check("a relay that does not answer strands nobody")
def _():
    usher = Usher(rules())
    first = greeted(usher)
    relay = usher.relay_of(first)
    os.kill(relay, signal.SIGSTOP)
    try:
        clients = [greeted(usher, number) for number in range(CROWD)]
        for _ in range(3):
            time.sleep(QUIET)  # to be offered, and to be taken back
            expect(all(answers(client) for client in clients), "one is lost")
        expect(relay not in owners(usher, clients), "taken while stopped")
        # What it has not read keeps their sockets open.
        torn = clients[:CROWD // 2]
        before = backend.ends.count("ConnectionResetError")
        for client in torn:
            client.reset()
        expect(wait_for(lambda: backend.ends.count("ConnectionResetError") ==
                        before + len(torn)), "backends hear of no reset")
        clients = clients[CROWD // 2:]
    finally:
        os.kill(relay, signal.SIGCONT)
    expect(answers(first), "the relay's own is lost")
    usher.relayed(clients)
    for client in clients:
        expect(answers(client), "one is lost afterwards")
        client.close()
    first.close()
    counted(usher, 0, 0)
    usher.stop()


@check("kill of a relay closes all of its connections in order")
def _():
    usher = Usher(rules())
    clients = [greeted(usher, number) for number in range(10)]
    pids = {usher.relay_of(client) for client in clients}
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    for client in clients:
        same(client.end(), "fin", "the client's end")
        client.close()
        expect("end=killed" in usher.line_of(client), "not in the log")
    counted(usher, 0, 10)
    usher.stop()


@check("hundreds of silent clients do not delay one that speaks")
def _():
    usher = Usher(rules("max-pending = 300"))
    silent = [usher.connect() for _ in range(400)]
    for _ in range(20):
        with usher.connect() as client:
            same(client.send(b"x").line(), "any")
            expect(client.took() < 2, "after %.1f s" % client.took())
    # The limit may be missed by one for each worker, for a moment.
    rows = len(usher.table()["connections"])
    expect(rows <= 300 + RESIDENT, "%d undecided" % rows)
    for client in silent:
        client.close()
    usher.stop()


@check("without descriptors in worker and relay clients wait, and none is lost")
def _():
    limit, many = 300, 300
    processor = min(os.sched_getaffinity(0))  # so that there is one of each
    usher = Usher(rules(), through=["taskset", "-c", "%d" % processor,
                                    "prlimit", "--nofile=%d" % limit])
    clients = {}
    poll = select.poll()
    for number in range(many):
        client = usher.connect().send(b"%d\n" % number)
        clients[client.socket.fileno()] = (client, b"any\n%d\n" % number)
        poll.register(client.socket, select.POLLIN)

    def is_full():
        return any(len(os.listdir("/proc/%d/fd" % pid)) >= limit - 2
                   for pid in usher.relays())
    expect(wait_for(is_full), "no relay is full")
    expect(len(usher.table()["connections"]) < many, "there was no lack")
    while clients:
        ready = poll.poll(PATIENCE * 1000)
        expect(ready, "%d are not served" % len(clients))
        for fd, _ in ready:
            client, wanted = clients.pop(fd)
            same(client.exactly(len(wanted)), wanted)
            poll.unregister(fd)
            client.close()
    counted(usher, 0, 0)
    usher.stop()


@check("bulk goes to the relays, and pipes are given back at rest")
def _():
    usher = Usher(rules())
    size = 8 << 20
    clients = [greeted(usher, number) for number in range(4)]
    blocks = os.urandom(size)
    senders = [threading.Thread(target=client.send, args=(blocks,))
               for client in clients]
    for sender in senders:
        sender.start()
    for client in clients:
        same(client.exactly(size), blocks)
    for sender in senders:
        sender.join()
    relays = {usher.relay_of(client) for client in clients}

    def pipes():
        links = []
        for pid in relays:
            for fd in os.listdir("/proc/%d/fd" % pid):
                try:
                    links.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
                except OSError:
                    pass
        return [link for link in links if link.startswith("pipe:")]
    expect(wait_for(lambda: not pipes()), "%s" % pipes())
    for client in clients:
        client.close()
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
