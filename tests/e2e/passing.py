"""sshd as root for connections that usher, who has no rights, passes on: the
units of contrib/pass on a machine with systemd, tests/e2e_systemd.sh."""

import os
import re
import shutil
import subprocess
import sys

from machine import (CONNECTION, PORT, SOCKET, UNIT, await_message, fresh,
                     from_contrib, journal, last_moment, main_pid, rules, run,
                     state, systemctl, write)
from wire import Client, check, expect, run_checks, same, tmp, wait_for

RECEIVER = "usher-receive.service"
PASSED_AT = "/run/usher-receive.sock"
CLIENT = "127.0.0.6"

KEY = tmp + "/user"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"


def set_up():
    """As contrib/pass/README.md says; and a root who may come in by a key."""
    fresh()
    os.makedirs("/usr/local/libexec", exist_ok=True)
    shutil.copy("/mnt/contrib/usher-receive", "/usr/local/libexec")
    for kind in (".socket", ".service"):
        from_contrib("usher-receive" + kind, "usher-receive" + kind)
    systemctl("enable", "--now", "usher-receive.socket")
    rules("[openssh]\nprotocol = ssh silent\npass = unix:%s\n" % PASSED_AT)
    systemctl("start", SOCKET)
    run("ssh-keygen", "-A")
    if not os.path.exists(KEY):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", KEY)
    with open(KEY + ".pub") as f:
        write("/root/.ssh/authorized_keys", f.read())
    os.chmod("/root/.ssh", 0o700)
    with open(HOST_KEY) as f:
        write(tmp + "/known_hosts", "[127.0.0.1]:%d %s" % (PORT, f.read()))


def ssh(*command):
    return ["ssh", "-F", "none", "-b", CLIENT, "-p", "%d" % PORT, "-i", KEY,
            "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
            "-o", "UserKnownHostsFile=%s/known_hosts" % tmp,
            "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR",
            "root@127.0.0.1", *command]


class Session:
    """A session of ssh's in which cat runs."""

    def __init__(self):
        self.process = subprocess.Popen(ssh("cat"), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.alive()

    def alive(self):
        self.process.stdin.write(b"still there?\n")
        self.process.stdin.flush()
        same(self.process.stdout.readline(), b"still there?\n")

    def end(self):
        self.process.stdin.close()
        same(self.process.wait(30), 0, "ssh ends with")


@check("sshd is root, and logs the address that the client has")
def _():
    set_up()
    mark = last_moment()
    said = run(*ssh("echo $SSH_CONNECTION; id -u; "
                    "grep NoNewPrivs: /proc/self/status"))
    found = re.fullmatch(r"(\S+) (\d+) (\S+) (\d+)\n(\d+)\nNoNewPrivs:\t0\n",
                         said)
    expect(found, "the session says %r" % said)
    same(found.group(1, 3, 4, 5), (CLIENT, "127.0.0.1", "%d" % PORT, "0"))
    port = found.group(2)
    await_message(r"^Accepted publickey for root from %s port %s "
                  % (re.escape(CLIENT), port), "-u", RECEIVER, after=mark)
    entries = wait_for(lambda: journal(CONNECTION, "USHER_CLIENT_PORT=" + port,
                                       after=mark))
    expect(entries, "usher has no line of it")
    same([entries[0].get(k) for k in ("USHER_SERVICE", "USHER_CLIENT",
                                      "USHER_BACKEND", "USHER_END")],
         ["openssh", CLIENT, "unix:" + PASSED_AT, "backend-closed"])
    with open("/proc/%d/status" % main_pid()) as f:
        expect(int(re.search(r"CapEff:\s*(\S+)", f.read()).group(1), 16) == 0,
               "usher has a right")


@check("sessions outlive a restart of the receiver, and of usher")
def _():
    set_up()
    session = Session()
    for unit in (RECEIVER, UNIT):
        systemctl("restart", unit)
        session.alive()
    other = Session()
    other.end()
    session.alive()
    session.end()


@check("nobody is there to pass it to: closed, with a line that says why")
def _():
    set_up()
    systemctl("stop", "usher-receive.socket", RECEIVER)
    same(state(RECEIVER), "inactive")
    mark = last_moment()
    with Client(PORT) as client:
        client.send(b"SSH-2.0-x\r\n")
        same(client.end(), "fin")
    await_message(r"service=openssh .*backend=unix:%s .*end=refused"
                  % re.escape(PASSED_AT), "-u", UNIT, after=mark)
    systemctl("start", "usher-receive.socket")
    Session().end()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
