"""Started as root without systemd: what each process is afterwards.

Which of them may be root, and why: none.  The one exception is the keeper
when the rules say "user = root", so that it can run programs as others; it
reads nothing that a client has sent."""

import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys

from wire import (Backend, Skipped, Usher, check, expect, is_sanitized,
                  program, run_checks, same, tmp, wait_for)

NOBODY = 65534
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")

backend = Backend("old")


def rules(settings=""):
    return """
        inspect-timeout = 10s
        %s
        [later]
        payload = "never"
        reject = close
        [old]
        protocol = any
        backend = %s
        """ % (settings, backend.address)


def facts(pid):
    with open("/proc/%d/status" % pid) as f:
        pairs = (line.partition(":\t") for line in f)
        return {name: value.strip() for name, _, value in pairs}


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(child) for child in f.read().split()]


class Family:
    """One usher, an undecided client's process, and a relay."""

    def __init__(self, usher, undecided=b"n"):
        self.usher = usher
        self.keeper = usher.process.pid
        self.acceptor = wait_for(lambda: children_of(self.keeper))[0]
        self.undecided = usher.connect().send(undecided)
        self.child = wait_for(lambda: children_of(self.acceptor))[0]
        self.client = usher.connect().send(b"x\n")
        same(self.client.line(), "old")
        relays = wait_for(usher.relays)
        expect(relays, "no relay: %s" % usher.log())
        self.relay = min(relays)

    def each(self):
        return [(name, getattr(self, name)) for name in
                ("keeper", "acceptor", "child", "relay")]

    def assert_are(self, uid, gid):
        for name, pid in self.each():
            f = facts(pid)
            same(f["Uid"].split(), ["%d" % uid] * 4, name + "'s Uid")
            same(f["Gid"].split(), ["%d" % gid] * 4, name + "'s Gid")
            same(f["Groups"], "", name + "'s Groups")
            for capability in CAPABILITIES:
                same(int(f[capability], 16), 0, "%s's %s" % (name, capability))

    def assert_are_caged(self):
        if is_sanitized():  # in no sandbox then
            return
        for name, pid in self.each():
            f = facts(pid)
            expected = ("0", "0") if name == "keeper" else ("1", "2")
            same((f["NoNewPrivs"], f["Seccomp"]), expected,
                 name + "'s NoNewPrivs and Seccomp")

    def stop(self):
        self.usher.stop()


@check("by default all of them are nobody, without any right")
def _():
    family = Family(Usher(rules()))
    family.assert_are(NOBODY, NOBODY)
    family.assert_are_caged()
    family.stop()


@check("user and group: all of them are these, without root's other groups")
def _():
    family = Family(Usher(rules("user = daemon\ngroup = sys")))
    family.assert_are(pwd.getpwnam("daemon").pw_uid,
                      grp.getgrnam("sys").gr_gid)
    family.assert_are_caged()
    family.stop()


@check("a user that there is not: it does not start as somebody else")
def _():
    with open(tmp + "/nobody.conf", "w") as f:
        f.write("listen = 127.0.0.1:0\nuser = no-such-user-here\n"
                "[old]\nprotocol = any\nbackend = " + backend.address)
    done = subprocess.run([program("usher"), "serve", "-c", f.name],
                          stderr=subprocess.PIPE, text=True, timeout=10)
    same(done.returncode, 1, "exit status")
    expect("no such user: no-such-user-here" in done.stderr, done.stderr)


@check("a port below 1024, which nobody could bind")
def _():
    family = Family(Usher(rules(), listen=["127.0.0.1:443"]))
    same(family.usher.port, 443)
    family.assert_are(NOBODY, NOBODY)
    family.stop()


@check("chroot: there is nothing else for any of them, and connections work")
def _():
    if is_sanitized():
        raise Skipped("sanitizers' usher-relay is dynamic, and has no "
                      "libraries in there")
    root = tmp + "/root"
    os.mkdir(root)
    family = Family(Usher(rules("chroot = " + root)))
    family.assert_are(NOBODY, NOBODY)
    family.assert_are_caged()
    for name, pid in family.each():
        same(os.readlink("/proc/%d/root" % pid), root, name + "'s root is")
        same(os.readlink("/proc/%d/cwd" % pid), root, name + "'s directory is")
    before = family.client
    os.kill(family.keeper, signal.SIGHUP)
    family.usher.await_line("the rules stay as they were")
    before.send(b"still?\n")
    same((before.line(), before.line()), ("x", "still?"))
    family.stop()


@check("user = root: only the keeper is, so that it can run programs")
def _():
    usher = Usher("""
        user = root
        inspect-timeout = 10s
        [id]
        payload = "id"
        exec = /usr/bin/id -u
        [old]
        protocol = any
        backend = %s
        """ % backend.address)
    family = Family(usher, b"i")
    same(facts(family.keeper)["Uid"].split(), ["0"] * 4)
    for name, pid in family.each()[1:]:
        same(facts(pid)["Uid"].split(), ["%d" % NOBODY] * 4, name + "'s Uid")
        for capability in CAPABILITIES:
            same(int(facts(pid)[capability], 16), 0,
                 "%s's %s" % (name, capability))
    family.assert_are_caged()
    same(usher.connect().send(b"id\n").line(), "0", "the program is")
    family.stop()


@check("reload as nobody: a file that only root can read changes nothing")
def _():
    family = Family(Usher(rules()))
    usher = family.usher
    os.chmod(usher.file, 0o600)
    os.kill(family.keeper, signal.SIGHUP)
    usher.await_line("the rules stay as they were")
    usher.await_line("Permission denied")
    usher.connect().send(b"x\n").line()
    os.chmod(usher.file, 0o644)
    os.kill(family.keeper, signal.SIGHUP)
    usher.await_line("reloaded the rules")
    family.stop()


def syslog_at_dev_log():
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if os.path.exists("/dev/log"):
        os.unlink("/dev/log")
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    log.settimeout(10)
    return log


def served_line(usher, log):
    with usher.connect() as client:
        client.send(b"x\n")
        same(client.line(), "old")
        wanted = b"client_port=%d " % client.local
    while True:
        line = log.recv(4096)
        if wanted in line:
            return line.decode()


@check("syslog gets the lines, also from within a chroot")
def _():
    log = syslog_at_dev_log()
    os.makedirs(tmp + "/root", exist_ok=True)
    usher = Usher(rules("log-target = syslog\nchroot = %s/root" % tmp))
    line = served_line(usher, log)
    expect(re.match(r"<30>.*usher\[\d+\]: .*service=old client=127.0.0.1 ",
                    line), line)
    usher.stop()


@check("syslog is found too by one whose start a tool other than systemd awaits")
def _():
    log = syslog_at_dev_log()
    awaited = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    awaited.bind(tmp + "/awaited")
    awaited.settimeout(10)
    os.environ["NOTIFY_SOCKET"] = tmp + "/awaited"
    try:
        usher = Usher(rules("log-target = auto"))
    finally:
        del os.environ["NOTIFY_SOCKET"]
    while b"READY=1" not in awaited.recv(4096):
        pass
    served_line(usher, log)
    usher.stop()


@check("/run/usher is made, and the group may read what is in it")
def _():
    environment = os.environ.pop("RUNTIME_DIRECTORY", None)
    same(environment, None)
    family = Family(Usher(rules("user = daemon"), through=(
        "env", "-u", "RUNTIME_DIRECTORY")))
    about = os.stat("/run/usher/scoreboard")
    same((about.st_uid, about.st_gid, oct(about.st_mode & 0o777)),
         (0, grp.getgrnam("daemon").gr_gid, "0o640"))
    same(oct(os.stat("/run/usher").st_mode & 0o777), "0o755")
    family.stop()
    shutil.rmtree("/run/usher")


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
