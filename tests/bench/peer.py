"""A program under test: how it is started, watched and ended.

All do the same work as far as they can: decide between SSH, TLS by name and
anything else, wait three seconds for the first bytes, write one line a
connection, take as many connections as the open files allow.
"""

import ctypes
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import time

import cgroup

SBIN = "/usr/sbin:/sbin:/usr/local/sbin"
CONNECTIONS = 9000  # at a time; two descriptors each must fit in the limit
SERVER_NAME = "www.example.net"
SOCKET_ACTIVATE = "systemd-socket-activate"
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


def path():
    return os.environ["PATH"] + ":" + SBIN


def which(program):
    return shutil.which(program, path=path())


def free_port():
    """A port nobody has, outside the range that connections come from."""
    for _ in range(1000):
        port = random.randrange(20000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def is_listening(port):
    """Whether somebody listens there, without connecting to it."""
    want = f":{port:04X} 00000000:0000 0A "
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(want in line for line in table)


def raise_files():
    """As many open files as we may have; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Peer:
    """One program under test."""

    shows = None  # the measurements it takes part in; None: all
    connects = True  # clients to it can be answered

    def __init__(self, name, setup):
        self.name = name
        self.setup = setup
        self.port = 0
        self.process = None
        self.group = None
        self.hangs = False  # it took all the time that a run may

    def missing(self):
        """A sentence if it cannot be run here, else None."""
        return None

    def command(self):
        raise NotImplementedError

    def on_socket(self):
        """How it is started by its first connection, which is on descriptor
        3: (options of systemd-socket-activate, command); None: not at all."""
        return None

    def can_be_activated(self):
        return bool(which(SOCKET_ACTIVATE)) and \
            type(self).on_socket is not Peer.on_socket

    def write(self, text, **values):
        """Writes a configuration that anybody may read; returns its path."""
        conf = f"{self.setup.dir}/{self.name}.conf"
        values = {"bind": f"127.0.0.1:{self.port}", "port": self.port,
                  "backend": self.setup.backend_port, "dir": self.setup.dir,
                  "name": SERVER_NAME, "connections": CONNECTIONS, **values}
        with open(conf, "w", encoding="ascii") as file:
            file.write(text.format(**values))
        os.chmod(conf, 0o644)
        return conf

    def output(self):
        """Where its log lines go: nowhere, but they are written."""
        if not self.setup.logs:
            return subprocess.DEVNULL
        return open(f"{self.setup.logs}/{self.name}.log", "ab")

    def born(self):
        """In the child: it must not outlive whoever would end it."""
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if self.group.usable:
            self.group.enter()

    def activated_command(self):
        options, command = self.on_socket()
        return [which(SOCKET_ACTIVATE), "-l", f"127.0.0.1:{self.port}",
                *options, *command]

    def start(self, cold=False):
        """Cold: only its socket is there, the rest has to come yet."""
        self.port = free_port()
        self.group = cgroup.Group(self.name)
        output = self.output()
        self.process = subprocess.Popen(
            self.activated_command() if cold else self.command(),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env=self.environment(), cwd=self.setup.dir,
            start_new_session=True, preexec_fn=self.born)
        if output != subprocess.DEVNULL:
            output.close()
        end = time.monotonic() + 10
        while not is_listening(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError("it does not start (--logs DIR keeps "
                                   "what it says)")
            time.sleep(0.005)

    def environment(self):
        return {"PATH": path(), "LC_ALL": "C"}

    def is_well(self):
        """Whether it runs and takes connections."""
        return self.process is not None and \
            self.process.poll() is None and is_listening(self.port)

    def pids(self):
        if self.group and self.group.usable:
            return self.group.pids()
        return [self.process.pid] if self.process else []

    def wait_for_pids(self, most):
        """Waits until what served connections that are over is gone."""
        if self.group and self.group.usable:
            self.group.wait_for_pids(most, 10)

    def stop(self):
        if self.group:
            self.group.kill()
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        if self.group:
            self.group.remove()
        self.process = self.group = None


class Packaged(Peer):
    """A program of the distribution's."""

    program = package = ""

    def missing(self):
        if which(self.program):
            return None
        return f"{self.program} is not installed (package {self.package})"
