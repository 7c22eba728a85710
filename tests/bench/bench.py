#!/usr/bin/env python3
"""Measures usher side by side with its peers, on this machine alone.

Every round starts all programs anew and takes them through each row one
after the other, beginning with another one each time; a figure is the median
of all rounds, with the least and the greatest.  Everything stays on the
loopback interface, is bounded in number and time, and is gone afterwards.
"""

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import peers as peers_module
import report
from rows import CONCURRENCY, MB, ROWS, load

HERE = os.path.dirname(os.path.abspath(__file__))


class Size:
    """How much is done: times in seconds, the others are counts."""

    def __init__(self, **values):
        self.rounds_of_all = values["rounds_of_all"]
        self.seconds = values["seconds"]  # of one rate
        self.concurrency = values["concurrency"]
        self.bulk = values["bulk"]  # bytes
        self.rounds = values["rounds"]  # round trips
        self.idle = values["idle"]
        self.held = values["held"]
        self.silent = values["silent"]
        self.spawns = values["spawns"]
        self.rows = values["rows"]
        self.once = values.get("once", ())  # only in the first round


SIZES = {
    "full": Size(rounds_of_all=5, seconds=1, concurrency=CONCURRENCY,
                 bulk=1000 * MB, rounds=10000, idle=1000, held=(1000, 5000),
                 silent=2000, spawns=3000, rows=list(ROWS)),
    "quick": Size(rounds_of_all=2, seconds=0.2, concurrency=(1, 32),
                  bulk=50 * MB, rounds=500, idle=200, held=(),
                  silent=500, spawns=500, once=("idle", "flood"),
                  rows=[row for row in ROWS if row != "held"]),
    "smoke": Size(rounds_of_all=1, seconds=0.02, concurrency=(1, 8),
                  bulk=4 * MB, rounds=50, idle=20, held=(), silent=50,
                  spawns=20, rows=[row for row in ROWS if row != "held"]),
}


class Bench:
    """What measurements and peers need to know."""

    limit = 60  # seconds any one run may take

    def __init__(self, arguments, size, directory):
        self.__dict__.update(vars(size))
        self.dir = directory
        self.tools = os.path.abspath(arguments.tools)
        self.usher = os.path.abspath(arguments.usher)
        self.logs = arguments.logs and os.path.abspath(arguments.logs)
        self.log = not arguments.no_log
        self.notes = []
        self.complete = True  # everyone took part in every round
        self.backend_port = 0

    def tool(self, name):
        return os.path.join(self.tools, name)

    def note(self, text):
        """Said at once, and again below the figures."""
        if text not in self.notes:
            self.notes.append(text)
            print("bench: " + text, file=sys.stderr)


class Refused(Exception):
    """It cannot be measured here; the text says why."""


def choose(names, table, what):
    chosen = names.split(",")
    for name in chosen:
        if name not in table:
            raise Refused(f"no {what} {name}; there are " + ", ".join(table))
    return [name for name in table if name in chosen]


def make_peers(bench, only):
    """Those that can be run here; asked for by name they must be."""
    names = choose(only, peers_module.PEERS, "peer") if only \
        else list(peers_module.PEERS)
    made = []
    for name in names:
        peer = peers_module.PEERS[name](name, bench)
        why = peer.missing()
        if why and only:
            raise Refused(f"{name}: {why}")
        if why:
            bench.note(f"{name} is left out: {why}")
        else:
            made.append(peer)
    return made


def try_out(bench, peer):
    """One connection through a peer just started must work."""
    try:
        peer.start()
        if load(bench, peer, "rate", "-r", "0.000001")["failed"] == 0:
            return True
        bench.note(f"{peer.name} is left out of a round: its first "
                   "connection failed")
    except RuntimeError as error:
        bench.note(f"{peer.name} is left out of a round: {error}")
    peer.stop()
    bench.complete = False
    return False


def takes_part(peer, row):
    return peer.shows is None or row in peer.shows


def run_round(bench, peers, rows, results, turn):
    peers = peers[turn % len(peers):] + peers[:turn % len(peers)]
    running = [peer for peer in peers if try_out(bench, peer)]
    for row in rows:
        for peer in running:
            if not takes_part(peer, row) or (turn and row in bench.once):
                continue
            if bench.verbose:
                print(f"bench: round {turn + 1} {row} {peer.name}",
                      file=sys.stderr)
            for failed, values in ROWS[row](bench, peer):
                results.add(peer.name, failed, values)
    for peer in running:
        peer.stop()


def describe(bench):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file
                  if line.startswith("model name")]
    return {"when": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
            "machine": f"{os.cpu_count()} x {(models or ['?'])[0]}",
            "kernel": platform.release(),
            "load": "%.2f %.2f %.2f before the run" % os.getloadavg(),
            "rounds": bench.rounds_of_all,
            "log": "a line a connection, thrown away" if bench.log
                   else "off", "notes": bench.notes}


def warn(bench):
    if os.getloadavg()[0] > 0.3 * (os.cpu_count() or 1):
        bench.note("the machine is busy (load %.2f): do not trust these "
                   "figures" % os.getloadavg()[0])
    group = peers_module.cgroup.Group("try")
    group.remove()
    if not group.usable:
        bench.note(f"no processor time and no memory: {group.why}")


def measure(bench, arguments):
    """Runs it all; returns (results, info, names of peers)."""
    rows = choose(arguments.rows, ROWS, "row") if arguments.rows \
        else bench.rows
    results = report.Results()
    peers = []
    warn(bench)
    info = describe(bench)
    backend = subprocess.Popen([bench.tool("backend")],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        bench.backend_port = int(backend.stdout.readline())
        peers = make_peers(bench, arguments.only)
        for turn in range(bench.rounds_of_all):
            run_round(bench, peers, rows, results, turn)
    finally:
        for peer in peers:
            peer.stop()
        backend.kill()
        backend.wait()
    return results, info, [peer.name for peer in peers]


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const",
                      const="quick", help="under two minutes, less exact")
    size.add_argument("--smoke", dest="size", action="store_const",
                      const="smoke", help="only whether everything works")
    parser.add_argument("--only", metavar="PEER,...")
    parser.add_argument("--rows", metavar="ROW,...",
                        help="of " + ", ".join(ROWS))
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--json", metavar="FILE", help="- for stdout")
    parser.add_argument("--plot", metavar="FILE.svg")
    parser.add_argument("--no-log", action="store_true",
                        help="nobody writes a line for each connection")
    parser.add_argument("--logs", metavar="DIR",
                        help="keep what the programs say")
    parser.add_argument("--strict", action="store_true",
                        help="exit 1 if any connection failed")
    parser.add_argument("--tools", default=HERE, metavar="DIR",
                        help="where load, backend and spawn were built")
    parser.add_argument("--usher", default="src/usher", metavar="PROGRAM")
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser.parse_args(argv)


def check_tools(bench, arguments):
    for name in ("load", "backend"):
        if not os.access(bench.tool(name), os.X_OK):
            raise Refused(f"{bench.tool(name)} is not built (run make bench)")
    if arguments.plot and not shutil.which("gnuplot"):
        raise Refused("--plot needs gnuplot (package gnuplot-nox)")


def show(arguments, results, info, names):
    if arguments.json == "-":
        report.print_json(results, info, sys.stdout)
        return
    report.print_text(results, info, names, sys.stdout)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            report.print_json(results, info, out)
    if arguments.plot:
        report.plot(results, os.path.abspath(arguments.plot))


def memory_dir():
    """What programs keep at run time is in /run, in memory."""
    for path in ("/run", "/dev/shm"):
        kind = subprocess.run(["stat", "-f", "-c", "%T", path], check=False,
                              stdout=subprocess.PIPE).stdout
        if kind == b"tmpfs\n" and os.access(path, os.W_OK):
            return path
    return None


def main(argv):
    arguments = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = tempfile.mkdtemp(prefix="usher-bench.", dir=memory_dir())
    os.chmod(directory, 0o755)  # some give up root and read their files
    bench = Bench(arguments, SIZES[arguments.size or "full"], directory)
    bench.verbose = arguments.verbose
    bench.rounds_of_all = arguments.rounds or bench.rounds_of_all
    try:
        check_tools(bench, arguments)
        results, info, names = measure(bench, arguments)
        show(arguments, results, info, names)
    except Refused as why:
        print(f"bench: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if arguments.strict and not (bench.complete and results.all_well()):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
