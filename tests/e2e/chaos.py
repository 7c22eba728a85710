"""Processes that are killed and stopped at random, and rules that are reloaded,
while clients of all kinds come and go and connections are handed over.

What such a process carried may end.  Nobody may hang, and once it is over all
counts are right and nothing is left."""

import array
import os
import random
import signal
import socket
import sys
import threading
import time

from wire import (Backend, Usher, check, expect, now, run_checks, same, title,
                  tmp, wait_for, PATIENCE)

SEED = int(os.environ.get("SEED", "1"))
SECONDS = float(os.environ.get("SECONDS", "8"))
CLIENTS = 24
# As long as a connection is quiet before it is handed over, and around that.
PAUSES = (0, .1, .19, .2, .205, .21, .25, .4)

backend = Backend("any")

RULES = """
    inspect-timeout = 5s
    max-connections = 400
    max-pending = 100
    max-per-source = 1000
    %%s
    [pass]
    payload = "pass"
    pass = unix:%s/pass.socket
    [exec]
    payload = "exec"
    exec = /bin/cat
    [away]
    payload = "away"
    reject = reset
    [any]
    protocol = any
    backend = %s
    """ % (tmp, backend.address)


def receive_passed():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(tmp + "/pass.socket")
    listener.listen(128)
    os.chmod(tmp + "/pass.socket", 0o777)

    def answer(sender):
        try:
            _, ancillary, _, _ = sender.recvmsg(4096, 1024)
            sender.close()
            passed = array.array("i")
            passed.frombytes(ancillary[0][2])
            with socket.socket(fileno=passed[0]) as conn:
                conn.settimeout(PATIENCE)
                conn.recv(100)
                conn.sendall(b"passed\n")
        except (OSError, IndexError):  # whoever passed it was killed
            pass

    def serve():
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],),
                             daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()


# -- clients: each goes on until it is done or its connection ends ---------------

def short(client, chance):
    client.send(b"x\n")
    client.line()
    client.line()


def long(client, chance):
    client.send(b"x\n")
    client.line()
    client.line()
    for _ in range(chance.randrange(1, 8)):
        time.sleep(chance.choice(PAUSES))
        client.send(b"y\n")
        if client.line() != "y":
            return


def half(client, chance):
    client.send(b"h" * chance.randrange(1, 100000)).finish()
    client.rest()


def bulk(client, chance):
    size = chance.randrange(1, 600000)

    def send():
        try:
            client.send(b"b" * size)
        except OSError:
            pass
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    client.exactly(size + 4)
    client.close()
    thread.join()


def torn(client, chance):
    client.send(b"x\n")
    client.line()
    time.sleep(chance.choice(PAUSES))
    client.reset()


def gone(client, chance):
    time.sleep(chance.choice((0, .001, .01)))
    client.reset()


def slow(client, chance):
    client.send(b"p")
    time.sleep(chance.choice(PAUSES))
    client.send(b"q\n")
    client.line()


def executed(client, chance):
    client.send(b"exec\n").finish()
    client.rest()


def passed(client, chance):
    client.send(b"pass\n")
    client.rest()


def turned_away(client, chance):
    client.send(b"away\n").end()


KINDS = (short, long, long, half, bulk, torn, gone, slow, executed, passed,
         turned_away)


class Crowd:
    def __init__(self, usher, seed):
        self.usher, self.seed = usher, seed
        self.done = dict.fromkeys((kind.__name__ for kind in KINDS), 0)
        self.hung = []
        self.stopping = False
        self.threads = [threading.Thread(target=self.come, args=(i,))
                        for i in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def come(self, number):
        chance = random.Random("%s %d" % (self.seed, number))
        while not self.stopping:
            kind = chance.choice(KINDS)
            try:
                with self.usher.connect() as client:
                    kind(client, chance)
                self.done[kind.__name__] += 1
            except socket.timeout:
                self.hung.append("%s %d" % (kind.__name__, client.local))
            except OSError:
                pass  # it was with one that was killed

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()


class Violence:
    """Against all below usherd but programs, which are not usher's to mend."""

    def __init__(self, usher, seed):
        self.usher, self.chance = usher, random.Random(seed)
        self.stopped = []
        self.counts = {"kill": 0, "stop": 0, "end": 0, "reload": 0}

    def send(self, pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def wake(self, all_of_them=False):
        for at, pid in self.stopped[:]:
            if all_of_them or now() > at:
                self.send(pid, signal.SIGCONT)
                self.stopped.remove((at, pid))

    def strike(self):
        victims = sorted(p for p in self.usher.descendants()
                         if title(p).startswith("usher"))
        what = self.chance.choice(("kill", "kill", "stop", "stop", "end",
                                   "reload"))
        self.counts[what] += 1
        if what == "reload":
            self.usher.process.send_signal(signal.SIGHUP)
            return
        if not victims:
            return
        pid = self.chance.choice(victims)
        if what == "kill":
            self.send(pid, signal.SIGKILL)
        elif what == "end":
            self.send(pid, signal.SIGTERM)
        else:
            self.send(pid, signal.SIGSTOP)
            self.stopped.append((now() + 2 * self.chance.random(), pid))


def live_through(settings, seed):
    usher = Usher(RULES % settings)
    violence = Violence(usher, seed)
    crowd = Crowd(usher, seed)
    end = now() + SECONDS
    while now() < end or (not all(crowd.done.values()) and
                          now() < end + PATIENCE):
        time.sleep(violence.chance.random() * .3)
        violence.wake()
        violence.strike()
    violence.wake(all_of_them=True)
    crowd.stop()
    print("# %s, %s" % (violence.counts, crowd.done))
    same(crowd.hung, [], "hung with seed %s" % seed)
    expect(all(crowd.done.values()), "a kind was never served: %s" % crowd.done)

    def right():
        table = usher.table()
        return not table["connections"] and not any(
            s["connections"] for s in table["services"].values())
    # A process that was killed while it counted is put right within 10 s.
    expect(wait_for(right), "counts are wrong: %s" % usher.table())
    usher.at_rest()
    with usher.connect() as client:
        same(client.send(b"x\n").line(), "any")
    usher.stop()


@check("whoever is killed or stopped, nobody hangs and all is put right")
def _():
    receive_passed()
    live_through("", SEED)


@check("nor if connections are handed over at once")
def _():
    live_through("relay-exec = at-once", SEED + 1)


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
