"""The programs that usher is compared with, as Debian packages them."""

import os

from peer import CONNECTIONS, SOCKET_ACTIVATE, Packaged, which

PROXYD = "/usr/lib/systemd/systemd-socket-proxyd"
NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so"

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
    bind {bind}
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

class Haproxy(Packaged):
    package = program = "haproxy"
    splice = False

    def arguments(self, **values):
        log = self.setup.log
        conf = self.write(
            HAPROXY, splice="option splice-auto" if self.splice else "",
            log_global="log stdout format raw local0" if log else "",
            log="log global\n    option tcplog" if log else "", **values)
        return [which("haproxy"), "-db", "-f", conf]

    def command(self):
        return self.arguments()

    def on_socket(self):
        return [], self.arguments(bind="fd@3")


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

    def on_socket(self):
        """As it hands its sockets to its successor in an upgrade."""
        return ["-E", "NGINX=3;"], self.command()


class Sslh(Packaged):
    package = program = "sslh"

    def command(self):
        conf = self.write(SSLH, log_level=1 if self.setup.log else 0)
        return [which(self.program), "-F" + conf]


class SslhFork(Sslh):
    def on_socket(self):
        """Debian's takes no socket but a connection's, as from inetd."""
        return ["--inetd", "-a"], [*self.command(), "--inetd"]


class SslhSelect(Sslh):
    program = "sslh-select"


class Proxyd(Packaged):
    """It is always started by its first connection."""

    package = "systemd"
    program = SOCKET_ACTIVATE

    def missing(self):
        return super().missing() or (
            None if os.path.exists(PROXYD) else f"{PROXYD} is not there")

    def command(self):
        return self.activated_command()

    def on_socket(self):
        return [], [PROXYD, "-c", str(CONNECTIONS),
                    f"127.0.0.1:{self.setup.backend_port}"]


class Socat(Packaged):
    package = program = "socat"

    def arguments(self, client):
        return [which("socat"), client,
                f"TCP:127.0.0.1:{self.setup.backend_port}"]

    def command(self):
        return self.arguments(f"TCP-LISTEN:{self.port},bind=127.0.0.1,"
                              "reuseaddr,fork,backlog=4096")

    def on_socket(self):
        """As from inetd: it can be given no socket that listens."""
        return ["--inetd", "-a"], self.arguments("STDIO")
