"""Streams as they come: hundreds of connections, each with sizes, pieces,
pauses and buffers that follow from its seed, both ways at once, through a
child that becomes a relay when it likes; and every way to end one, in every
state that it can be in.  SEEDS=N and SEED=FIRST choose others."""

import os
import queue
import random
import socket
import struct
import sys
import threading
import time

from wire import (Backend, Usher, check, expect, run_checks, same, title,
                  wait_for)

SEEDS = int(os.environ.get("SEEDS", "240"))
FIRST = int(os.environ.get("SEED", "1"))
AT_ONCE = 24
PATIENCE = 60  # seconds, for one stream on a machine with much else to do
BUFFERS = (1, 4096, 16384, 65536, 0, 4 << 20)  # 0: the kernel's choice


def set_buffers(sock, size):
    if size:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


class Way:
    """One direction of a stream, as its seed has it."""

    def __init__(self, seed, name, slow):
        self.random = random.Random("%d %s" % (seed, name))
        self.late = seed % 4 == 0
        most = 1 << self.random.randrange(8, 18 if slow else 22)
        self.bytes = self.random.randbytes(self.random.randrange(most))
        self.piece = 1 + len(self.bytes) // self.random.randrange(3, 200)
        # Longer, sometimes, than a child waits before it becomes a relay.
        self.pauses = [self.random.choice((0, .001, .01, .05, .3))
                       for _ in range(self.random.randrange(3))]

    def pause(self):
        if self.pauses and not self.random.randrange(8):
            time.sleep(self.pauses.pop())

    def send(self, conn, head=b""):
        conn.sendall(head)
        if self.late:  # from either side: it is a relay that has all the rest
            time.sleep(.4)
        at = 0
        while at < len(self.bytes):
            n = self.random.randrange(1, 2 * self.piece)
            conn.sendall(self.bytes[at:at + n])
            at += n
            self.pause()
        conn.shutdown(socket.SHUT_WR)


def receive(conn, way):
    """All of it, in pieces of any size, with pauses of the reader's own."""
    pace = random.Random(len(way.bytes))
    got = bytearray()
    while True:
        data = conn.recv(pace.randrange(1, 1 << pace.randrange(4, 20)))
        if not data:
            return bytes(got)
        got += data
        if not pace.randrange(500):
            time.sleep(.02)


class Stream:
    def __init__(self, seed):
        self.seed = seed
        choice = random.Random(seed)
        self.buffers = choice.choice(BUFFERS)
        self.backend = choice.randrange(len(BUFFERS))
        slow = min(self.buffers or 65536, BUFFERS[self.backend] or 65536) < 9999
        self.up = Way(seed, "up", slow)
        self.down = Way(seed, "down", slow)
        self.head = b"%d %d\n" % (self.backend, seed)
        self.failure = None
        self.answered = threading.Event()

    def fail(self, why):
        self.failure = self.failure or "seed %d: %s" % (self.seed, why)

    def guard(self, function, *args):
        def run():
            try:
                function(*args)
            except Exception as e:
                self.fail(repr(e))
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def answer(self, conn):
        """The backend's part, from behind the head."""
        sender = self.guard(self.down.send, conn)
        got = receive(conn, self.up)
        if got != self.up.bytes:
            self.fail("%d of %d bytes up" % (len(got), len(self.up.bytes)))
        sender.join()
        self.answered.set()

    def run(self, usher):
        client = usher.connect(rcvbuf=self.buffers, sndbuf=self.buffers)
        client.socket.settimeout(PATIENCE)
        sender = self.guard(self.up.send, client.socket, self.head)
        got = receive(client.socket, self.down)
        sender.join()
        if got != self.down.bytes:
            self.fail("%d of %d bytes down" % (len(got), len(self.down.bytes)))
        if not self.answered.wait(PATIENCE):
            self.fail("the backend has not done its part")
        client.close()
        line = usher.line_of(client)
        for text in ("bytes_in=%d " % (len(self.head) + len(self.up.bytes)),
                     "bytes_out=%d " % len(self.down.bytes), "-closed"):
            if text not in line:
                self.fail("no %s in: %s" % (text, line))


streams = {}


def serve_stream(backend, conn, index):
    head = b""
    conn.settimeout(PATIENCE)
    while not head.endswith(b"\n"):
        head += conn.recv(1)
    streams[int(head.split()[1])].answer(conn)


def by_relays(usher, seen):
    """Adds the clients that a usher-relay has now."""
    for row in usher.table()["connections"]:
        if title(row["pid"]).startswith("usher-relay"):
            seen.add(row["client_port"])


@check("%d streams of all sizes, both ways at once, by many buffers" % SEEDS)
def _():
    rules = "max-per-source = 1000\nhalf-close-timeout = 1min\n"
    for number, size in enumerate(BUFFERS):
        backend = Backend("stream", serve_stream)
        set_buffers(backend.listener, size)
        rules += "[b%d]\npayload = \"%d \"\nbackend = %s\n" % (
            number, number, backend.address)
    usher = Usher(rules)
    todo = queue.Queue()
    for seed in range(FIRST, FIRST + SEEDS):
        todo.put(seed)

    def work():
        while True:
            try:
                stream = Stream(todo.get_nowait())
            except queue.Empty:
                return
            streams[stream.seed] = stream
            try:
                stream.run(usher)
            except Exception as e:
                stream.fail(repr(e))

    workers = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    for worker in workers:
        worker.start()
    seen = set()
    while any(worker.is_alive() for worker in workers):
        by_relays(usher, seen)
        time.sleep(.05)
    same([s.failure for s in streams.values() if s.failure], [], "failures")
    same(len(streams), SEEDS, "streams")
    expect(len(seen) > SEEDS / 10, "only %d of them by a relay" % len(seen))
    usher.stop()


# -- ends ---------------------------------------------------------------------------

class Pair:
    """A connection with both of its ends in hand."""

    def __init__(self, usher, accepted):
        self.usher = usher
        self.client = usher.connect(sndbuf=65536, rcvbuf=65536)
        self.client.send(b"x")
        self.conn = accepted.get(timeout=20)
        self.conn.settimeout(20)
        same(self.conn.recv(1), b"x")
        self.ends = {"client": self.client.socket, "backend": self.conn}

    def exchange(self):
        for a, b in (("client", "backend"), ("backend", "client")):
            self.ends[a].sendall(b"ping")
            same(self.ends[b].recv(4, socket.MSG_WAITALL), b"ping")

    def fill(self, name):
        """Until nobody on the way takes any more."""
        end = self.ends[name]
        end.settimeout(.15)
        try:
            while True:
                end.send(b"f" * 65536)
        except socket.timeout:
            pass
        end.settimeout(20)

    def bulk(self, name, other):
        """Several megabytes in flight, then the reader stops."""
        block = b"b" * (4 << 20)
        sender = threading.Thread(target=self.ends[name].sendall,
                                  args=(block,))
        sender.start()
        left = len(block)
        while left:
            left -= len(self.ends[other].recv(min(left, 1 << 20)))
        sender.join()
        self.ends[name].sendall(b"b" * 30000)

    def await_relay(self):
        self.usher.relay_of(self.client)


def fresh(pair):
    pass


def exchanged(pair):
    pair.exchange()


def relayed(pair):
    pair.exchange()
    pair.await_relay()


def spliced(pair):
    pair.bulk("client", "backend")
    pair.bulk("backend", "client")


def up_full(pair):
    pair.fill("client")


def down_full(pair):
    pair.fill("backend")


def both_full(pair):
    pair.fill("client")
    pair.fill("backend")
    pair.await_relay()


def client_finished(pair):
    pair.client.finish()
    same(pair.conn.recv(1), b"")


def backend_finished(pair):
    pair.conn.shutdown(socket.SHUT_WR)
    same(pair.client.socket.recv(1), b"")


STATES = (fresh, exchanged, relayed, spliced, up_full, down_full, both_full,
          client_finished, backend_finished)


def drain(sock):
    """How it ends for who reads all there is."""
    try:
        while sock.recv(1 << 20):
            pass
        return "fin"
    except ConnectionResetError:
        return "reset"


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()


def cannot_be_sent_to(sock):
    try:
        sock.send(b"?")
        return False
    except (BrokenPipeError, ConnectionResetError):
        return True


def by_reset(pair, name, other, state):
    reset(pair.ends[name])
    if state == name + "_finished":
        # Behind a FIN nothing can be read any more, a reset neither.
        expect(wait_for(lambda: cannot_be_sent_to(pair.ends[other])),
               "%s: %s hears nothing of the reset" % (state, other))
    else:
        same(drain(pair.ends[other]), "reset",
             "%s: %s's end after %s's reset" % (state, other, name))
    expected = name + "-reset"
    line = pair.usher.line_of(pair.client)
    # Who had nothing more to say or hear may have been done with already.
    expect("end=" + expected in line or
           (state.endswith("finished") and "-closed" in line),
           "%s, %s resets: %s" % (state, name, line))


def by_fin(pair, name, other, state):
    first = name
    if state == "client_finished":
        first = "client"
    if state == "backend_finished":
        first = "backend"
    if not (state.endswith("finished") and first == name):
        pair.ends[name].shutdown(socket.SHUT_WR)
    same(drain(pair.ends[other]), "fin", "%s: %s's end" % (state, other))
    if not (state.endswith("finished") and first == other):
        # The other direction has not ended by that, however full it is.
        def say_late():
            pair.ends[other].sendall(b"late")
            pair.ends[other].shutdown(socket.SHUT_WR)
        threading.Thread(target=say_late, daemon=True).start()
    same(drain(pair.ends[name]), "fin", "%s: %s's end" % (state, name))
    line = pair.usher.line_of(pair.client)
    expect("end=%s-closed" % first in line, "%s, %s ends first: %s" %
           (state, first, line))


accepted = queue.Queue()


def hold(backend, conn, index):
    """The test has it until it has closed it."""
    accepted.put(conn)
    wait_for(lambda: conn.fileno() < 0, 40)


def each_end(how):
    held = Backend("held", hold)
    usher = Usher("[held]\nprotocol = any\nbackend = %s\n" % held.address)
    for state in STATES:
        for name, other in (("client", "backend"), ("backend", "client")):
            pair = Pair(usher, accepted)
            state(pair)
            how(pair, name, other, state.__name__)
            pair.client.close()
            pair.conn.close()
    usher.at_rest()
    usher.stop()


@check("a reset by either side, in every state, is a reset for the other")
def _():
    each_end(by_reset)


@check("a FIN by either side, in every state, ends that direction alone")
def _():
    each_end(by_fin)


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
