"""usher with rules that sort clients by their first bytes, and a backend for
each; or haproxy with the same in its words, to see which checks it fails."""

import os
import subprocess

from wire import (Backend, Client, Usher, closed_port, expect, same, tmp,
                  wait_for)

INSPECT = 6.0  # seconds, in all rules here
SOON = INSPECT / 2  # a decision by now was not made by the deadline
SILENCE = INSPECT if os.environ.get("MUX") == "haproxy" else 1.0

NAMES = ("site", "domain", "wild", "noname", "ssh", "any")
backends = {name: Backend(name) for name in NAMES}
dead_holder, dead_port = closed_port()

RULES = """
inspect-timeout = 6s
silence-timeout = 1s
[site]
server-name = www.example.com
backend = {site.address}
[dead]
server-name = dead.example.com
backend = 127.0.0.1:{dead_port}
[close]
server-name = close.example.com
reject = close
[reset]
server-name = reset.example.com
reject = reset
[domain]
server-name = *.example.com
backend = {domain.address}
[wild]
server-name = *
backend = {wild.address}
[noname]
protocol = tls
backend = {noname.address}
[ssh]
protocol = ssh silent
backend = {ssh.address}
[any]
protocol = any
backend = {any.address}
"""

HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend f
  bind 127.0.0.1:{port}
  tcp-request inspect-delay 1s
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
  use_backend site if {{ req.ssl_sni -i www.example.com }}
  use_backend dead if {{ req.ssl_sni -i dead.example.com }}
  use_backend domain if {{ req.ssl_sni -m end example.com }}
  use_backend wild if {{ req.ssl_sni -m found }}
  use_backend noname if {{ req.ssl_hello_type 1 }}
  use_backend ssh if {{ payload(0,7) -m bin 5353482d322e30 }}
  use_backend ssh if {{ req.len 0 }}
  use_backend any if !{{ req.len 0 }}
backend dead
  server s 127.0.0.1:{dead_port}
{servers}
"""


class Haproxy(Usher):
    """The same rules in haproxy's words: which checks does it fail?"""

    def __init__(self):
        holder, port = closed_port()
        holder.close()
        path = tmp + "/haproxy.cfg"
        with open(path, "w") as f:
            f.write(HAPROXY.format(
                port=port, dead_port=dead_port, servers="\n".join(
                    "backend %s\n  server s %s" % (b.name, b.address)
                    for b in backends.values())))
        self.log_file = tmp + "/haproxy.log"
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                ["haproxy", "-db", "-f", path], stdout=log, stderr=log,
                start_new_session=True)
        Usher.running.append(self)
        self.ports = [port]
        expect(wait_for(self.answers), "haproxy does not listen")

    def answers(self):
        try:
            Client(self.port).send(b"x").close()
            return True
        except OSError:
            return False


def start():
    if os.environ.get("MUX") == "haproxy":
        return Haproxy()
    return Usher(RULES.format(dead_port=dead_port, **backends))


usher = start()


def goes_to(name, data, pieces=None):
    """Sent at once, or in these pieces, data gets to this backend, whole, and
    without waiting for the deadline."""
    with usher.connect() as client:
        for piece in pieces or (data,):
            client.send(piece)
        answer = client.line()
        took = client.took()
        same(answer, name, "reached")
        same(client.exactly(len(data)), data, "echo is")
    if not pieces:
        expect(took < SOON, "decided after %.2f s only" % took)


def silent_to_ssh():
    """Once round by a silent client: all before it has been decided."""
    with usher.connect() as client:
        same(client.line(), "ssh", "a silent client reached")
