#!/usr/bin/env python3
"""Measures usher side by side with its peers, on this machine alone.

Every round starts all programs anew and takes them through each row one
after the other, beginning with another one each time; a figure is the median
of all rounds, with the least and the greatest.  Everything stays on the
loopback interface, is bounded in number and time, and is gone afterwards.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cgroup
import markdown
import network
import peer as peer_module
import plot
import report
from guard import Guard
from peers import PEERS
from results import Results
from rows import ROWS
from run import Run
from sizes import SIZES

HERE = os.path.dirname(os.path.abspath(__file__))
NO_LOG = "off"
MOST_BUSY = .15  # of all processors, by others


class Refused(Exception):
    """It cannot be measured here; the text says why."""


class Bench:
    """What measurements and peers need to know."""

    limit = 20  # seconds any one run may take

    def __init__(self, arguments, directory):
        size = SIZES[arguments.size or "full"]
        for field in size._fields:
            setattr(self, field, getattr(size, field))
        self.size = arguments.size or "full"
        self.rounds_of_all = arguments.rounds or size.rounds_of_all
        self.verbose = arguments.verbose
        self.dir = directory
        self.tools = os.path.abspath(arguments.tools)
        self.usher = os.path.abspath(arguments.usher)
        self.logs = arguments.logs and os.path.abspath(arguments.logs)
        self.log = not arguments.no_log
        self.notes = []
        self.began = time.monotonic()
        self.backend_port = 0
        self.own_network = False

    def enter_network(self, own):
        why = network.enter() if own else None
        self.own_network = own and not why
        if why:
            self.note(f"no network of its own, but the machine's: {why}")

    def tool(self, name):
        return os.path.join(self.tools, name)

    def say(self, text):
        if self.verbose:
            took = time.monotonic() - self.began
            print(f"bench: {took:6.1f} s {text}", file=sys.stderr)

    def note(self, text):
        """Said at once, and again below the figures."""
        if text not in self.notes:
            self.notes.append(text)
            print("bench: " + text, file=sys.stderr)


def choose(names, table, what):
    chosen = names.split(",")
    for name in chosen:
        if name not in table:
            raise Refused(f"no {what} {name}; there are " + ", ".join(table))
    return [name for name in table if name in chosen]


def make_peers(bench, only):
    """Those that can be run here; asked for by name they must be."""
    names = choose(only, PEERS, "peer") if only else bench.only or PEERS
    made = []
    for name in names:
        peer = PEERS[name](name, bench)
        why = peer.missing()
        if why and only:
            raise Refused(f"{name}: {why}")
        if why:
            bench.note(f"{name} is left out: {why}")
        else:
            made.append(peer)
    return made


def describe(bench):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file
                  if line.startswith("model name")]
    return {"when": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
            "machine": f"{os.cpu_count()} x {(models or ['?'])[0]}",
            "processors": os.cpu_count() or 1,
            "system": platform.freedesktop_os_release()["PRETTY_NAME"],
            "kernel": platform.release(),
            "load": "%.2f %.2f %.2f before the run" % os.getloadavg(),
            "size": bench.size,
            "rounds": bench.rounds_of_all,
            "network": network.describe(bench.own_network),
            "log": "a line a connection, thrown away" if bench.log
                   else NO_LOG, "notes": bench.notes}


def measure_others():
    """How much of the processors' time goes to others, from 0 to 1."""
    def read():
        with open("/proc/stat", encoding="ascii") as file:
            times = [int(field) for field in file.readline().split()[1:]]
        return sum(times), times[3] + times[4]  # idle, and waiting for disks
    before = read()
    time.sleep(.5)
    total, idle = (b - a for a, b in zip(before, read()))
    return 1 - idle / max(total, 1)


def warn(bench):
    busy = measure_others()
    if busy > MOST_BUSY:
        bench.note("the machine is busy (%d %% of its processor time): do not "
                   "trust these figures" % round(100 * busy))
    group = cgroup.Group("try")
    has_memory = group.has_memory
    group.remove()
    if not group.usable:
        bench.note("the rows of processor time and memory are left out: "
                   + group.why)
    elif not has_memory:
        bench.note("the row of memory per connection is left out: control "
                   "groups here do not count memory")
    files = peer_module.raise_files()
    need = 2 * max((*bench.held, bench.idle, bench.silent)) + 1000
    if files < need:
        bench.note(f"no more than {files} files may be open, {need} would "
                   "be needed: rows with many connections may fail")


def measure(bench, arguments):
    """Runs it all; returns (results, info, whether it is complete)."""
    rows = choose(arguments.rows, ROWS, "row") if arguments.rows \
        else bench.rows
    warn(bench)
    bench.enter_network(not arguments.machine_network)
    info = describe(bench)
    results = Results()
    backend = subprocess.Popen(
        [bench.tool("backend")], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, start_new_session=True)
    try:
        bench.backend_port = int(backend.stdout.readline() or 0)
        if bench.backend_port == 0:
            raise Refused("the backend does not start")
        peers = make_peers(bench, arguments.only)
        run = Run(bench, peers, rows, results)
        run.all()
    finally:
        backend.kill()
        backend.wait()
    info["seconds"] = round(time.monotonic() - bench.began)
    info["order"] = [peer.name for peer in peers]
    return results, info, run.complete


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    size = parser.add_mutually_exclusive_group()
    for name, what in (("quick", "under two minutes, less exact, and no row held"),
                       ("budgets", "all rows, but only of the peers that "
                        "budgets speak of, in three rounds: 12 minutes"),
                       ("smoke", "only whether everything works")):
        size.add_argument("--" + name, dest="size", action="store_const",
                          const=name, help=what)
    size.add_argument("--read", metavar="FILE.json",
                      help="measure nothing: show what --json wrote")
    parser.add_argument("--only", metavar="PEER,...",
                        help="of " + ", ".join(PEERS))
    parser.add_argument("--rows", metavar="ROW,...",
                        help="of " + ", ".join(ROWS))
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--json", metavar="FILE", help="- for stdout")
    parser.add_argument("--plot", metavar="FILE.svg",
                        help="draw the picture of the README")
    parser.add_argument("--markdown", metavar="FILE",
                        help="put a table into this file, between its "
                        "marks; - for stdout")
    parser.add_argument("--no-log", action="store_true",
                        help="nobody writes a line for each connection")
    parser.add_argument("--machine-network", action="store_true",
                        help="on the machine's own loopback interface, with "
                             "its congestion control")
    parser.add_argument("--logs", metavar="DIR",
                        help="keep what the programs say")
    parser.add_argument("--strict", action="store_true",
                        help="exit 1 if any connection failed")
    parser.add_argument("--tools", default=HERE, metavar="DIR",
                        help="where load, backend and spawn were built")
    parser.add_argument("--usher", default="src/usher", metavar="PROGRAM")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args(argv)
    if arguments.rounds is not None and not 1 <= arguments.rounds <= 100:
        parser.error("--rounds is from 1 to 100")
    return arguments


def check_tools(arguments):
    for name in ("load", "backend"):
        tool = os.path.join(arguments.tools, name)
        if not arguments.read and not os.access(tool, os.X_OK):
            raise Refused(f"{tool} is not built (run make bench)")
    if arguments.plot and not shutil.which("gnuplot"):
        raise Refused("--plot needs gnuplot (package gnuplot-nox)")


def show(arguments, results, info):
    if arguments.json == "-":
        report.print_json(results, info, sys.stdout)
    else:
        report.print_text(results, info, sys.stdout)
    if arguments.json not in (None, "-"):
        with open(arguments.json, "w", encoding="utf-8") as out:
            report.print_json(results, info, out)
    if arguments.plot:
        plot.draw(results, info["order"], os.path.abspath(arguments.plot))
    if arguments.markdown:
        markdown.put(results, info, arguments.markdown)


def memory_dir():
    """What programs keep at run time is in /run, in memory."""
    for path in ("/run", "/dev/shm"):
        kind = subprocess.run(["stat", "-f", "-c", "%T", path], check=False,
                              stdout=subprocess.PIPE).stdout
        if kind == b"tmpfs\n" and os.access(path, os.W_OK):
            return path
    return None


def end_on_signals():
    """The first one ends the run, others would only disturb its end."""
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number, _):
        for each in ends:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in ends:
        signal.signal(number, end)


def run(arguments):
    """In a directory of its own; returns what measure() does."""
    directory = tempfile.mkdtemp(dir=memory_dir(),
                                 prefix=f"{cgroup.PREFIX}.{os.getpid()}.")
    guard = Guard(directory)
    try:
        os.chmod(directory, 0o755)  # some give up root and read their files
        return measure(Bench(arguments, directory), arguments)
    finally:
        guard.end()


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            info = json.load(file)
        return Results.load(info.pop("samples")), info, True
    except (OSError, ValueError, KeyError) as error:
        raise Refused(f"{path}: not what --json wrote: {error}") from error


def main(argv):
    arguments = parse(argv)
    end_on_signals()
    try:
        check_tools(arguments)
        results, info, complete = read(arguments.read) if arguments.read \
            else run(arguments)
        show(arguments, results, info)
    except (Refused, markdown.NoMarks) as why:
        print(f"bench: {why}", file=sys.stderr)
        return 1
    if arguments.strict and not (complete and results.all_well()):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
