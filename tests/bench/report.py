"""The figures as text and as JSON."""

import json

import budgets
from figures import FIGURES

# Figures in the overview: (figure, heading).
OVERVIEW = (
    ("rate.1", "conn/s 1"), ("rate.32", "conn/s 32"),
    ("rate.128", "conn/s 128"), ("rate.32.cpu", "CPU us"),
    ("bulk.down.1", "Gbit/s 1"), ("bulk.down.4", "Gbit/s 4"),
    ("rtt.64.1", "rtt us 1"), ("rtt.64.32", "rtt us 32"),
    ("idle.connection", "KB/idle"), ("idle.pss", "PSS KB"),
    ("held.5000", "5000 held"), ("flood.p99", "flood ms"),
    ("cold", "cold ms"),
)


def figures(results):
    return [name for name in FIGURES if results.peers(name)]


def in_order(names, order):
    """Peers as they are listed everywhere; unknown ones last."""
    return sorted(names, key=lambda name: order.index(name)
                  if name in order else len(order))


def ratio(results, name, peer, other):
    cell = results.ratio((name, peer), (name, other))
    return f"{cell.median:8.2f}" if cell else "       -"


def mark(cell):
    return f"  ! {cell.failed} failed" if cell.failed else ""


def print_figure(results, name, order, out):
    figure = FIGURES[name]
    better = "higher" if figure.higher else "lower"
    print(f"\n{figure.what}, {figure.unit} ({better} is better)", file=out)
    print(f"  {'':16}{'median':>10}  {'min - max':23}"
          "x haproxy  x direct", file=out)
    for peer in in_order(results.peers(name), order):
        cell = results.cell(name, peer)
        if cell.median is None:
            print(f"  {peer:16}{'-':>10}{mark(cell)}", file=out)
            continue
        spread = f"{figure.text(cell.min)} - {figure.text(cell.max)}"
        print(f"  {peer:16}{figure.text(cell.median):>10}  {spread:23} "
              f"{ratio(results, name, peer, 'haproxy')}  "
              f"{ratio(results, name, peer, 'direct')}{mark(cell)}",
              file=out)


def overview_text(results, name, peer):
    cell = results.cell(name, peer)
    if cell is None:
        return "-"
    text = "-" if cell.median is None else FIGURES[name].text(cell.median)
    return text + ("!" if cell.failed else "")


def print_overview(results, order, out):
    columns = [(name, head) for name, head in OVERVIEW if results.peers(name)]
    if len(columns) < 2:
        return
    print("\nmedians (! some connections failed)\n" + " " * 16 +
          "".join(f"{head:>11}" for _, head in columns), file=out)
    for peer in order:
        texts = [overview_text(results, name, peer) for name, _ in columns]
        if set(texts) != {"-"}:
            print(f"{peer:16}" + "".join(f"{text:>11}" for text in texts),
                  file=out)


def _number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _spread(cell):
    return f"{_number(cell.median):>8}  " \
           f"{_number(cell.min) + ' - ' + _number(cell.max):18}"


def wanted(budget):
    """What a budget asks for, as text."""
    text = f"{budget.sign} {_number(budget.factor)}"
    if not budget.other:
        return f"{text} {FIGURES[budget.figure].unit}"
    if budget.base:
        return f"{text} x {budget.base}"
    return f"{text} x {budget.other}"


def print_budgets(verdicts, out):
    known = [verdict for verdict in verdicts if verdict.got]
    if not known:
        return
    print(f"\nbudgets\n  {'':8}{'':30}{'figure':>8}  {'min - max':18}"
          "to be", file=out)
    for verdict in known:
        budget = verdict.budget
        what = f"{budget.peer} {budget.figure}"
        print(f"  {verdict.state:8}{what:30}{_spread(verdict.got)}"
              f"{wanted(budget)}{mark(verdict.got)}", file=out)
        for what, cell in verdict.bounds:
            print(f"    {'bound':6}{what:30}{_spread(cell)}"
                  "at best, on this machine" +
                  ("" if verdict.keeps(cell.median) else
                   ", and cannot meet it"), file=out)
    states = [verdict.state for verdict in verdicts]
    print("  " + ", ".join(
        f"{states.count(state)} {state}" for state in
        ("met", "MISSED", "FAILED", "unknown") if state in states), file=out)
    unknown = [f"{verdict.budget.peer} {verdict.budget.figure} "
               f"{wanted(verdict.budget)}"
               for verdict in verdicts if not verdict.got]
    if unknown:
        print("  unknown, because not all of it was measured: " +
              "; ".join(unknown), file=out)


def print_text(results, info, out):
    for key in ("when", "machine", "system", "kernel", "load", "size",
                "rounds", "seconds", "network", "log"):
        print(f"{key:8} {info.get(key, '?')}", file=out)
    for name in figures(results):
        print_figure(results, name, info["order"], out)
    print_overview(results, info["order"], out)
    print_budgets(budgets.judge(results, info["processors"]), out)
    for note in info["notes"]:
        print(f"note: {note}", file=out)


def as_json(cell):
    return cell and {"median": cell.median, "min": cell.min, "max": cell.max}


def _figure_json(results, name, order):
    figure = FIGURES[name]
    rows = {}
    for peer in in_order(results.peers(name), order):
        cell = results.cell(name, peer)
        rows[peer] = {**as_json(cell), "failed": cell.failed}
        for other in ("haproxy", "direct"):
            rows[peer]["x_" + other] = as_json(
                results.ratio((name, peer), (name, other)))
    return {"what": figure.what, "unit": figure.unit,
            "better": "higher" if figure.higher else "lower", "peers": rows}


def _verdict_json(verdict):
    budget = verdict.budget
    return {"peer": budget.peer, "figure": budget.figure,
            "wanted": wanted(budget), "state": verdict.state,
            "got": as_json(verdict.got),
            "bounds": [{"what": what, **as_json(cell)}
                       for what, cell in verdict.bounds]}


def print_json(results, info, out):
    verdicts = budgets.judge(results, info["processors"])
    json.dump({**info,
               "figures": {name: _figure_json(results, name, info["order"])
                           for name in figures(results)},
               "budgets": [_verdict_json(verdict) for verdict in verdicts],
               "samples": results.dump()}, out, indent=1)
    out.write("\n")
