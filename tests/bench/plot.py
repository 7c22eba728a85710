"""The picture in the README: bars with their spread, drawn by gnuplot.

It has no background, and colours that can be seen on a white and on a black
page.
"""

import subprocess

from budgets import FLOOR_PEERS
from figures import FIGURES

PANELS = {
    "rate.32": "Connections a second, 32 at a time",
    "rate.32.cpu": "Processor time for one, µs",
    "idle.connection": "Memory for an idle one, KB",
    "bulk.down.1": "One bulk stream, Gbit/s",
    "rtt.64.1": "Round trip of 64 bytes, µs",
    "held.5000": "Connections a second, while 5,000 idle",
}
HIDDEN = {"haproxy-splice", "usher-at-once", "usher-inetd", *FLOOR_PEERS}
COLUMNS = 2
WIDTH = 900
BAR = 17  # high, in pixels, with the gap to the next
HEADING = 48

TEXT = "#7d8590"
OURS = 0x2f81f7
OTHERS = 0x9aa0a6
NOTHING = 0xc8b273  # no program in between

HEAD = """
set encoding utf8
set terminal svg size {width},{height} font "sans-serif,12" noenhanced
set output "{path}"
set multiplot layout {lines},{columns}
set style fill solid 1 noborder
set border 0
set tics scale 0 textcolor rgb "{text}"
unset xtics
set lmargin 15
set rmargin 7
set tmargin 2.2
set bmargin 0.6
unset key
"""

PANEL = """
set title "{title}" textcolor rgb "{text}"
set yrange [-0.6:{last}.6]
set xrange [0:{most}]
set ytics ({names})
plot $bars{n} using 2:1:(0):2:($1-0.36):($1+0.36):5 \\
with boxxyerror lc rgb variable, \\
$bars{n} using 2:1:3:4 with xerrorbars lc rgb "{text}" lw 1.2 pt 0, \\
$bars{n} using 4:1:6 with labels left offset 0.6,0 textcolor rgb "{text}"
"""


def _colour(peer):
    if peer == "direct":
        return NOTHING
    return OURS if peer.startswith("usher") else OTHERS


def _title(name):
    better = "more" if FIGURES[name].higher else "less"
    return f"{PANELS[name]} ({better} is better)"


def _panel(results, name, peers, n):
    figure = FIGURES[name]
    cells = [(peer, results.cell(name, peer)) for peer in reversed(peers)]
    cells = [(peer, cell) for peer, cell in cells
             if cell and cell.median is not None]
    rows = "\n".join(
        f"{at} {cell.median} {cell.min} {cell.max} {_colour(peer)} "
        f"\"{figure.text(cell.median)}{'!' if cell.failed else ''}\""
        for at, (peer, cell) in enumerate(cells))
    names = ", ".join(f'"{peer}" {at}'
                      for at, (peer, _) in enumerate(cells))
    return f"$bars{n} << END\n{rows}\nEND\n" + PANEL.format(
        title=_title(name), text=TEXT, last=len(cells) - 1, names=names,
        most=1.12 * max(cell.max for _, cell in cells), n=n)


def draw(results, order, path):
    peers = [peer for peer in order if peer not in HIDDEN]
    names = [name for name in PANELS if any(
        (cell := results.cell(name, peer)) and cell.rounds
        for peer in peers)]
    lines = (len(names) + COLUMNS - 1) // COLUMNS
    most = max((len(set(results.peers(name)) & set(peers))
                for name in names), default=0)
    text = HEAD.format(width=WIDTH, height=lines * (HEADING + BAR * most),
                       path=path, lines=lines, columns=COLUMNS, text=TEXT)
    for n, name in enumerate(names):
        text += _panel(results, name, peers, n)
    if names:
        subprocess.run(["gnuplot"], input=text.encode(), check=True)
