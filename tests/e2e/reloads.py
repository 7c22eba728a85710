"""Rules are read again: what a thousand services cost, and what goes wrong."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

from mounts import over
from wire import (Backend, Skipped, Usher, check, expect, is_sanitized,
                  program, run_checks, same, tmp, wait_for, PATIENCE)

backends = {name: Backend(name) for name in ("old", "new")}


def rules(name, above=""):
    return "%s\n[%s]\nprotocol = any silent\nbackend = %s\n" % (
        above, name, backends[name].address)


def reload(usher):
    usher.process.send_signal(signal.SIGHUP)


def reaches(usher, name):
    with usher.connect() as client:
        return client.send(b"x").line() == name


PROTOCOLS = ("ssh", "tls", "http", "xmpp", "rdp", "mqtt", "socks5", "openvpn")


def by_name(number):
    return "server-name = a%d.example.net *.b%d.example.org" % (number, number)


def by_network(number):
    return "protocol = %s\nfrom = 10.%d.%d.0/24 2001:db8:%x::/48" % (
        PROTOCOLS[number % len(PROTOCOLS)], number >> 8, number & 255, number)


def by_place(number):
    return "protocol = %s\nlocal = 192.0.%d.%d:443\nfrom = 10.0.0.0/8" % (
        PROTOCOLS[number % len(PROTOCOLS)], number >> 8, number & 255)


SERVICES = 999  # and the one that takes the rest
RELOADS = 10
# Milliseconds of processor time, of all who take part, above what the
# processes themselves take on this machine.
BUDGET = 50 * (20 if is_sanitized() else 1)


def processor_ms(usher):
    """Of the keeper and all that it has waited for."""
    with open("/proc/%d/stat" % usher.process.pid) as f:
        times = f.read().rpartition(")")[2].split()[11:15]
    return sum(map(int, times)) * 1000 / os.sysconf("SC_CLK_TCK")


def cost_of_reloads(usher, already):
    """Each with its own successor in force, none of them left out."""
    begun = processor_ms(usher)
    for number in range(RELOADS):
        reload(usher)
        usher.await_line("reloaded the rules", already + number + 1)
        expect(reaches(usher, "old"), "nobody accepts")
    # The acceptors that have retired are paid for, too.
    usher.at_rest()
    return (processor_ms(usher) - begun) / RELOADS


def cost_of_one_service():
    usher = Usher(rules("old"))
    cost = min(cost_of_reloads(usher, already)
               for already in (0, RELOADS))
    usher.stop()
    return cost


@check("a thousand services add less than 50 ms of processor time to a reload")
def _():
    budget = BUDGET + cost_of_one_service()
    for shape in by_name, by_network, by_place:
        usher = Usher(rules("old", "\n".join(
            "[s%d]\n%s\nbackend = 127.0.0.1:9" % (number, shape(number))
            for number in range(SERVICES))))
        costs = []
        # Others may be in its way, but not each time.
        while len(costs) < 4 and min(costs, default=budget) >= budget:
            costs.append(cost_of_reloads(usher, len(costs) * RELOADS))
        expect(min(costs) < budget, "%s: %s ms, not %s" % (
            shape.__name__, costs, budget))
        usher.stop()


class FromDefaultPlace(Usher):
    """One that was not told which file to read."""

    def start(self, command, sockets):
        at = command.index(self.file) - 1
        super().start(command[:at] + command[at + 2:], sockets)


def default_place():
    """Where the rules are by default, with a directory to be there instead."""
    said = subprocess.run([program("usher"), "dump"], capture_output=True,
                          text=True).stderr
    path = re.search(r"^usher: no (\S+), so the built-in rules", said, re.M)
    if not path:
        raise Skipped("this machine has rules of its own")
    path = path[1]
    place = next((d for d in (os.path.dirname(path),
                              os.path.dirname(os.path.dirname(path)))
                  if os.path.isdir(d)), None)
    if place is None:
        raise Skipped("there is no directory for %s" % path)
    copy = tmp + "/place"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(place, copy, symlinks=True)
    ours = copy + path[len(place):]
    os.makedirs(os.path.dirname(ours), exist_ok=True)
    for directory in copy, os.path.dirname(ours):
        os.chmod(directory, 0o755)
    return path, ours, over(place, copy)


def write(path, text):
    with open(path, "w") as f:
        f.write("log-target = stderr\n" + text)


def stays(usher, what):
    """A reload changes nothing, and says why."""
    before = len(usher.lines("the rules stay as they were"))
    reload(usher)
    usher.await_line("the rules stay as they were", before + 1)
    usher.await_line(what)
    expect(reaches(usher, "old"), "not the old rules")


@check("the file is gone at a reload: the old rules stay, and it is named")
def _():
    path, ours, through = default_place()
    write(ours, rules("old"))
    usher = FromDefaultPlace("", through=through)
    expect(reaches(usher, "old"), "not by the file")
    os.unlink(ours)
    stays(usher, re.escape(path + ": cannot read it: No such file"))
    # Nor does another make up for it.
    os.mkdir(os.path.dirname(ours) + "/conf.d")
    write(os.path.dirname(ours) + "/conf.d/1.conf", rules("new"))
    stays(usher, re.escape(path))
    os.unlink(os.path.dirname(ours) + "/conf.d/1.conf")
    write(ours, rules("new"))
    reload(usher)
    expect(wait_for(lambda: reaches(usher, "new")), usher.log())
    usher.stop()


@check("all of conf.d is gone at a reload: the old rules stay")
def _():
    path, ours, through = default_place()
    conf_d = os.path.dirname(ours) + "/conf.d"
    os.mkdir(conf_d)
    write(conf_d + "/1.conf", rules("old"))
    usher = FromDefaultPlace("", through=through)
    os.rename(conf_d + "/1.conf", conf_d + "/2.conf")
    reload(usher)
    usher.await_line("reloaded the rules")
    os.unlink(conf_d + "/2.conf")
    stays(usher, re.escape("no %s, and nothing in conf.d" % path))
    usher.stop()


@check("there never was a file: a reload takes the built-in rules, or the first")
def _():
    path, ours, through = default_place()
    usher = FromDefaultPlace("", through=through)
    reload(usher)
    usher.await_line("reloaded the rules")
    write(ours, rules("new"))
    reload(usher)
    expect(wait_for(lambda: reaches(usher, "new")), usher.log())
    usher.stop()


@check("a file named by -c is gone at a reload: the old rules stay")
def _():
    usher = Usher(rules("old"))
    os.unlink(usher.file)
    stays(usher, re.escape(usher.file + ": cannot read it"))
    usher.stop()


NAMES = "usher", "usherd", "relay"


@contextlib.contextmanager
def own_programs(name):
    """Copies of the programs in a directory of their own, which it yields, to
    be used by who is started now."""
    mine = "%s/%s" % (tmp, name)
    os.mkdir(mine)
    before = {name: os.environ[name] for name in NAMES}
    for name in NAMES:
        shutil.copy(program(name), mine)
        os.environ[name] = mine + "/" + os.path.basename(program(name))
    try:
        yield mine
    finally:
        os.environ.update(before)


@check("usher cannot be run at a reload: said once, with one name in front")
def _():
    with own_programs("mine") as mine:
        usher = Usher(rules("old"))
        os.rename(program("usher"), mine + "/away")
        stays(usher, "cannot run usher dump: No such file")
        for line in usher.lines("usher"):
            expect(not re.search(r"usherd: usherd:", line), line)
        # One that says nothing is not passed over in silence.
        with open(program("usher"), "w") as f:
            f.write("#!/bin/sh\nexit 3\n")
        os.chmod(program("usher"), 0o755)
        stays(usher, "usher dump failed without a word")
        os.rename(mine + "/away", program("usher"))
        usher.write(rules("new"))
        reload(usher)
        expect(wait_for(lambda: reaches(usher, "new")), usher.log())
        usher.stop()


@check("programs are replaced while clients are undecided: all are served")
def _():
    with own_programs("upgrade"):
        usher = Usher(rules("old", """
            inspect-timeout = 1h
            [later]
            payload = "xyz"
            reject = close"""))
        # Two that have sent nothing yet, and one that has.
        undecided = [usher.connect() for _ in range(3)]
        undecided[2].send(b"x")
        usher.accepted(3)
        # As a package manager does it, and what was there is gone.
        for name in NAMES:
            shutil.copy(program(name), program(name) + ".new")
            os.rename(program(name) + ".new", program(name))
        same(undecided[0].send(b"x\n").line(), "old")
        usher.process.terminate()
        same(usher.process.wait(PATIENCE), 0, "exit status")
        after = Usher(rules("new"), after=usher)
        for client in undecided[1:]:
            client.send(b"\n" if client is undecided[2] else b"x\n")
            same((client.line(), client.line()), ("old", "x"))
        expect(reaches(after, "new"), "not the new ones")
        # By the relay that came with them, which has no name any more.
        for client in undecided:
            after.relay_of(client)
            client.close()
        after.stop()
        usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
