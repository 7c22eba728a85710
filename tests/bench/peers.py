"""Everything that is measured, in the order in which it is shown."""

import os

from peer import Peer
from peers_packaged import (Haproxy, HaproxySplice, Nginx, Proxyd, Socat,
                            SslhFork, SslhSelect)
from peers_usher import (Usher, UsherAtOnce, UsherExec, UsherInetd,
                         UsherShared)


class Direct(Peer):
    """The backend itself: nothing in between."""

    def start(self, cold=False):
        self.port = self.setup.backend_port

    def is_well(self):
        return True


class Kernel(Direct):
    """No connection at all: what processes cost on this machine."""

    shows = ("kernel",)
    connects = False

    def missing(self):
        spawn = self.setup.tool("spawn")
        return None if os.access(spawn, os.X_OK) else \
            f"{spawn} is not built (run make bench)"


class Floor(Peer):
    """The least that a relay can be."""

    shows = ("rate", "bulk", "rtt", "flood")
    tool = "floor"

    def missing(self):
        floor = self.setup.tool(self.tool)
        return None if os.access(floor, os.X_OK) else \
            f"{floor} is not built (run make bench)"

    def command(self):
        return [self.setup.tool(self.tool), str(self.port),
                str(self.setup.backend_port)]


class FloorShared(Floor):
    """The least that one of many short connections can be."""

    shows = ("rate", "tls")
    tool = "floor-shared"


class FloorCaged(FloorShared):
    """The same in a sandbox and with a line for each, as budgets demand."""

    def command(self):
        return [*super().command(), "caged"]


class FloorExec(Floor):
    """The least that starts a program for each connection."""

    shows = ("rate", "bulk", "rtt")

    def command(self):
        return [self.setup.tool(self.tool), str(self.port),
                self.setup.tool("backend"), "--stdin"]


PEERS = {
    "direct": Direct,
    "haproxy": Haproxy,
    "haproxy-splice": HaproxySplice,
    "nginx": Nginx,
    "sslh-fork": SslhFork,
    "sslh-select": SslhSelect,
    "proxyd": Proxyd,
    "socat": Socat,
    "usher": Usher,
    "usher-at-once": UsherAtOnce,
    "usher-shared": UsherShared,
    "usher-exec": UsherExec,
    "usher-inetd": UsherInetd,
    "floor": Floor,
    "floor-shared": FloorShared,
    "floor-caged": FloorCaged,
    "floor-exec": FloorExec,
    "kernel": Kernel,
}
