"""The programs under test: how each is set up and started.

All do the same work as far as they can: decide between SSH, TLS by name and
anything else, wait three seconds for the first bytes, write one line a
connection, take as many connections as the open files allow.
"""

import os
import random
import shutil
import socket
import subprocess
import time

import cgroup

SBIN = "/usr/sbin:/sbin:/usr/local/sbin"
PROXYD = "/usr/lib/systemd/systemd-socket-proxyd"
NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so"
CONNECTIONS = 9000  # at a time; two descriptors each must fit in the limit
SERVER_NAME = "www.example.net"

HAPROXY = """
global
    maxconn {connections}
    maxpipes 200
    {log_global}
defaults
    mode tcp
    {log}
    timeout connect 5s
    timeout client 500s
    timeout server 500s
    {splice}
frontend port
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 3s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    acl ssh payload(0,7) -m bin 5353482d322e30
    acl www req.ssl_sni -i {name}
    use_backend service if www {{ req.ssl_hello_type 1 }}
    use_backend service if {{ req.ssl_hello_type 1 }}
    use_backend service if ssh
    use_backend service if !{{ req.ssl_hello_type 1 }} {{ req.len 0 }}
    default_backend service
backend service
    server service 127.0.0.1:{backend}
"""

SSLH = """
foreground: true; numeric: true; inetd: false; timeout: 3;
pidfile: "{dir}/sslh.pid";
listen: ( {{ host: "127.0.0.1"; port: "{port}"; }} );
protocols: (
    {{ name: "ssh"; host: "127.0.0.1"; port: "{backend}"; fork: false;
       log_level: {log_level}; }},
    {{ name: "tls"; host: "127.0.0.1"; port: "{backend}";
       log_level: {log_level}; sni_hostnames: [ "{name}" ]; }},
    {{ name: "tls"; host: "127.0.0.1"; port: "{backend}";
       log_level: {log_level}; }},
    {{ name: "anyprot"; host: "127.0.0.1"; port: "{backend}";
       log_level: {log_level}; }}
);
"""

NGINX = """
load_module {module};
daemon off;
worker_processes auto;
worker_rlimit_nofile {files};
pid {dir}/nginx.pid;
error_log stderr crit;
events {{ worker_connections {files}; }}
stream {{
    log_format line '$remote_addr [$time_local] $protocol $status '
                    '$bytes_sent $bytes_received $session_time';
    access_log {log};
    map $ssl_preread_server_name $service {{
        {name} 127.0.0.1:{backend};
        default 127.0.0.1:{backend};
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        ssl_preread on;
        preread_timeout 3s;
        proxy_pass $service;
    }}
}}
"""

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


def which(program):
    return shutil.which(program, path=os.environ["PATH"] + ":" + SBIN)


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


class Peer:
    """One program under test."""

    package = ""  # what to install when it is missing
    shows = None  # the measurements it takes part in; None: all
    activated = False  # can be started by its first connection

    def __init__(self, name, setup):
        self.name = name
        self.setup = setup
        self.port = 0
        self.process = None
        self.group = None

    def missing(self):
        """A sentence if it cannot be run here, else None."""
        return None

    def command(self):
        raise NotImplementedError

    def write(self, text, **values):
        """Writes a configuration that anybody may read; returns its path."""
        path = f"{self.setup.dir}/{self.name}.conf"
        with open(path, "w", encoding="ascii") as file:
            file.write(text.format(
                port=self.port, backend=self.setup.backend_port,
                dir=self.setup.dir, name=SERVER_NAME,
                connections=CONNECTIONS, **values))
        os.chmod(path, 0o644)
        return path

    def output(self):
        """Where its log lines go: nowhere, but they are written."""
        if not self.setup.logs:
            return subprocess.DEVNULL
        return open(f"{self.setup.logs}/{self.name}.log", "ab")

    def start(self):
        self.port = free_port()
        self.group = cgroup.Group(self.name)
        output = self.output()
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, env=self.environment(), cwd=self.setup.dir,
            start_new_session=True,
            preexec_fn=self.group.enter if self.group.usable else None)
        if output != subprocess.DEVNULL:
            output.close()
        end = time.monotonic() + 10
        while not is_listening(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.name} does not start; "
                                   "--logs DIR keeps what it says")
            time.sleep(0.005)

    def environment(self):
        return {"PATH": os.environ["PATH"] + ":" + SBIN, "LC_ALL": "C"}

    def pids(self):
        if self.group and self.group.usable:
            return self.group.pids()
        return [self.process.pid] if self.process else []

    def wait_for_pids(self, most):
        """Waits until what served connections that are over is gone."""
        if self.group and self.group.usable:
            self.group.wait_for_pids(most, 10)

    def stop(self):
        if self.process:
            self.group.kill()
            try:
                os.killpg(self.process.pid, 9)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.group.remove()
        self.process = None


class Direct(Peer):
    """The backend itself: nothing in between."""

    def start(self):
        self.port = self.setup.backend_port


class Packaged(Peer):
    """A program of the distribution's."""

    program = ""

    def missing(self):
        if which(self.program):
            return None
        return f"{self.program} is not installed (package {self.package})"


class Haproxy(Packaged):
    package = program = "haproxy"
    splice = False

    def command(self):
        log = self.setup.log
        conf = self.write(
            HAPROXY, splice="option splice-auto" if self.splice else "",
            log_global="log stdout format raw local0" if log else "",
            log="log global\n    option tcplog" if log else "")
        return [which("haproxy"), "-db", "-f", conf]


class HaproxySplice(Haproxy):
    splice = True


class Nginx(Packaged):
    package = "libnginx-mod-stream"
    program = "nginx"

    def missing(self):
        if which("nginx") and os.path.exists(NGINX_STREAM):
            return None
        return "nginx or its stream module is not installed (packages " \
               "nginx, libnginx-mod-stream)"

    def command(self):
        conf = self.write(NGINX, module=NGINX_STREAM, files=CONNECTIONS * 2,
                          log="/dev/stdout line" if self.setup.log else "off")
        return [which("nginx"), "-p", self.setup.dir, "-c", conf]


class Sslh(Packaged):
    package = program = "sslh"

    def command(self):
        conf = self.write(SSLH, log_level=1 if self.setup.log else 0)
        return [which(self.program), "-F" + conf]


class SslhSelect(Sslh):
    program = "sslh-select"


class Proxyd(Packaged):
    package = "systemd"
    program = "systemd-socket-activate"
    activated = True

    def missing(self):
        return super().missing() or (
            None if os.path.exists(PROXYD) else f"{PROXYD} is not there")

    def command(self):
        return [which(self.program), "-l", f"127.0.0.1:{self.port}", PROXYD,
                "-c", str(CONNECTIONS), f"127.0.0.1:{self.setup.backend_port}"]


class Socat(Packaged):
    package = program = "socat"

    def command(self):
        return [which("socat"), f"TCP-LISTEN:{self.port},bind=127.0.0.1,"
                "reuseaddr,fork,backlog=4096",
                f"TCP:127.0.0.1:{self.setup.backend_port}"]


class Usher(Peer):
    isolation = "connection"
    relay_exec = "lazy"
    activated = False

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


class UsherAtOnce(Usher):
    relay_exec = "at-once"


class UsherShared(Usher):
    isolation = "shared"


class UsherExec(Usher):
    """No relay at all: a program on the client's own socket."""

    shows = ("rate", "bulk", "rtt")

    def target(self):
        return f"exec = {self.setup.tool('backend')} --stdin"


class UsherInetd(Usher):
    """A program for each connection, started by something like inetd."""

    shows = ("rate", "rtt", "idle")

    def command(self):
        return [which("systemd-socket-activate"), "--inetd", "-a", "-l",
                f"127.0.0.1:{self.port}", self.setup.usher + "d", "--inetd",
                self.configure()]


class UsherActivated(Usher):
    """Started by its first connection, as systemd would."""

    activated = True
    shows = ("cold",)

    def command(self):
        return [which("systemd-socket-activate"), "-l",
                f"127.0.0.1:{self.port}", self.setup.usher, "serve", "-c",
                self.configure()]


PEERS = {
    "direct": Direct,
    "haproxy": Haproxy,
    "haproxy-splice": HaproxySplice,
    "nginx": Nginx,
    "sslh-fork": Sslh,
    "sslh-select": SslhSelect,
    "proxyd": Proxyd,
    "socat": Socat,
    "usher": Usher,
    "usher-at-once": UsherAtOnce,
    "usher-shared": UsherShared,
    "usher-exec": UsherExec,
    "usher-inetd": UsherInetd,
    "usher-activated": UsherActivated,
}
