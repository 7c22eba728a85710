"""The rounds: who is started, what is measured, what is done when a program
fails in the middle of it."""

import subprocess

from rows import ROWS, Broken, load

# What may go wrong with one measurement without ending the others.
TROUBLE = (Broken, RuntimeError, OSError, subprocess.SubprocessError)


def takes_part(peer, row):
    if row == "kernel":
        return peer.name == "kernel"
    return peer.shows is None or row in peer.shows


class Run:
    """All rounds; what is measured goes to results."""

    def __init__(self, bench, peers, rows, results):
        self.bench = bench
        self.peers = peers
        self.rows = rows
        self.results = results
        self.hung = set()  # (peer, row): not asked again
        self.complete = True  # everyone took part in every round

    def leave_out(self, peer, what, why):
        self.complete = False
        self.bench.note(f"{peer.name} is left out of {what}: {why}")

    def start(self, peer):
        """Returns whether one connection through it works."""
        try:
            peer.start()
            if not peer.connects or \
                    load(self.bench, peer, "rate", "-r", "0.000001")["done"]:
                return True
            why = "its first connection fails"
        except TROUBLE as error:
            why = str(error)
        peer.stop()
        self.leave_out(peer, "a round", why)
        return False

    def measure(self, peer, row, turn):
        """Returns whether all connections went well."""
        well = True
        try:
            for failed, values in ROWS[row](self.bench, peer):
                self.results.add(turn, peer.name, failed, values)
                well = well and failed == 0
        except TROUBLE as error:
            self.leave_out(peer, f"{row} in a round", str(error))
            well = False
        if peer.hangs:
            self.hung.add((peer.name, row))
            self.leave_out(peer, f"{row} in all rounds that follow",
                           "it hangs")
        peer.hangs = False
        return well

    def mend(self, peer, row):
        """Whatever a failure left of it is not to spoil the next row.
        Returns whether it is there again."""
        if not peer.is_well():
            self.bench.note(f"{peer.name} died in {row}")
        peer.stop()
        return self.start(peer)

    def round(self, turn):
        """Each round begins with another peer."""
        first = turn % len(self.peers)
        peers = [peer for peer in self.peers[first:] + self.peers[:first]
                 if self.start(peer)]
        for row in self.rows:
            if turn and row in self.bench.once:
                continue
            for peer in list(peers):
                if not takes_part(peer, row) or \
                        (peer.name, row) in self.hung:
                    continue
                self.bench.say(f"round {turn + 1} {row} {peer.name}")
                well = self.measure(peer, row, turn)
                if not (well and peer.is_well()) and \
                        not self.mend(peer, row):
                    peers.remove(peer)
        for peer in peers:
            peer.stop()

    def all(self):
        try:
            for turn in range(self.bench.rounds_of_all):
                self.round(turn)
        finally:
            for peer in self.peers:
                peer.stop()
