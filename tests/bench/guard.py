"""Sees to it that a benchmark leaves nothing behind, however it ends.

A process of its own, which no signal of a terminal reaches, waits until the
benchmark is gone, and then ends what is left in its control groups and
removes these and its directory.  Programs outside of any group are told by
the kernel when the benchmark dies (see peer.py).
"""

import os
import shutil
import signal

import cgroup


def _watch(alive, owner, directory):
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.read(alive, 1)
    cgroup.clean(owner)
    shutil.rmtree(directory, ignore_errors=True)


class Guard:
    """Lives as long as nobody calls end(), or the caller does."""

    def __init__(self, directory):
        alive, self.hold = os.pipe()
        owner = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.hold)
                _watch(alive, owner, directory)
            finally:
                os._exit(0)
        os.close(alive)

    def end(self):
        """Returns when everything is gone."""
        os.close(self.hold)
        os.waitpid(self.pid, 0)
