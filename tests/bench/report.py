"""How the figures are shown: text, JSON, a picture."""

import json
import statistics
import subprocess

from rows import FIGURES

# Figures in the overview and the picture: (figure, heading).
OVERVIEW = (
    ("rate.1", "conn/s 1"), ("rate.32", "conn/s 32"),
    ("rate.128", "conn/s 128"), ("rate.32.cpu", "CPU us"),
    ("bulk.down.1", "Gbit/s 1"), ("bulk.down.4", "Gbit/s 4"),
    ("rtt.64.1", "rtt us 1"), ("rtt.64.32", "rtt us 32"),
    ("idle.connection", "KB/idle"), ("idle.pss", "PSS KB"),
    ("flood.p99", "flood ms"),
)

# (what, peer, figure, other, at least / at most, factor): the figure of the
# peer against the factor times the other's.  Without other: a plain number.
BUDGETS = (
    ("usher", "rate.32", "sslh-fork", "min", 2.2),
    ("usher", "rate.32", "haproxy", "min", 0.5),
    ("usher", "rate.32.cpu", "sslh-fork", "max", 1 / 3),
    ("usher", "idle.connection", None, "max", 64),
    ("usher", "idle.connection", "sslh-fork", "max", 0.4),
    ("usher", "bulk.down.1", "haproxy", "min", 1.8),
    ("usher", "bulk.down.4", "haproxy", "min", 1.8),
    ("usher", "bulk.down.1", "proxyd", "min", 1.0),
    ("usher", "bulk.down.4", "proxyd", "min", 1.0),
    ("usher", "bulk.down.1", "direct", "min", 0.6),
    ("usher", "bulk.down.4", "direct", "min", 0.5),
    ("usher", "rtt.64.1", "haproxy", "max", 0.95),
    ("usher", "idle.pss", None, "max", 100),
    ("usher-exec", "bulk.down.1", "direct", "min", 0.95),
    ("usher-exec", "rtt.64.1", "direct", "max", 1.05),
    ("usher-shared", "rate.32", "haproxy", "min", 1.0),
    ("usher-shared", "rate.32.cpu", "haproxy", "max", 0.8),
    ("usher-shared", "idle.connection", "haproxy", "max", 0.7),
    ("usher-shared", "bulk.down.1", "haproxy", "min", 1.8),
    ("usher-shared", "bulk.down.4", "haproxy", "min", 1.8),
    ("usher-shared", "rtt.64.1", "haproxy", "max", 0.95),
    ("usher-shared", "idle.pss", None, "max", 300),
)

GNUPLOT = """
set terminal svg size 1200,{height} dynamic font "sans,12" background "white"
set output "{file}"
set multiplot layout {lines},2
set style data boxes
set style fill solid 0.6 border -1
set boxwidth 0.7
set xtics rotate by -35 nomirror
set grid ytics
unset key
set yrange [0:*]
"""


class Cell:
    """One figure of one peer, over all rounds."""

    def __init__(self, samples, failed):
        self.samples = samples
        self.failed = failed  # connections, in all rounds
        self.median = statistics.median(samples)
        self.min = min(samples)
        self.max = max(samples)


class Results:
    """Every cell: figure -> peer -> Cell."""

    def __init__(self):
        self.samples = {}
        self.failed = {}

    def add(self, peer, failed, values):
        for figure, value in values.items():
            if value is None:
                continue
            key = (figure, peer)
            self.samples.setdefault(key, []).append(value)
            self.failed[key] = self.failed.get(key, 0) + failed

    def cell(self, figure, peer):
        key = (figure, peer)
        if key not in self.samples:
            return None
        return Cell(self.samples[key], self.failed[key])

    def all_well(self):
        """Whether something was measured and no connection failed."""
        return bool(self.samples) and not any(self.failed.values())

    def peers(self, figure):
        return [peer for name, peer in self.samples if name == figure]

    def figures(self):
        return [name for name in FIGURES if self.peers(name)]

    def ratio(self, figure, peer, other):
        """How many times the other's median, or None."""
        mine, its = self.cell(figure, peer), self.cell(figure, other)
        if not mine or not its or its.median == 0:
            return None
        return mine.median / its.median


def number(value, digits):
    return f"{value:,.{digits}f}"


def shown(ratio):
    return f"{ratio:8.2f}" if ratio is not None else "       -"


def print_figure(results, name, out):
    figure = FIGURES[name]
    better = "higher" if figure.higher else "lower"
    print(f"\n{figure.what}, {figure.unit} ({better} is better)", file=out)
    print(f"  {'':16}{'median':>10}  {'min - max':23}"
          "x haproxy  x direct", file=out)
    for peer in results.peers(name):
        cell = results.cell(name, peer)
        spread = f"{number(cell.min, figure.digits)} - " \
                 f"{number(cell.max, figure.digits)}"
        mark = f"  ! {cell.failed} failed" if cell.failed else ""
        print(f"  {peer:16}{number(cell.median, figure.digits):>10}  "
              f"{spread:23} {shown(results.ratio(name, peer, 'haproxy'))}"
              f"  {shown(results.ratio(name, peer, 'direct'))}{mark}",
              file=out)


def print_overview(results, peers, out):
    columns = [(name, head) for name, head in OVERVIEW if results.peers(name)]
    if len(columns) < 2:
        return
    print("\nmedians (! some connections failed)\n" + " " * 16 +
          "".join(f"{head:>12}" for _, head in columns), file=out)
    for peer in peers:
        cells = [(name, results.cell(name, peer)) for name, _ in columns]
        if not any(cell for _, cell in cells):
            continue
        texts = [number(cell.median, FIGURES[name].digits) +
                 ("!" if cell.failed else "") if cell else "-"
                 for name, cell in cells]
        print(f"{peer:16}" + "".join(f"{text:>12}" for text in texts),
              file=out)


def budgets(results):
    """Yields (sentence, kept) for every budget that can be judged."""
    for peer, name, other, kind, factor in BUDGETS:
        cell = results.cell(name, peer)
        got = results.ratio(name, peer, other) if other else \
            cell and cell.median
        if got is None:
            continue
        kept = got >= factor if kind == "min" else got <= factor
        against = f" x {other}" if other else f" {FIGURES[name].unit}"
        sign = ">=" if kind == "min" else "<="
        yield (f"{peer} {name}: {got:.2f}{against}, to be {sign} "
               f"{factor:.2f}", kept and not cell.failed)


def print_text(results, info, peers, out):
    for key in ("when", "machine", "kernel", "load", "rounds", "log"):
        print(f"{key:8} {info[key]}", file=out)
    for name in results.figures():
        print_figure(results, name, out)
    print_overview(results, peers, out)
    judged = list(budgets(results))
    if judged:
        print("\nbudgets", file=out)
    for sentence, kept in judged:
        print(f"  {'kept  ' if kept else 'MISSED'}  {sentence}", file=out)
    for note in info["notes"]:
        print(f"note: {note}", file=out)


def print_json(results, info, out):
    figures = {}
    for name in results.figures():
        figure = FIGURES[name]
        rows = {}
        for peer in results.peers(name):
            cell = results.cell(name, peer)
            rows[peer] = {
                "median": cell.median, "min": cell.min, "max": cell.max,
                "samples": cell.samples, "failed": cell.failed,
                "x_haproxy": results.ratio(name, peer, "haproxy"),
                "x_direct": results.ratio(name, peer, "direct")}
        figures[name] = {
            "what": figure.what, "unit": figure.unit,
            "better": "higher" if figure.higher else "lower", "peers": rows}
    kept = [{"what": what, "kept": good} for what, good in budgets(results)]
    json.dump({**info, "figures": figures, "budgets": kept}, out, indent=1)
    out.write("\n")


def plot(results, path):
    """Draws the overview's figures as bars with their spread."""
    names = [name for name, _ in OVERVIEW if results.peers(name)]
    lines = (len(names) + 1) // 2
    text = GNUPLOT.format(file=path, lines=lines, height=320 * lines)
    for name in names:
        figure = FIGURES[name]
        last = len(results.peers(name)) - 1
        text += f'set title "{figure.what}, {figure.unit}"\n' \
                f"set xrange [-0.6:{last}.6]\n" \
                "plot '-' using 0:2:xtic(1), '' using 0:2:3:4 " \
                "with yerrorbars lc black pt 0\n"
        rows = ""
        for peer in results.peers(name):
            cell = results.cell(name, peer)
            rows += f"{peer} {cell.median} {cell.min} {cell.max}\n"
        text += (rows + "e\n") * 2
    subprocess.run(["gnuplot"], input=text.encode(), check=True)
