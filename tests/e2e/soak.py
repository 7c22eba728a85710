"""Connections of all kinds, one after the other and side by side: at the end
everything is as it was at the beginning."""

import os
import random
import re
import sys
import threading

from wire import (Backend, Client, Usher, check, closed_port, expect, hello,
                  run_checks, same, static, wait_for)

TOTAL = int(os.environ.get("USHER_SOAK", "5000"))
SIDE_BY_SIDE = 24

backend = Backend("any")
closer = Backend("closer", lambda backend, conn, index: conn.sendall(b"bye\n"))
dead_holder, dead_port = closed_port()

RULES = """
    inspect-timeout = 100ms
    max-per-source = 1000
    log = errors
    [dead]
    server-name = dead.example.net
    backend = 127.0.0.1:%d
    [closer]
    server-name = *
    backend = %s
    [away]
    protocol = http
    reject = reset
    [silent]
    protocol = silent
    reject = close
    [any]
    protocol = any
    backend = %s
    """ % (dead_port, closer.address, backend.address)


def talk(usher):
    with usher.connect() as client:
        client.send(b"x\n")
        same((client.line(), client.line()), ("any", "x"))


def finish(usher):
    with usher.connect() as client:
        client.send(b"all of it").finish()
        same(client.rest(), b"any\nall of it")


def be_answered(usher):
    with usher.connect() as client:
        client.send(hello("www.example.net"))
        same(client.line(), "bye")


def be_refused(usher):
    with usher.connect() as client:
        client.send(hello("dead.example.net")).end()


def be_rejected(usher):
    with usher.connect() as client:
        same(client.send(b"GET / HTTP/1.0\r\n\r\n").end(), "reset")


def say_nothing(usher):
    with usher.connect() as client:
        same(client.end(), "fin")


def go_away(usher):
    usher.connect().close()


def break_off(usher):
    client = usher.connect().send(b"\x16\x03")
    client.reset()


def break_off_late(usher):
    client = usher.connect().send(b"x\n")
    same(client.line(), "any")
    client.reset()


def carry_much(usher):
    """Enough for a relay of its own and its pipes."""
    data = b"0123456789abcdef" * 40000
    with usher.connect() as client:
        same(client.send(b"x\n").line(), "any")
        same(client.line(), "x")
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        same(client.exactly(len(data)), data)
        sender.join()


# How many of a hundred.
KINDS = ([talk] * 40 + [finish] * 15 + [be_answered] * 12 + [be_refused] * 5 +
         [be_rejected] * 6 + [go_away] * 10 + [break_off] * 4 +
         [break_off_late] * 5 + [say_nothing] * 2 + [carry_much] * 1)


def state_of(usher):
    """What must not grow: descriptors and memory of who stays, processes,
    and the scoreboard."""
    acceptor = usher.acceptor()
    state = {"processes": len(usher.descendants())}
    for name, pid in (("keeper", usher.process.pid), ("acceptor", acceptor)):
        state[name + " descriptors"] = len(os.listdir("/proc/%d/fd" % pid))
        with open("/proc/%d/status" % pid) as f:
            state[name + " KB"] = int(re.search(r"RssAnon:\s+(\d+)",
                                                f.read()).group(1))
    state["scoreboard KB"] = os.stat(usher.run + "/scoreboard").st_blocks / 2
    state["connections"] = len(usher.table()["connections"])
    return state


@check("after %d connections all is as it was" % TOTAL)
def _():
    usher = Usher(RULES)
    failures = []

    def come(count, seed):
        chance = random.Random(seed)
        try:
            for _ in range(count):
                chance.choice(KINDS)(usher)
        except Exception as e:
            failures.append(repr(e))

    def come_all(count, seed):
        each = count // SIDE_BY_SIDE
        threads = [threading.Thread(target=come, args=(each, seed + i))
                   for i in range(SIDE_BY_SIDE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        same(failures, [])
        usher.at_rest()
        return each * SIDE_BY_SIDE

    # As many as ever at once, so that there is nothing new afterwards.
    count = come_all(SIDE_BY_SIDE * 10, 1)
    before = state_of(usher)
    count += come_all(TOTAL, 1000)
    after = state_of(usher)
    print("# before: %s\n# after:  %s" % (before, after))
    for name, value in before.items():
        # A page more or less of what is allocated, much more of a sanitizer.
        slack = 0
        if name.endswith(" KB"):
            slack = 16 if static() else 20000
        expect(after[name] <= value + slack, "%s: %s, then %s" %
               (name, value, after[name]))
    table = usher.table()["services"]
    prometheus = usher.status("--prometheus")
    unserved = int(re.search(r'usher_connections_total\{service=""\} (\d+)',
                             prometheus).group(1))
    same(unserved + sum(s["total"] for s in table.values()), count, "counted")
    same(sum(s["connections"] for s in table.values()), 0, "still counted")
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
