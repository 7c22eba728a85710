"""A table for the README, written between two marks."""

import sys

from budgets import FLOOR_PEERS
from figures import FIGURES

BEGIN = "<!-- make bench-plot writes from here"
END = "<!-- to here -->"

COLUMNS = (
    ("rate.32", "connections/s"), ("rate.32.cpu", "CPU µs each"),
    ("rtt.64.1", "round trip µs"), ("bulk.down.1", "Gbit/s"),
    ("idle.connection", "KB per idle one"), ("idle.pss", "idle service KB"),
    ("held.5000", "connections/s beside 5,000"),
    ("flood.p99", "ms in a flood"), ("cold", "cold start ms"),
)


class NoMarks(Exception):
    """The file has no place for the table."""


def _text(results, figure, peer):
    cell = results.cell(figure, peer)
    if cell is None or cell.median is None:
        return "–"
    return FIGURES[figure].text(cell.median) + ("!" if cell.failed else "")


def table(results, info):
    columns = [(name, head) for name, head in COLUMNS
               if results.peers(name)]
    yield "| | " + " | ".join(head for _, head in columns) + " |"
    yield "|---|" + "--:|" * len(columns)
    for peer in info["order"]:
        texts = [_text(results, name, peer) for name, _ in columns]
        if peer not in FLOOR_PEERS and set(texts) != {"–"}:
            yield f"| {peer} | " + " | ".join(texts) + " |"
    yield ""
    yield f"{info['machine']}, {info['system']}, Linux " \
          f"{info['kernel'].split('-')[0]}, {info['when'].split()[0]}; " \
          f"median of {info['rounds']}."
    if any(note.startswith("the machine is busy") for note in info["notes"]):
        yield "The machine was busy with other things."
    if any(results.failed.values()):
        yield "`!`: connections failed."


def put(results, info, path):
    """Replaces what is between the marks in that file."""
    lines = list(table(results, info))
    if path == "-":
        print("\n".join(lines), file=sys.stdout)
        return
    with open(path, encoding="utf-8") as file:
        old = file.read().split("\n")
    begins = [i for i, line in enumerate(old) if line.startswith(BEGIN)]
    ends = [i for i, line in enumerate(old) if line == END]
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise NoMarks(f"{path}: no line that begins with {BEGIN} and one "
                      f"that is {END}")
    new = old[:begins[0] + 1] + lines + old[ends[0]:]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(new))
