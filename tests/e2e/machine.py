"""What the tests on a machine with systemd share: units, files, the journal.

For use in tests/container only: it stops, edits and kills services.
"""

import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess

from wire import (Backend, Client, Failure, expect, is_sanitized, isolation,
                  program, tmp, wait_for)

UNIT = "usher.service"
SOCKET = "usher.socket"
CONNECTION = "MESSAGE_ID=f5a12949eff045dfb07ee69d59389306"
PORT = 443  # what the socket comes with; this network is ours alone
os.makedirs(tmp, exist_ok=True)


def run(*command, check=True, **options):
    """Its standard output; what it said, as a Failure, if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=60, **options)
    if check and done.returncode != 0:
        raise Failure("%s: %d: %s" % (" ".join(command), done.returncode,
                                      done.stdout))
    return done.stdout


def fails(*command):
    """Its output if it fails, as it must."""
    try:
        output = run(*command)
    except Failure as e:
        return str(e)
    raise Failure("%s does not fail: %s" % (" ".join(command), output))


def systemctl(*arguments):
    return run("systemctl", *arguments)


def show(unit, name):
    return systemctl("show", "--value", "-p", name, unit).strip()


def state(unit):
    return show(unit, "ActiveState")


def main_pid(unit=UNIT):
    return int(show(unit, "MainPID"))


def await_state(wanted, unit=UNIT, seconds=30):
    expect(wait_for(lambda: state(unit) == wanted, seconds),
           "%s is %s, not %s" % (unit, state(unit), wanted))


def journal(*matches, after=0):
    """What the journal has, entry by entry."""
    run("journalctl", "--sync")
    out = run("journalctl", "-q", "--no-pager", "-o", "json", *matches)
    entries = [json.loads(line) for line in out.splitlines()]
    return [e for e in entries if int(e["__REALTIME_TIMESTAMP"]) > after]


def messages(*matches, after=0):
    return [e.get("MESSAGE") or "" for e in journal(*matches, after=after)]


def await_message(pattern, *matches, after=0):
    found = wait_for(lambda: [m for m in messages(*matches, after=after)
                              if re.search(pattern, m)])
    if not found:
        raise Failure("no %r in the journal: %s" % (
            pattern, messages(*matches, after=after)[-20:]))
    return found[-1]


def last_moment():
    """When the journal's last entry was written: for after=."""
    return max(int(e["__REALTIME_TIMESTAMP"]) for e in journal("-n", "1"))


# -- files ----------------------------------------------------------------------

def rules_file():
    """Where usher was configured to look for it."""
    said = run("sed", "-n", "s/^ExecStart=.* //p",
               *glob.glob("/usr/lib/systemd/system/usher-inetd@.service"),
               *glob.glob("/usr/local/lib/systemd/system/usher-inetd@.service"))
    return said.strip()


RULES = rules_file()

if is_sanitized():  # looking for leaks takes a right that the unit has not
    systemctl("set-environment", "ASAN_OPTIONS=detect_leaks=0")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(re.sub(r"(?m)^[ \t]+", "", text).lstrip("\n"))
    return path


def rules(text, path=RULES):
    """With a line more, before the first section: of the isolation."""
    return write(path, text.replace(
        "[", "isolation = %s\n[" % isolation, 1))


def drop_in(unit, text, name="test.conf"):
    write("/etc/systemd/system/%s.d/%s" % (unit, name), text)
    systemctl("daemon-reload")


def from_contrib(name, to):
    path = "/etc/systemd/system/" + to
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy("/mnt/contrib/" + name, path)
    systemctl("daemon-reload")


# -- usher -----------------------------------------------------------------------

def free_port():
    """Below those that the kernel gives away in this network."""
    free_port.last += 1
    return free_port.last


free_port.last = 4430


def listen_on(*ports, unit=SOCKET, more=""):
    """Opens them by way of a drop-in, as an administrator would."""
    drop_in(unit, "[Socket]\nListenStream=\n%s\n%s" % ("\n".join(
        "ListenStream=%s" % p for p in ports), more))
    systemctl("start", unit)


def fresh():
    """As it was at the beginning."""
    units = systemctl("list-units", "--all", "--plain", "--no-legend",
                      "usher*").split("\n")
    names = [u.split()[0] for u in units if u.strip()]
    for kind in (".socket", ".service"):
        for name in names:
            if name.endswith(kind):
                run("systemctl", "stop", name, check=False)
    for path in glob.glob("/sys/fs/cgroup/system.slice/**/cgroup.procs",
                          recursive=True):
        if "usher" in path:
            kill_all(path)
    ours = glob.glob("/etc/systemd/system/*usher*")
    for path in ours + glob.glob("/run/usher*") + glob.glob(
            "/run/private/usher*"):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    if ours:
        systemctl("daemon-reload")
    run("systemctl", "reset-failed", "usher*", check=False)


def kill_all(path):
    try:
        with open(path) as f:
            for pid in f.read().split():
                os.kill(int(pid), signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        pass


def status(*arguments):
    return json.loads(run(program("usher"), "status", "--json", *arguments))


def is_listed(client, *arguments):
    """Is this client's connection in the table?"""
    return any(c["client_port"] == client.local
               for c in status(*arguments)["connections"])


def greeted(port, name, data=b"x\n", **options):
    """A client that was shown to this backend, and still is connected."""
    client = Client(port, **options)
    client.send(data)
    line = client.line()
    expect(line == name, "reached %r, not %r" % (line, name))
    client.exactly(len(data))
    return client


def alive(client):
    client.send(b"still there?\n")
    expect(client.line() == "still there?", "it is not")
    return True


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return False
    except ConnectionRefusedError:
        return True


# -- what most checks begin with ------------------------------------------------

backends = {name: Backend(name) for name in ("old", "new")}


def to(name, settings=""):
    return """
        inspect-timeout = 500ms
        %s
        [%s]
        protocol = any silent
        backend = %s
        """ % (settings, name, backends[name].address)


def serving(text=None):
    """Starts anew with these rules; returns the port."""
    fresh()
    rules(text or to("old"))
    systemctl("start", SOCKET)
    return PORT


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(child) for child in f.read().split()]


def greeting(port):
    with Client(port) as client:
        return client.send(b"x\n").line()
