"""Too few descriptors or processes, a keeper that dies, a terminal that sends
an interrupt, a restart in the middle of everything: the port goes on."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from wire import (Backend, Client, Failure, Skipped, Usher, check, expect,
                  limit, passed_socket, run_checks, same, shared, wait_for)

backend = Backend("any")
RULES = """
    inspect-timeout = 500ms
    %s
    [any]
    protocol = any silent
    backend = {}
    """.format(backend.address)


def served(usher, data=b"x\n"):
    client = usher.connect().send(data)
    same(client.line(), "any")
    same(client.exactly(len(data)), data)
    return client


def serves(usher):
    try:
        served(usher).close()
        return True
    except (OSError, Failure):
        return False


@check("sockets passed by a super-server have names; they tell services apart")
def _():
    sockets = [passed_socket("web"), passed_socket("admin")]
    usher = Usher("""
        [admin]
        socket = admin
        protocol = any
        backend = %s
        [web]
        socket = web
        protocol = any
        reject = close
        """ % backend.address, sockets=sockets)
    with Client(usher.ports[1]) as client:
        same(client.send(b"x").line(), "any")
    with Client(usher.ports[0]) as client:
        same(client.send(b"x").line(), "<end>")
    usher.stop()


@check("restart with the sockets kept: no client is refused, none is lost")
def _():
    sockets = [passed_socket("web")]
    done = threading.Event()
    failures = []
    count = [0]

    def come():
        while not done.is_set():
            try:
                with Client(sockets[0][1].getsockname()[1]) as client:
                    same(client.send(b"x\n").line(), "any")
                    same(client.line(), "x")
                    count[0] += 1
            except Exception as e:
                failures.append(repr(e))

    usher = Usher(RULES % "", sockets=sockets)
    through_all = served(usher)
    threads = [threading.Thread(target=come, daemon=True) for _ in range(3)]
    for t in threads:
        t.start()
    for _ in range(6):
        usher.acceptor()  # until then a SIGTERM ends it as it ends anybody
        before = count[0]
        expect(wait_for(lambda: count[0] > before + 5), "nobody is served")
        usher.process.terminate()
        same(usher.process.wait(10), 0, "exit status")
        usher = Usher(RULES % "", sockets=sockets)
    before = count[0]
    expect(wait_for(lambda: count[0] > before + 5), "nobody is served")
    done.set()
    for t in threads:
        t.join()
    same(failures, [])
    through_all.send(b"still\n")
    same(through_all.line(), "still")
    usher.stop()


@check("restart without a super-server: the port is free at once")
def _():
    usher = Usher(RULES % "")
    served_one = served(usher)
    undecided = usher.connect()
    usher.accepted(2)
    port = usher.port
    usher.process.terminate()
    same(usher.process.wait(10), 0, "exit status")
    again = Usher(RULES % "", listen=["127.0.0.1:%d" % port])
    served(again).close()
    same(undecided.line(), "any", "who came before reached")
    served_one.send(b"still\n")
    same(served_one.line(), "still")
    usher.stop()
    again.stop()


@check("a keeper that is killed takes the port with it, not the connections")
def _():
    usher = Usher(RULES % "")
    client = served(usher)
    usher.process.kill()
    usher.process.wait(10)

    def refused():
        try:
            Client(usher.port).close()
            return False
        except ConnectionRefusedError:
            return True
    expect(wait_for(refused), "somebody still accepts")
    client.send(b"still\n")
    same(client.line(), "still")
    client.finish()
    same(client.end(), "fin")
    usher.stop()


@check("an interrupt from the terminal ends all, with exit status 0")
def _():
    usher = Usher(RULES % "")
    client = served(usher)
    os.killpg(usher.process.pid, signal.SIGINT)
    usher.process.wait(10)
    expect(usher.process.returncode in (0, -signal.SIGINT),
           "exit status %d" % usher.process.returncode)
    expect("has died" not in usher.log(), usher.log())
    client.close()
    usher.stop()


def without(usher, resource, value, enough=False):
    """Nobody is served while usher has too little of a resource, unless that
    is enough; afterwards everybody is, and the log was not filled with it."""
    served(usher).close()
    everyone = usher.at_rest()
    everyone.add(usher.process.pid)
    was = {pid: limit(pid, resource, value) for pid in everyone}
    waiting = [usher.connect().send(b"%d\n" % i) for i in range(20)]
    if enough:  # long enough for them to stay, without a relay
        same(waiting[0].line(), "any")
        time.sleep(.5)
        same(waiting[0].line(), "0")
        waiting[0].close()
        waiting[0] = usher.connect().send(b"0\n")
    else:
        expect(waiting[0].quiet(.5), "served in spite of the limit")
    expect(usher.process.poll() is None, "it has ended")
    for pid in everyone:
        limit(pid, resource, was[pid])
    for number, client in enumerate(waiting):
        same((client.line(), client.line()), ("any", "%d" % number))
        client.close()
    expect(len(usher.log().splitlines()) < 40, "the log is full of it")


@check("without descriptors clients wait, and are served when there are some")
def _():
    usher = Usher(RULES % "")
    without(usher, "nofile", "3")
    usher.stop()


@check("without processes clients wait, and are served when there are some")
def _():
    usher = Usher(RULES % "")
    # In shared mode only relays are processes: all are carried without.
    without(usher, "nproc", "1", enough=shared)
    usher.stop()


def in_small_place(kilobytes):
    """A command whose runtime directory has so much room."""
    if os.getuid() != 0 or not shutil.which("unshare"):
        raise Skipped("needs root and unshare")
    command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o mode=1777,'
               'size=%dk none "$RUNTIME_DIRECTORY" && exec "$@"' % kilobytes,
               "-"]
    if subprocess.run([*command, "true"], capture_output=True,
                      env=dict(os.environ, RUNTIME_DIRECTORY="/mnt")).returncode:
        raise Skipped("cannot mount in a namespace")
    return command


@check("a runtime directory that is full at the start: all are served")
def _():
    usher = Usher(RULES % "", through=in_small_place(4))
    clients = [served(usher) for _ in range(40)]
    usher.await_line("usher status will not find us, no scoreboard: No space")
    for client in clients:
        client.close()
    usher.stop()


@check("a runtime directory that fills up: clients wait for those before them")
def _():
    usher = Usher(RULES % "max-per-source = 3000",
                  through=in_small_place(80))
    first = [usher.connect().send(b"x\n") for _ in range(160)]
    usher.await_line("has no room for the record of one more")
    others = [usher.connect().send(b"y\n") for _ in range(30)]
    for client in first:
        client.close()
    for client in others:
        same((client.line(), client.line()), ("any", "y"))
        client.close()
    usher.stop()


@check("junk on every connection, two thousand times: nothing is left of it")
def _():
    usher = Usher(RULES % "max-per-source = 5000")
    for round in range(8):
        clients = []
        for number in range(100):
            client = usher.connect()
            junk = os.urandom(1 + number * 7 % 600)
            if number % 3 == 0:
                junk = b"\x16\x03\x01" + junk
            client.send(junk)
            clients.append(client)
        for number, client in enumerate(clients):
            (client.reset if number % 2 else client.close)()
    expect(serves(usher), "no more")
    usher.at_rest()
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
