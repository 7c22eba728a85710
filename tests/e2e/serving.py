"""usher as it serves, with its processes, its log and its status."""

import atexit
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys

from checks import (HOST, PATIENCE, RESIDENT, Failure, Skipped, expect,
                    isolation, tmp, wait_for)
from ends import Client


def parent(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0  # it has just ended


def title(pid):
    """A process's arguments, as ps shows them."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().rstrip(b"\0").replace(b"\0", b" ").decode()
    except OSError:
        return ""


def limit(pid, resource, value):
    """Sets a soft limit of a process of ours; returns what it was."""
    if not shutil.which("prlimit") or not shutil.which("setpriv"):
        raise Skipped("prlimit or setpriv is not installed")
    with open("/proc/%d/limits" % pid) as f:
        names = {"nofile": "Max open files", "nproc": "Max processes"}
        was = re.search(names[resource] + r" +(\S+)", f.read()).group(1)
    command = ["prlimit", "--pid", "%d" % pid, "--%s=%s:" % (resource, value)]
    owner = os.stat("/proc/%d" % pid)
    if owner.st_uid != os.getuid():
        # Limits may be set by the same user, or with a capability that root
        # in a container seldom has.
        command = ["setpriv", "--reuid=%d" % owner.st_uid,
                   "--regid=%d" % owner.st_gid, "--clear-groups", *command]
    if subprocess.run(command).returncode:
        raise Skipped("prlimit cannot set limits")
    return was


class Usher:
    """usher serve with these rules; or, for a try, another program."""

    running = []

    def __init__(self, rules, listen=None, sockets=None, through=(),
                 after=None):
        """sockets: pairs of a name and a listening socket, passed as systemd
        passes them; through: a command that starts the command after it;
        after: one that has ended and left its runtime directory."""
        number = len(Usher.running)
        self.file = "%s/usher-%d.conf" % (tmp, number)
        self.log_file = "%s/usher-%d.log" % (tmp, number)
        self.run = "%s/run-%d" % (tmp, number)
        if after:
            self.run = after.run
        else:
            os.mkdir(self.run)
        os.chmod(self.run, 0o1777)
        self.write(rules)
        if listen is None:  # unless the rules or the sockets say where
            listen = [HOST + ":0"]
            if sockets or "listen =" in rules:
                listen = []
        command = [*through, program("usher"), "serve", "-c", self.file]
        for address in listen:
            command += ["--listen", address]
        self.ports = []
        self.start(command, sockets)
        if sockets:
            self.ports = [s.getsockname()[1] for _, s in sockets]
            return
        expected = max(1, len(listen))
        wait_for(lambda: self.find_ports() >= expected or
                 self.process.poll() is not None)
        expect(self.process.poll() is None, "usher has ended:\n" + self.log())
        expect(len(self.ports) >= expected,
               "usher does not say that it listens:\n" + self.log())

    def start(self, command, sockets):
        environment = dict(os.environ, RUNTIME_DIRECTORY=self.run)
        fds = [s.fileno() for _, s in sockets or ()]
        if fds:
            # LISTEN_PID is known only to who becomes usher.
            environment["LISTEN_FDS"] = "%d" % len(fds)
            environment["LISTEN_FDNAMES"] = ":".join(n for n, _ in sockets)
            moves = " ".join("%d<&%d" % (3 + i, 100 + i)
                             for i in range(len(fds)))
            command = ["bash", "-c", "export LISTEN_PID=$$; exec \"$@\" %s"
                       % moves, "-", *command]
            fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100 + i)
                   for i, fd in enumerate(fds)]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=environment, pass_fds=fds)
        for fd in fds:
            os.close(fd)
        Usher.running.append(self)

    def write(self, rules):
        if "log-target" not in rules:
            rules = "log-target = stderr\n" + rules
        if "isolation" not in rules:
            rules = "isolation = %s\n" % isolation + rules
        with open(self.file, "w") as f:
            f.write(re.sub(r"(?m)^[ \t]+", "", rules))

    def find_ports(self):
        self.ports = [int(p) for p in
                      re.findall(r"listening on \S+:(\d+)", self.log())]
        return len(self.ports)

    @property
    def port(self):
        return self.ports[0]

    def log(self):
        with open(self.log_file, errors="replace") as f:
            return f.read()

    def lines(self, pattern):
        """The lines of the log that match."""
        return [l for l in self.log().splitlines() if re.search(pattern, l)]

    def await_line(self, pattern, count=1, seconds=PATIENCE):
        """The count-th line of the log that matches, as soon as it is there."""
        found = wait_for(lambda: self.lines(pattern)[count - 1:count], seconds)
        if not found:
            raise Failure("no %d lines like %r in the log:\n%s"
                          % (count, pattern, self.log()))
        return found[0]

    def line_of(self, client):
        """The log's line about the end of this client's connection.  Earlier
        ones may have had the same port."""
        def find():
            return [l for l in self.log()[client.mark:].splitlines()
                    if re.search(r"client_port=%d\b" % client.local, l)]
        found = wait_for(find)
        expect(found, "no line of port %d in the log:\n%s" %
               (client.local, self.log()))
        return found[0]

    def connect(self, port=None, **options):
        mark = len(self.log())
        client = Client(port or self.port, **options)
        client.mark = mark
        return client

    def status(self, *arguments):
        """What usher status prints."""
        done = subprocess.run([program("usher"), "status", *arguments],
                              capture_output=True, text=True, timeout=PATIENCE,
                              env=dict(os.environ, RUNTIME_DIRECTORY=self.run))
        expect(done.returncode == 0, "usher status: %d, %s" %
               (done.returncode, done.stderr))
        return done.stdout

    def table(self):
        """usher status --json, read; there is none before it is up."""
        def read():
            try:
                return self.status("--json")
            except Failure:
                return None
        return json.loads(wait_for(read) or self.status("--json"))

    def rows(self):
        """The connections that usher status lists; None before there is a
        scoreboard: who starts usher has the port before usher has one."""
        try:
            return self.table()["connections"]
        except Failure:
            return None

    def acceptor(self):
        """The child of usherd that accepts, or has workers that do."""
        def find():
            processes = self.descendants()
            rows = self.rows()
            if rows is None:
                return None
            processes = {p for p in processes
                         if parent(p) == self.process.pid and
                         not title(p).startswith("usher-relay")}
            if len(processes) > 1:  # whose acceptor has gone
                processes -= {row["pid"] for row in rows if
                              not self.listens(row["pid"])}
            return len(processes) == 1 and processes.pop()
        found = wait_for(find)
        expect(found, "not one acceptor: %s, %s" % (self.descendants(),
                                                    self.table()))
        return found

    def listens(self, pid):
        """Has this process the first listening socket, and where usher has it
        (handover.h)?"""
        try:
            return (os.readlink("/proc/%d/fd/8" % pid) ==
                    os.readlink("/proc/%d/fd/8" % self.process.pid))
        except OSError:
            return False

    def descendants(self):
        """Process ids of all below usherd, itself not among them."""
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open("/proc/%s/stat" % entry) as f:
                        fields = f.read().rpartition(")")[2].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    parents[int(entry)] = int(fields[1])
        found = {self.process.pid}
        while True:
            more = {p for p, up in parents.items() if up in found} - found
            if not more:
                return found - {self.process.pid}
            found |= more

    def relays(self):
        """Process ids of all usher-relay below usherd."""
        return {p for p in self.descendants()
                if title(p).startswith("usher-relay")}

    def accepted(self, number):
        """Waits until so many connections have been accepted and go on."""
        expect(wait_for(lambda: len(self.table()["connections"]) >= number),
               "%s" % self.table())

    def process_of(self, client):
        """The process that has this connection now."""
        pid = wait_for(lambda: [row["pid"] for row in self.rows() or ()
                                if row["client_port"] == client.local])
        expect(pid, "nobody has it: %s" % self.table())
        return pid[0]

    def at_rest(self):
        """Waits until there is no process but those that always are."""
        expect(wait_for(lambda: len(self.descendants()) <= RESIDENT),
               "processes: %s; %s" % ([title(p) for p in self.descendants()],
                                      self.table()))
        return self.descendants()

    def relayed(self, clients):
        """Waits until each of them is carried by a usher-relay."""
        ports = {client.local for client in clients}

        def find():
            relays = self.relays()
            return ports <= {row["client_port"] for row in self.rows() or ()
                             if row["pid"] in relays}
        expect(wait_for(find), "not all are relayed: %s" % self.table())

    def relay_of(self, client):
        """The usher-relay of this connection, once it is quiet."""
        def find():
            for row in self.rows() or ():
                if (row["client_port"] == client.local and
                        title(row["pid"]).startswith("usher-relay")):
                    return row["pid"]
            return None
        pid = wait_for(find)
        expect(pid, "no relay carries the client: %s; %s" % (
            self.table(), [title(p) for p in self.descendants()]))
        return pid

    def stop(self):
        """usherd in order; what then still lives of its group, without."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE)


@atexit.register
def stop_all():
    for usher in Usher.running:
        usher.stop()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def program(name):
    """Where lib.sh has found it."""
    return os.environ.get(name, name)


def is_sanitized():
    """Are the programs built with sanitizers?"""
    with open(program("usherd"), "rb") as f:
        return b"libasan" in f.read()


def static():
    """Are the small programs what they are meant to be?  Others, as those for
    sanitizers, are dynamic, and large."""
    with open(program("usherd"), "rb") as f:
        return b"ld-linux" not in f.read()
