"""What usher has to reach next to its peers, and what bounds it.

A budget compares a figure with that of another program in the same rounds,
or with a plain number.  A bound is what this machine allows at best,
measured in the same run; it has a row of its own wherever it says more than
the budget does.
"""

import collections

from figures import CONCURRENCY
from results import Cell

# figure of peer, >= or <=, factor x other's (its figure if base is None);
# without other, factor is a plain number.
Budget = collections.namedtuple(
    "Budget", "peer figure sign factor other base", defaults=(None, None))


def _per_connection():
    yield Budget("usher", "rate.32", ">=", 2.2, "sslh-fork")
    yield Budget("usher", "rate.32", ">=", 0.5, "haproxy")
    yield Budget("usher", "rate.32.cpu", "<=", 1 / 3, "sslh-fork")
    yield Budget("usher-shared", "rate.32", ">=", 1.0, "haproxy")
    yield Budget("usher-shared", "rate.32.cpu", "<=", 0.8, "haproxy")


def _memory():
    yield Budget("usher", "idle.connection", "<=", 64)
    yield Budget("usher", "idle.connection", "<=", 0.4, "sslh-fork")
    yield Budget("usher-shared", "idle.connection", "<=", 0.7, "haproxy")
    yield Budget("usher", "idle.pss", "<=", 100)
    yield Budget("usher-shared", "idle.pss", "<=", 300)


def _bulk():
    for peer in ("usher", "usher-shared"):
        for way in ("down", "up"):
            for streams, of_direct in ((1, 0.6), (4, 0.5)):
                figure = f"bulk.{way}.{streams}"
                yield Budget(peer, figure, ">=", 1.8, "haproxy")
                yield Budget(peer, figure, ">=", 1.0, "proxyd")
                yield Budget(peer, figure, ">=", of_direct, "direct")


def _crowds():
    for peer, factor in (("usher", 1.5), ("usher-shared", 1.0)):
        yield Budget(peer, "rtt.64.1", "<=", 0.95, "haproxy")
        yield Budget(peer, "held.5000", ">=", 0.9, peer, "held.0")
        yield Budget(peer, "flood.p99", "<=", factor, "haproxy")


def _exec():
    """No relay: as direct, give or take what cannot be told apart."""
    for way in ("down", "up"):
        for streams in (1, 4):
            yield Budget("usher-exec", f"bulk.{way}.{streams}", ">=", 0.95,
                         "direct")
    yield Budget("usher-exec", "rtt.64.1", "<=", 1.05, "direct")


BUDGETS = (*_per_connection(), *_memory(), *_bulk(), *_crowds(), *_exec())

# What no process per connection can avoid on this machine: the work that
# haproxy does for a connection, which needs no process, and the kernel's
# making and ending of one, measured with a program that does nothing else.
SPAWN = {"usher": ("kernel.fork.cpu", "fork + exit"),
         "usher-at-once": ("kernel.exec.cpu", "fork + exec + exit")}


def _spawn_bounds(results, processors):
    """Yields (peer, figure, what, cell)."""
    for peer, (price, name) in SPAWN.items():
        spawn = results.cell(price, "kernel")
        for row in ("rate", "tls"):
            for conns in CONCURRENCY:
                figure = f"{row}.{conns}"
                cpu = results.cell(figure + ".cpu", "haproxy")
                rate = results.cell(figure, "haproxy")
                if not spawn or not cpu or not rate:
                    continue
                yield (peer, figure + ".cpu", f"haproxy's + {name}", Cell({
                    turn: us + spawn.rounds[turn]
                    for turn, us in cpu.rounds.items()
                    if turn in spawn.rounds}))
                # All processors are busy: it is their time that runs out.
                yield (peer, figure, f"haproxy's, less {name}", Cell({
                    turn: 1e6 / (1e6 / rate + spawn.rounds[turn] / processors)
                    for turn, rate in rate.rounds.items()
                    if rate and turn in spawn.rounds}))


# Programs that do the least that can be done, with a process for each
# connection, a process for many, and no relay; and whose figures they bound.
FLOORS = (("floor", "usher", ("bulk.", "rtt.", "rate.", "flood."),
           "a relay and nothing else"),
          ("floor", "usher-shared", ("bulk.", "rtt."),
           "a relay and nothing else"),
          ("floor-shared", "usher-shared", ("rate.", "tls."),
           "a relay and nothing else"),
          ("floor-caged", "usher-shared", ("rate.", "tls."),
           "that, a sandbox and a line"),
          ("floor-exec", "usher-exec", ("bulk.", "rtt."),
           "the program and nothing else"))
FLOOR_PEERS = {floor for floor, *_ in FLOORS}


def _floor_bounds(results):
    for figure, peer in list(results.values):
        for floor, bounded, prefixes, what in FLOORS:
            if peer == floor and figure.startswith(prefixes):
                yield bounded, figure, what, results.cell(figure, peer)


def bounds(results, processors):
    """{(peer, figure): [(what, cell)]} of all that could be measured."""
    found = {}
    for peer, figure, what, cell in (*_spawn_bounds(results, processors),
                                     *_floor_bounds(results)):
        if cell.rounds:
            found.setdefault((peer, figure), []).append((what, cell))
    return found


class Verdict:
    """How one budget turned out.  state: met, MISSED, FAILED (connections
    did, so it is worth nothing) or unknown (a figure is missing)."""

    def __init__(self, budget, results):
        self.budget = budget
        other = budget.other and (budget.base or budget.figure, budget.other)
        mine = (budget.figure, budget.peer)
        self.got = results.ratio(mine, other) if other \
            else results.cell(*mine)
        if self.got is None or self.got.median is None:
            self.got = None
            self.state = "unknown"
        elif self.got.failed:
            self.state = "FAILED"
        elif self.keeps(self.got.median):
            self.state = "met"
        else:
            self.state = "MISSED"
        self.bounds = []

    def keeps(self, value):
        if self.budget.sign == ">=":
            return value >= self.budget.factor
        return value <= self.budget.factor

    def bind(self, what, cell, results):
        """The same comparison for what is possible at best."""
        if self.budget.other:
            base = self.budget.base or self.budget.figure
            other = results.cell(base, self.budget.other)
            cell = Cell({turn: value / other.rounds[turn]
                         for turn, value in cell.rounds.items()
                         if other and other.rounds.get(turn)})
        if cell.rounds:
            self.bounds.append((what, cell))


def judge(results, processors):
    """A verdict for each budget of a peer that took part."""
    found = bounds(results, processors)
    there = {peer for _, peer in results.values}
    verdicts = []
    for budget in BUDGETS:
        if budget.peer not in there:
            continue
        verdict = Verdict(budget, results)
        for what, cell in found.get((budget.peer, budget.figure), ()):
            verdict.bind(what, cell, results)
        verdicts.append(verdict)
    return verdicts
