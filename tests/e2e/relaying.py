"""What has been decided is carried: every byte, both ways, whoever is slow."""

import hashlib
import os
import socket
import sys
import threading
import time

from wire import (Backend, Usher, check, expect, run_checks, same,
                  wait_for)

MEGABYTE = 1 << 20
BLOCK = os.urandom(MEGABYTE - 7)  # a length that is no multiple of anything
QUIET = .3  # seconds: longer than a connection is quiet before its relay execs


class Stream:
    """Bytes to be sent by one end and counted by the other."""

    def __init__(self, size, seed):
        self.size = size
        self.seed = seed
        self.sent = hashlib.blake2b()
        self.got = hashlib.blake2b()
        self.count = 0
        self.end = None

    def send(self, conn, piece=MEGABYTE):
        left = self.size
        block = self.seed + BLOCK
        while left:
            for at in range(0, len(block), piece):
                part = block[at:at + min(piece, left)]
                conn.sendall(part)
                self.sent.update(part)
                left -= len(part)
                if not left:
                    break
        conn.shutdown(socket.SHUT_WR)

    def receive(self, conn, piece=MEGABYTE):
        while True:
            data = conn.recv(piece)
            if not data:
                self.end = "fin"
                return
            self.got.update(data)
            self.count += len(data)

    def verify(self, way):
        same(self.count, self.size, "%s: bytes" % way)
        same(self.end, "fin", "%s: end" % way)
        same(self.got.hexdigest(), self.sent.hexdigest(), "%s: digest" % way)


def both_ways(size, buffers=None, piece=MEGABYTE):
    """Sends size each way at the same time, through sockets with buffers of
    this size at both ends, by calls of this size."""
    up, down = Stream(size, b"up"), Stream(size, b"down")
    done = threading.Event()

    def behave(backend, conn, index):
        conn.settimeout(60)
        sender = threading.Thread(target=down.send, args=(conn, piece))
        sender.start()
        up.receive(conn, piece)
        sender.join()
        done.set()

    backend.behave = behave
    set_buffers(backend.listener, buffers)
    try:
        with usher.connect(rcvbuf=buffers, sndbuf=buffers) as client:
            client.socket.settimeout(60)
            sender = threading.Thread(target=up.send,
                                      args=(client.socket, piece))
            sender.start()
            down.receive(client.socket, piece)
            sender.join()
            expect(done.wait(60), "the backend is not done")
    finally:
        backend.behave = Backend.greet_and_echo
        set_buffers(backend.listener, buffers and 262144)
    up.verify("client to backend")
    down.verify("backend to client")


def set_buffers(sock, size):
    if size:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


RULES = """
inspect-timeout = 500ms
[any]
protocol = any silent
backend = {backend.address}
"""

backend = Backend("any")
usher = Usher(RULES.format(backend=backend) + os.environ.get("RULES", ""))


@check("64 MB each way at once, unchanged")
def _():
    both_ways(64 * MEGABYTE)


@check("64 MB each way at once with socket buffers of 4 MB")
def _():
    both_ways(64 * MEGABYTE, buffers=4 * MEGABYTE)


@check("2 MB each way at once with the smallest socket buffers")
def _():
    both_ways(2 * MEGABYTE, buffers=1)


@check("300 kB each way at once in pieces of 7 bytes")
def _():
    both_ways(300000, piece=7)


@check("nothing each way: two FINs")
def _():
    with usher.connect() as client:
        client.finish()
        # Who leaves without a word is gone; no backend hears of it.
        same(client.end(), "fin")


@check("a client that does not read holds up only its own direction")
def _():

    def flood(backend, conn, index):
        def send():
            try:
                while True:
                    conn.sendall(BLOCK)
            except OSError:
                pass
        threading.Thread(target=send, daemon=True).start()
        while backend.read(conn, index):
            pass

    backend.behave = flood
    try:
        index = backend.accepted
        with usher.connect(rcvbuf=4096) as client:
            client.send(b"begin")
            client.exactly(100)  # both directions are going
            for _ in range(8):
                client.send(BLOCK)
            size = 5 + 8 * len(BLOCK)
            expect(wait_for(lambda: len(backend.received[index]) == size),
                   "only %d of %d bytes" % (len(backend.received[index]), size))
            client.reset()
    finally:
        backend.behave = Backend.greet_and_echo


@check("a client that does not read for longer than keepalive is not dead")
def _():
    size = 4 << 20

    def fill(backend, conn, index):
        backend.read(conn, index)
        conn.sendall(b"z" * size)

    full = Backend("full", fill)
    impatient = Usher("keepalive = 1s\n[one]\nprotocol = any\nbackend = %s\n"
                      % full.address)
    # The first one only shows that usher is there by now.
    for number, seconds in enumerate((0, 8)):
        with impatient.connect(rcvbuf=4096) as client:
            client.send(b"x")
            wait_for(lambda: impatient.lines("end=")[number:], seconds)
            same(len(client.exactly(size)), size, "bytes")
            same(client.end(), "fin")
        impatient.await_line("bytes_out=%d .*end=" % size, number + 1)
    impatient.stop()


@check("a slow reader gets all that was sent before the FIN")
def _():
    def send(backend, conn, index):
        backend.read(conn, index)
        conn.sendall(BLOCK * 6)

    backend.behave = send
    try:
        with usher.connect(rcvbuf=4096) as client:
            client.send(b"x")
            time.sleep(QUIET)  # it is the slowness that is tried here
            same(client.rest(), BLOCK * 6)
    finally:
        backend.behave = Backend.greet_and_echo


@check("questions and answers of one byte, a thousand times")
def _():
    with usher.connect() as client:
        client.send(b"\xff")
        same(client.line(), "any")
        same(client.exactly(1), b"\xff")
        for i in range(1000):
            one = bytes([i & 255])
            client.send(one)
            same(client.exactly(1), one)


@check("pauses of any length lose and repeat nothing")
def _():
    clients = [usher.connect() for _ in range(40)]
    for number, client in enumerate(clients):
        client.send(b"%d\n" % number)
        same(client.line(), "any")
        same(client.line(), "%d" % number)
    # From well before to well after the moment at which a quiet connection is
    # given to usher-relay, the bytes of some come just then.
    failures = []

    def talk(client, number):
        try:
            for round in range(3):
                time.sleep(QUIET / 2 + QUIET * number / len(clients))
                text = b"%d of %d " % (round, number) + BLOCK[:number * 500]
                client.send(text)
                same(client.exactly(len(text)), text)
        except Exception as e:
            failures.append(e)
    threads = [threading.Thread(target=talk, args=(client, number))
               for number, client in enumerate(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for client in clients:
        client.finish()
        same(client.rest(), b"", "after the end")
    same(failures, [])


@check("bulk after a pause, and a pause in the middle of bulk")
def _():
    with usher.connect() as client:
        client.send(b"first\n")
        same((client.line(), client.line()), ("any", "first"))
        for _ in range(3):
            time.sleep(QUIET)
            sender = threading.Thread(target=client.send, args=(BLOCK * 4,))
            sender.start()
            same(client.exactly(4 * len(BLOCK)), BLOCK * 4)
            sender.join()


@check("ninety connections at once, each with its own bytes")
def _():
    clients = [usher.connect() for _ in range(90)]
    for number, client in enumerate(clients):
        client.send(b"I am %d\n" % number)
    for number, client in enumerate(clients):
        same(client.line(), "any")
        same(client.line(), "I am %d" % number)
    for number, client in enumerate(clients):
        client.send(BLOCK[number:number + 20000]).finish()
    for number, client in enumerate(clients):
        same(client.rest(), BLOCK[number:number + 20000])
        client.close()


@check("the bytes counted in the log are those that were sent")
def _():
    with usher.connect() as client:
        client.send(BLOCK).finish()
        same(len(client.rest()), len(BLOCK) + len("any\n"))
    line = usher.line_of(client)
    expect("bytes_in=%d " % len(BLOCK) in line, line)
    expect("bytes_out=%d " % (len(BLOCK) + 4) in line, line)


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
