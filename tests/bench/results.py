"""What was measured: every sample of every figure, round by round.

A ratio compares two programs within a round, where they ran one shortly
after the other, and is the median of all rounds: what the machine did
between rounds is not in it.
"""

import statistics


class Cell:
    """One figure of one peer, or a ratio: {round: value}."""

    def __init__(self, rounds, failed=0):
        self.rounds = rounds
        self.failed = failed  # connections, in all rounds
        values = list(rounds.values())
        self.median = statistics.median(values) if values else None
        self.min = min(values, default=None)
        self.max = max(values, default=None)


class Results:
    """Every cell.  One that has no value, only failures, is there too."""

    def __init__(self):
        self.values = {}  # (figure, peer): {round: [value]}
        self.failed = {}  # (figure, peer): connections

    def add(self, turn, peer, failed, values):
        """Takes what a row yielded; a value may be None."""
        for figure, value in values.items():
            if value is None and not failed:
                continue
            key = (figure, peer)
            rounds = self.values.setdefault(key, {})
            self.failed[key] = self.failed.get(key, 0) + failed
            if value is not None:
                rounds.setdefault(turn, []).append(value)

    def cell(self, figure, peer):
        key = (figure, peer)
        if key not in self.values:
            return None
        rounds = {turn: statistics.median(values)
                  for turn, values in self.values[key].items()}
        return Cell(rounds, self.failed[key])

    def ratio(self, mine, its):
        """Of two keys (figure, peer), as a cell, or None."""
        mine, its = self.cell(*mine), self.cell(*its)
        if mine is None or its is None:
            return None
        rounds = {turn: value / its.rounds[turn]
                  for turn, value in mine.rounds.items()
                  if its.rounds.get(turn)}
        return Cell(rounds, mine.failed + its.failed) if rounds else None

    def all_well(self):
        """Whether something was measured and no connection failed."""
        return bool(self.values) and not any(self.failed.values())

    def peers(self, figure):
        return [peer for name, peer in self.values if name == figure]

    def dump(self):
        """All of it, for JSON; load() takes it back."""
        return [{"figure": figure, "peer": peer,
                 "failed": self.failed[(figure, peer)],
                 "rounds": {str(turn): values
                            for turn, values in rounds.items()}}
                for (figure, peer), rounds in self.values.items()]

    @classmethod
    def load(cls, dumped):
        results = cls()
        for entry in dumped:
            key = (entry["figure"], entry["peer"])
            results.failed[key] = entry["failed"]
            results.values[key] = {int(turn): values for turn, values
                                   in entry["rounds"].items()}
        return results
