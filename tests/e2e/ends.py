"""Who is at both ends: backends that record, and clients."""

import socket
import struct
import threading

from checks import HOST, PATIENCE, now


class Backend:
    """Listens on a port of its own, says its name to who connects, keeps what
    comes in, and sends it back unless told otherwise.  A behave(backend, conn)
    replaces all that; it runs in a thread of the connection."""

    def __init__(self, name, behave=None, family=socket.AF_INET, address=None):
        self.name = name
        self.behave = behave or Backend.greet_and_echo
        self.accepted = 0
        self.received = []
        self.peers = []
        self.ends = []
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_UNIX:
            self.listener.bind(address)
        else:
            if family == socket.AF_INET6:
                self.listener.setsockopt(socket.IPPROTO_IPV6,
                                         socket.IPV6_V6ONLY, 1)
            self.listener.bind((address or HOST, 0))
        self.listener.listen(1024)
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def port(self):
        return self.listener.getsockname()[1]

    @property
    def address(self):
        return "%s:%d" % (HOST, self.port)

    def serve(self):
        while True:
            conn, peer = self.listener.accept()
            index = self.accepted
            self.received.append(b"")
            self.ends.append(None)
            self.peers.append(peer)
            self.accepted += 1
            threading.Thread(target=self.attend, args=(conn, index),
                             daemon=True).start()

    def attend(self, conn, index):
        conn.settimeout(60)
        try:
            self.behave(self, conn, index)
        except OSError as e:
            self.ends[index] = type(e).__name__
        finally:
            conn.close()

    def read(self, conn, index):
        """One recv, kept; b"" at the end of the stream."""
        data = conn.recv(65536)
        self.received[index] += data
        if not data:
            self.ends[index] = "fin"
        return data

    def greet_and_echo(self, conn, index):
        conn.sendall(self.name.encode() + b"\n")
        while True:
            data = self.read(conn, index)
            if not data:
                return
            conn.sendall(data)


def passed_socket(name):
    """A listening socket as systemd would have it, for Usher(sockets=)."""
    listener = socket.socket()
    listener.bind((HOST, 0))
    listener.listen(1024)
    return name, listener


def closed_port():
    """A port that nobody listens on, kept so by a socket that is returned."""
    holder = socket.socket()
    holder.bind((HOST, 0))
    return holder, holder.getsockname()[1]


class Client:
    """A connection to usher, with reads that say what they got."""

    def __init__(self, port, host=HOST, family=socket.AF_INET, source=None,
                 rcvbuf=None, sndbuf=None):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if sndbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        self.socket.settimeout(PATIENCE)
        if source:
            self.socket.bind((source, 0))
        self.begun = now()
        self.mark = 0  # of a log that is read later: see Usher.line_of()
        self.socket.connect((host, port))
        self.local = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def finish(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.socket.close()

    def line(self):
        """Up to a newline, without it; what came before the end otherwise."""
        got = b""
        while not got.endswith(b"\n"):
            data = self.socket.recv(1)
            if not data:
                return got.decode() + "<end>"
            got += data
        return got[:-1].decode()

    def exactly(self, count):
        got = bytearray()
        while len(got) < count:
            data = self.socket.recv(min(count - len(got), 1 << 20))
            if not data:
                break
            got += data
        return bytes(got)

    def rest(self):
        got = b""
        while True:
            data = self.socket.recv(65536)
            if not data:
                return got
            got += data

    def end(self):
        """How the connection ends if all is read: "fin" or "reset"."""
        try:
            while self.socket.recv(65536):
                pass
            return "fin"
        except ConnectionResetError:
            return "reset"

    def quiet(self, seconds):
        """Is there nothing to read for so long?"""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
            return False
        except socket.timeout:
            return True
        finally:
            self.socket.settimeout(PATIENCE)

    def took(self):
        return now() - self.begun
