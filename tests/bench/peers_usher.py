"""usher, in the ways in which it can be run."""

import os
import subprocess

from peer import SOCKET_ACTIVATE, Peer, which

USHER = """
inspect-timeout = 3s
max-connections = {connections}
max-per-source = {connections}
isolation = {isolation}
relay-exec = {relay_exec}
log = {log}
log-target = stderr

[www]
server-name = {name}
{target}

[tls]
protocol = tls
{target}

[ssh]
protocol = ssh silent
{target}

[rest]
protocol = any
{target}
"""

class Usher(Peer):
    """A process for each connection, as by default."""

    isolation = "connection"
    relay_exec = "lazy"

    def target(self):
        return f"backend = 127.0.0.1:{self.setup.backend_port}"

    def configure(self):
        return self.write(USHER, isolation=self.isolation,
                          relay_exec=self.relay_exec, target=self.target(),
                          log="all" if self.setup.log else "none")

    def missing(self):
        if not os.access(self.setup.usher, os.X_OK):
            return f"{self.setup.usher} is not built (run make)"
        check = subprocess.run(
            [self.setup.usher, "check", "-c", self.configure()],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
            env=self.environment(), check=False)
        if check.returncode == 0:
            return None
        lines = check.stdout.decode(errors="replace").splitlines()
        return "usher does not take its rules: " + (lines or ["?"])[0]

    def environment(self):
        return {**super().environment(),
                "RUNTIME_DIRECTORY": self.runtime_dir()}

    def runtime_dir(self):
        path = f"{self.setup.dir}/{self.name}.run"
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)
        return path

    def command(self):
        return [self.setup.usher, "serve", "-c", self.configure(),
                "--listen", f"127.0.0.1:{self.port}"]

    def on_socket(self):
        return (["-E", "RUNTIME_DIRECTORY=" + self.runtime_dir()],
                [self.setup.usher, "serve", "-c", self.configure()])


class UsherAtOnce(Usher):
    """With a process of few pages from the beginning."""

    relay_exec = "at-once"
    shows = ("rate", "tls", "rtt", "idle")


class UsherShared(Usher):
    isolation = "shared"


class UsherExec(Usher):
    """No relay at all: a program on the client's own socket."""

    shows = ("rate", "tls", "bulk", "rtt")

    def target(self):
        return f"exec = {self.setup.tool('backend')} --stdin"


class UsherInetd(Usher):
    """A program for each connection, started by something like inetd."""

    shows = ("rate", "tls", "rtt", "idle")

    def missing(self):
        if not which(SOCKET_ACTIVATE):
            return f"{SOCKET_ACTIVATE} is not installed (package systemd)"
        return super().missing()

    def command(self):
        return [which(SOCKET_ACTIVATE), "--inetd", "-a", "-l",
                f"127.0.0.1:{self.port}", self.setup.usher + "d", "--inetd",
                self.configure()]
