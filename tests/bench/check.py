#!/usr/bin/env python3
"""What the benchmark itself promises: all rows, for each who takes part;
refusals that say why; marks on figures that failed connections spoil;
nothing left behind, however it ends."""

import glob
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

import budgets
import report
from results import Results

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS, USHER = (os.path.abspath(path) for path in sys.argv[1:3])
PATIENCE = 120  # seconds

# Every row, as a figure that it has; what only root is told comes second.
SHOWN = ("rate.1", "rate.8", "rate.8.p50", "rate.8.p99", "tls.1", "tls.8",
         "bulk.down.1", "bulk.down.4", "bulk.up.1", "bulk.up.4", "rtt.64.1",
         "rtt.4096.1", "rtt.64.32", "held.0", "held.20", "flood.p50",
         "flood.p99")
COUNTED = ("rate.8.cpu", "tls.8.cpu", "bulk.down.1.cpu", "bulk.up.4.cpu",
           "idle.connection", "idle.pss")

# A program that answers whoever tries it, and ends in the middle of the next.
FICKLE = """#!{python}
import socket, sys
port = int(sys.argv[1].split(":")[1].split(",")[0])
with socket.create_server(("127.0.0.1", port)) as listener:
    client, _ = listener.accept()
    client.recv(4096)
    client.sendall(b"SSH-2.0-backend\\r\\n")
    client.close()
    client, _ = listener.accept()
    client.recv(4096)
"""


def command(*arguments, usher=USHER, tools=TOOLS, where=HERE):
    return [sys.executable, "-B", f"{where}/bench.py", "--tools", tools,
            "--usher", usher, *arguments]


def bench(*arguments, path=None, prefix=(), **places):
    """Runs it; returns (exit status, standard output, error output)."""
    environment = {**os.environ}
    if path:
        environment["PATH"] = f"{path}:{os.environ['PATH']}"
    done = subprocess.run(
        [*prefix, *command(*arguments, **places)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE,
        check=False, text=True)
    return done.returncode, done.stdout, done.stderr


def expect(good, what, *seen):
    if not good:
        sys.exit("\n".join([f"FAIL: {what}", *map(str, seen)]))


def has_activation():
    return shutil.which("systemd-socket-activate") is not None


def check_rows(tmp):
    """Everyone has every row, and no connection fails."""
    code, out, err = bench(
        "--smoke", "--strict", "--only",
        "direct,usher,usher-shared,floor,floor-shared,floor-caged,"
        "floor-exec,kernel",
        "--json", f"{tmp}/rows.json")
    expect(code == 0, "a short run has failures", out, err)
    with open(f"{tmp}/rows.json", encoding="utf-8") as file:
        figures = json.load(file)["figures"]
    wanted = SHOWN + (COUNTED if "are left out" not in err else ()) + \
        (("cold",) if has_activation() else ())
    for name in wanted:
        for peer in ("usher", "usher-shared"):
            cell = figures.get(name, {"peers": {}})["peers"].get(peer)
            expect(cell and cell["median"] > 0, f"no {name} of {peer}", err)
    for name, peer in (("kernel.fork.cpu", "kernel"),
                       ("kernel.exec.cpu", "kernel"),
                       ("flood.p99", "floor"), ("bulk.up.4", "floor"),
                       ("rate.8", "floor-shared"),
                       ("rate.8", "floor-caged"),
                       ("bulk.up.4", "floor-exec")):
        expect(figures[name]["peers"][peer]["median"] > 0, f"no {name}")
    expect("\nbudgets\n" in out, "no budgets", out)


def check_picture(tmp):
    """Picture and table are made of a run that was kept."""
    readme = f"{tmp}/README"
    with open(readme, "w", encoding="utf-8") as file:
        file.write("before\n<!-- make bench-plot writes from here -->\nold\n"
                   "<!-- to here -->\nafter\n")
    code, out, err = bench("--read", f"{tmp}/rows.json", "--markdown", readme)
    expect(code == 0, "no table", out, err)
    with open(readme, encoding="utf-8") as file:
        lines = file.read().split("\n")
    expect(lines[0] == "before" and lines[-2:] == ["after", ""] and
           "old" not in lines and
           any(line.startswith("| usher |") for line in lines),
           "a wrong table", *lines)
    code, _, err = bench("--read", f"{tmp}/rows.json", "--markdown",
                         f"{HERE}/bench.py")
    expect(code == 1 and "no line that begins with" in err,
           "a file without marks was written", err)
    if not shutil.which("gnuplot"):
        code, _, err = bench("--plot", f"{tmp}/a.svg")
        expect(code == 1 and "gnuplot-nox" in err, "no word of gnuplot", err)
        print("no gnuplot: the picture was not looked at")
        return
    code, out, err = bench("--read", f"{tmp}/rows.json", "--plot",
                           f"{tmp}/a.svg")
    expect(code == 0, "no picture", out, err)
    root = xml.etree.ElementTree.parse(f"{tmp}/a.svg").getroot()
    texts = [text.strip() for text in root.itertext()]
    expect(root.tag.endswith("svg"), "not SVG")
    for text in ("direct", "usher", "usher-shared"):
        expect(text in texts, f"no bar of {text}", texts)
    expect(any(text.startswith("One bulk stream") for text in texts),
           "no title", texts)


def check_refusals(_):
    for arguments, why in (
            (("--only", "nobody"), "no peer nobody; there are direct,"),
            (("--rows", "nothing"), "no row nothing; there are cold,"),
            (("--read", os.devnull), "not what --json wrote")):
        code, _, err = bench("--smoke", *arguments) \
            if arguments[0] != "--read" else bench(*arguments)
        expect(code == 1 and why in err, f"{arguments} was not refused", err)
    code, _, err = bench("--only", "usher", usher="/nonexistent/usher")
    expect(code == 1 and "/nonexistent/usher is not built" in err,
           "a missing program was not refused", err)
    code, _, err = bench("--only", "direct", tools="/nonexistent")
    expect(code == 1 and "/nonexistent/load is not built" in err,
           "a missing tool was not refused", err)
    # Not asked for by name, it is left out, and the others are measured.
    code, out, err = bench("--smoke", "--rows", "kernel",
                           usher="/nonexistent/usher")
    expect(code == 0 and "note: usher is left out" in out and
           "fork + exit" in out, "not left out", out, err)


def check_rights(tmp):
    """Without the right to make control groups rows are left out."""
    prefix = ()
    if os.getuid() == 0:
        prefix = ("setpriv", "--reuid=65534", "--regid=65534",
                  "--clear-groups")
    code, out, err = bench("--smoke", "--only", "direct", "--rows",
                           "idle,rate", prefix=prefix, tools=tmp, where=tmp)
    expect(code == 0 and "note: the rows of processor time and memory are "
           "left out: " in out and "connections, SSH banner" in out,
           "no word of the missing right", out, err)


def check_failures(tmp):
    """What failed is marked, and the next row begins with a new start."""
    fickle = f"{tmp}/socat"
    with open(fickle, "w", encoding="ascii") as file:
        file.write(FICKLE.format(python=sys.executable))
    os.chmod(fickle, 0o755)
    arguments = ("--smoke", "--only", "socat", "--rows", "rate,tls",
                 "--json", f"{tmp}/fickle.json", "-v")
    code, out, err = bench(*arguments, path=tmp)
    expect(code == 0 and "note: socat died in rate" in out and
           "round 1 tls socat" in err, "not started again", out, err)
    expect(" failed\n" in out, "no mark in the text", out)
    with open(f"{tmp}/fickle.json", encoding="utf-8") as file:
        figures = json.load(file)["figures"]
    for name in ("rate.1", "rate.8"):
        cell = figures[name]["peers"]["socat"]
        expect(cell["failed"] > 0 and cell["median"] is None,
               "a figure without a connection", cell)
    code, out, err = bench(*arguments, "--strict", path=tmp)
    expect(code == 1, "--strict did not mind", out, err)


def judged(results, peer, figure, other):
    return next(verdict for verdict in budgets.judge(results, 2)
                if verdict.budget[:2] == (peer, figure) and
                verdict.budget.other == other)


def check_marks(_):
    """What failed is no success, and a budget knows what bounds it."""
    results = Results()
    for turn, rate in enumerate((4000, 5000, 9000)):
        results.add(turn, "haproxy", 0, {"rate.32": 10000, "held.0": 1,
                                         "rate.32.cpu": 100})
        results.add(turn, "kernel", 0, {"kernel.fork.cpu": 200})
        results.add(turn, "usher", 0, {"rate.32": rate})
        results.add(turn, "usher-shared", turn, {"rate.32": 20000})
    kept = judged(results, "usher", "rate.32", "haproxy")
    expect(kept.state == "met" and (kept.got.median, kept.got.min,
                                    kept.got.max) == (0.5, 0.4, 0.9),
           "a wrong ratio", kept.state, vars(kept.got))
    expect([cell.median for _, cell in kept.bounds] == [0.5],
           "a wrong bound", kept.bounds)
    spoilt = judged(results, "usher-shared", "rate.32", "haproxy")
    expect(spoilt.state == "FAILED", "3 failed, but " + spoilt.state)
    results.add(2, "usher", 0, {"rate.32": 1000})
    results.add(1, "usher", 0, {"rate.32": 1000})
    missed = judged(results, "usher", "rate.32", "haproxy")
    expect(missed.state == "MISSED", "not missed", vars(missed.got))
    out = io.StringIO()
    report.print_figure(results, "rate.32", ["haproxy"], out)
    expect("! 3 failed\n" in out.getvalue(), "no mark", out.getvalue())
    out = io.StringIO()
    report.print_budgets(budgets.judge(results, 2), out)
    for text in ("  MISSED  usher rate.32", "    bound haproxy's, less",
                 "  FAILED  usher-shared rate.32",
                 "usher rate.32 >= 2.2 x sslh-fork"):
        expect(text in out.getvalue(), f"no {text}", out.getvalue())


def processes():
    """{pid: (parent, start)} of all that live."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii",
                      errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(pid)] = (int(fields[1]), fields[19])
    return found


def offspring(pid):
    """(pid, start) of all that descend from it."""
    table = processes()
    found, new = set(), {pid}
    while new:
        found |= {(child, table[child][1]) for child in new
                  if child in table}
        new = {child for child, (parent, _) in table.items()
               if parent in new}
    return found


def left_by(pid, born):
    alive = {(child, start) for child, (_, start) in processes().items()}
    return [*(born & alive),
            *glob.glob(f"/sys/fs/cgroup/*/usher-bench.{pid}.*"),
            *glob.glob(f"/sys/fs/cgroup/usher-bench.{pid}.*"),
            *glob.glob(f"/run/usher-bench.{pid}.*"),
            *glob.glob(f"/dev/shm/usher-bench.{pid}.*"),
            *glob.glob(f"{tempfile.gettempdir()}/usher-bench.{pid}.*")]


def interrupt(number):
    process = subprocess.Popen(
        command("--smoke", "--only", "direct,usher", "--rounds", "100",
                "--rows", "rate", "-v"),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "round 2 rate usher" in line:
            break
    born = offspring(process.pid)
    expect(len(born) > 4, "nothing runs", born)
    process.send_signal(number)
    process.stderr.close()
    code = process.wait(timeout=PATIENCE)
    expect(code == (128 + number if number != signal.SIGKILL else -number),
           f"signal {number} ended it with {code}")
    end = time.monotonic() + PATIENCE
    while (left := left_by(process.pid, born)) and time.monotonic() < end:
        time.sleep(0.05)
    expect(not left, f"left behind after signal {number}", left)


def check_interruptions(_):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                   signal.SIGKILL):
        interrupt(number)


def main():
    # Nobody may have to enter where this was built.
    with tempfile.TemporaryDirectory(prefix="usher-check.") as tmp:
        os.chmod(tmp, 0o755)
        for file in (*glob.glob(f"{HERE}/*.py"), f"{TOOLS}/load",
                     f"{TOOLS}/backend"):
            shutil.copy(file, tmp)
        for check in (check_rows, check_picture, check_refusals,
                      check_rights, check_marks, check_failures,
                      check_interruptions):
            began = time.monotonic()
            check(tmp)
            print(f"{check.__name__} {time.monotonic() - began:.1f} s")


main()
