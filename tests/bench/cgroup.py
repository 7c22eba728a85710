"""What a program and everything it starts has used, by control group.

One group for each program under test: its processor time includes that of
children which are gone and of the kernel working for them, its memory the
kernel's own for processes and sockets.  Version 1 and 2 both will do.
"""

import glob
import os
import signal
import time

PREFIX = "usher-bench"


def _mounts():
    """Yields (mount point, type, options) of every control group tree."""
    with open("/proc/self/mounts", encoding="ascii") as mounts:
        for line in mounts:
            _, where, kind, options = line.split()[:4]
            if kind in ("cgroup", "cgroup2"):
                yield where, kind, options.split(",")


def _find():
    """Returns {"cpu": dir, "memory": dir, "v2": bool} with what there is."""
    found = {}
    for where, kind, options in _mounts():
        if kind == "cgroup" and "cpuacct" in options:
            found["cpu"] = where
        if kind == "cgroup" and "memory" in options:
            found["memory"] = where
    if found:
        return {**found, "v2": False}
    for where, kind, _ in _mounts():
        if kind == "cgroup2":
            return {"cpu": where, "memory": where, "v2": True}
    return {}


def _read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


class Group:
    """A group of our own; without the right to make one, `usable` is False
    and `why` says what is missing."""

    def __init__(self, name):
        where = _find()
        self.v2 = where.pop("v2", False)
        self.dirs = {kind: f"{base}/{PREFIX}.{os.getpid()}.{name}"
                     for kind, base in where.items()}
        self.why = ""
        if set(self.dirs) != {"cpu", "memory"}:
            self.why = "no cpuacct and memory control groups are mounted"
        try:
            for path in set(self.dirs.values()):
                os.mkdir(path)
        except OSError as error:
            self.why = f"cannot make control groups: {error.strerror}"
            self.remove()
        self.usable = not self.why
        self.has_memory = self.usable and os.path.exists(self._memory_file())

    def enter(self):
        """Puts the calling process in; for the child before its exec."""
        for path in set(self.dirs.values()):
            with open(path + "/cgroup.procs", "w", encoding="ascii") as procs:
                procs.write("0")

    def cpu_us(self):
        """Microseconds of processor time used so far."""
        if not self.v2:
            return int(_read(self.dirs["cpu"] + "/cpuacct.usage")) / 1000
        for line in _read(self.dirs["cpu"] + "/cpu.stat").splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1])
        return 0

    def _memory_file(self):
        name = "memory.current" if self.v2 else "memory.usage_in_bytes"
        return f"{self.dirs['memory']}/{name}"

    def memory(self):
        """Bytes charged now, the kernel's included."""
        return int(_read(self._memory_file()))

    def pids(self):
        return _pids(self.dirs["cpu"])

    def wait_for_pids(self, most, seconds):
        """Waits until no more than so many processes are left."""
        end = time.monotonic() + seconds
        while len(self.pids()) > most and time.monotonic() < end:
            time.sleep(0.005)

    def kill(self):
        if self.usable:
            _kill(self.dirs["cpu"])

    def remove(self):
        """Removes the group; it must be empty."""
        for path in set(self.dirs.values()):
            _remove(path)


def _pids(path):
    return [int(pid) for pid in _read(path + "/cgroup.procs").split()]


def _kill(path):
    """Ends everything inside, however often it forks meanwhile."""
    end = time.monotonic() + 10
    while (pids := _pids(path)) and time.monotonic() < end:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def _remove(path):
    for _ in range(100):
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)


def clean(owner):
    """Ends and removes whatever that process has made."""
    where = _find()
    where.pop("v2", None)
    for base in set(where.values()):
        for path in glob.glob(f"{base}/{PREFIX}.{owner}.*"):
            try:
                _kill(path)
            except OSError:
                pass  # somebody else removed it
            _remove(path)


def pss_kb(pids):
    """Proportional set size of some processes, in KB."""
    total = 0
    for pid in pids:
        try:
            rollup = _read(f"/proc/{pid}/smaps_rollup")
        except OSError:
            continue
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total
