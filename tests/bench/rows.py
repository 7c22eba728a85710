"""What is measured, and how: one function a row.

A measurement is given the bench and a started peer, and yields how many
connections failed with a dict of figure name -> value, once or more often;
FIGURES says what each figure is.
"""

import json
import subprocess
import time

import cgroup

CONCURRENCY = (1, 8, 32, 128)
MB = 1000 * 1000


class Figure:
    """What a number means."""

    def __init__(self, what, unit, higher=False, digits=0):
        self.what = what
        self.unit = unit
        self.higher = higher  # is better
        self.digits = digits


def _rate_figures():
    for conns in CONCURRENCY:
        at = f"{conns} at a time"
        yield f"rate.{conns}", Figure(f"connections, {at}", "/s", True)
        yield f"rate.{conns}.cpu", Figure(
            f"processor time per connection, {at}", "us", digits=1)
        yield f"rate.{conns}.p50", Figure(
            f"time to first byte, median, {at}", "us")
        yield f"rate.{conns}.p99", Figure(
            f"time to first byte, 99 %, {at}", "us")
    yield "tls.32", Figure("connections with a TLS hello, 32 at a time",
                           "/s", True)
    yield "tls.32.cpu", Figure("processor time per connection with a TLS "
                               "hello, 32 at a time", "us", digits=1)


def _bulk_figures():
    for way in ("down", "up"):
        for streams in (1, 4):
            what = f"{way}, {streams} stream{'s' if streams > 1 else ''}"
            yield f"bulk.{way}.{streams}", Figure(
                f"bulk {what}", "Gbit/s", True, 2)
            yield f"bulk.{way}.{streams}.cpu", Figure(
                f"processor time, bulk {what}", "ms/GB")


def _rtt_figures():
    for size in (64, 4096):
        for conns in (1, 32):
            what = f"round trip of {size} bytes, {conns} at a time"
            yield f"rtt.{size}.{conns}", Figure(f"{what}, median", "us",
                                                digits=1)
            yield f"rtt.{size}.{conns}.p99", Figure(f"{what}, 99 %", "us",
                                                    digits=1)


FIGURES = {
    **dict(_rate_figures()),
    **dict(_bulk_figures()),
    **dict(_rtt_figures()),
    "idle.pss": Figure("memory of the idle service (PSS)", "KB"),
    "idle.connection": Figure(
        "memory per idle connection, the kernel's included", "KB", digits=1),
    "held.1000": Figure("connections, 32 at a time, 1000 idle ones held",
                        "/s", True),
    "held.5000": Figure("connections, 32 at a time, 5000 idle ones held",
                        "/s", True),
    "flood.p50": Figure("time to first byte during a flood of silent "
                        "clients, median", "ms", digits=2),
    "flood.p99": Figure("time to first byte during a flood of silent "
                        "clients, 99 %", "ms", digits=2),
    "cold": Figure("first byte of the connection that starts the service",
                   "ms", digits=1),
    "kernel.fork": Figure("fork + exit of a static program", "us", digits=1),
    "kernel.exec": Figure("fork + exec + exit of a static program", "us",
                          digits=1),
}


class Load:
    """One run of the load generator in the background, until stopped."""

    def __init__(self, bench, peer, *arguments):
        self.process = subprocess.Popen(
            [bench.tool("load"), *arguments, "-p", str(peer.port),
             "-l", str(bench.limit)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = int(self.process.stdout.readline().split()[1])

    def stop(self):
        self.process.stdin.close()
        result = json.loads(self.process.stdout.read() or "{}")
        self.process.stdout.close()
        self.process.wait()
        return result


def load(bench, peer, *arguments):
    """Runs the load generator; returns its result."""
    done = subprocess.run(
        [bench.tool("load"), *arguments, "-p", str(peer.port),
         "-l", str(bench.limit)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
        timeout=bench.limit + 30)
    return json.loads(done.stdout)


def load_cpu(bench, peer, *arguments):
    """The same, with the processor time the peer took in it, or None."""
    if not peer.group or not peer.group.usable:
        return load(bench, peer, *arguments), None
    before, pids = peer.group.cpu_us(), len(peer.group.pids())
    result = load(bench, peer, *arguments)
    peer.group.wait_for_pids(pids, 2)
    return result, peer.group.cpu_us() - before


def rate(bench, peer, conns, *flags):
    return load_cpu(bench, peer, "rate", "-c", str(conns),
                    "-r", str(bench.seconds), *flags)


def per(total, count):
    return total / count if count and total is not None else None


def measure_rate(bench, peer):
    for conns in bench.concurrency:
        result, cpu = rate(bench, peer, conns)
        name = f"rate.{conns}"
        yield result["failed"], {
            name: per(result["done"], result["seconds"]),
            name + ".cpu": per(cpu, result["done"]),
            name + ".p50": result["p50_us"],
            name + ".p99": result["p99_us"]}


def measure_tls(bench, peer):
    result, cpu = rate(bench, peer, 32, "-T")
    yield result["failed"], {
        "tls.32": per(result["done"], result["seconds"]),
        "tls.32.cpu": per(cpu, result["done"])}


def measure_bulk(bench, peer):
    for way, flags in (("down", []), ("up", ["-u"])):
        for streams in (1, 4):
            result, cpu = load_cpu(bench, peer, "bulk", "-c", str(streams),
                                   "-b", str(bench.bulk), *flags)
            name = f"bulk.{way}.{streams}"
            yield result["failed"], {
                name: per(result["bytes"] * 8 / 1e9, result["seconds"]),
                name + ".cpu": per(cpu, result["bytes"] / 1e6)}


def measure_rtt(bench, peer):
    for size in (64, 4096):
        for conns in (1, 32):
            rounds = bench.rounds if conns == 1 else 4 * bench.rounds
            result = load(bench, peer, "rtt", "-c", str(conns),
                          "-b", str(size), "-n", str(rounds))
            name = f"rtt.{size}.{conns}"
            yield result["failed"], {name: result["p50_us"],
                                     name + ".p99": result["p99_us"]}


def settle(group):
    """Waits until memory has come to rest; returns it."""
    end = time.monotonic() + 6
    last = group.memory()
    while time.monotonic() < end:
        time.sleep(0.25)
        now = group.memory()
        if abs(now - last) < 64 * 1024:
            return now
        last = now
    return last


def measure_idle(bench, peer):
    """Run first, while nothing has been kept from busier times."""
    if not peer.group or not peer.group.usable:
        return  # whose memory would it be?
    yield 0, {"idle.pss": cgroup.pss_kb(peer.pids())}
    if not peer.group.has_memory:
        return
    pids, before = len(peer.group.pids()), settle(peer.group)
    held = Load(bench, peer, "hold", "-c", str(bench.idle))
    time.sleep(0.8)  # a connection that has been quiet takes less
    taken = settle(peer.group) - before
    result = held.stop()
    yield result["failed"], {"idle.connection": per(taken / 1024, held.ready)}
    peer.wait_for_pids(pids)


def measure_held(bench, peer):
    for count in bench.held:
        pids = len(peer.pids())
        held = Load(bench, peer, "hold", "-c", str(count))
        if held.ready == count:
            time.sleep(0.5)
            result, _ = rate(bench, peer, 32)
            yield result["failed"], {
                f"held.{count}": per(result["done"], result["seconds"])}
        else:
            bench.note(f"{peer.name} holds no more than {held.ready} of "
                       f"{count} connections: no rate with so many")
        held.stop()
        peer.wait_for_pids(pids)


def measure_flood(bench, peer):
    """A thousand silent clients a second, who give up one after the other
    once there are as many as there should be."""
    pids = len(peer.pids())
    flood = Load(bench, peer, "flood", "-c", str(bench.silent), "-R", "1000")
    result = load(bench, peer, "rate", "-r", str(4 * bench.seconds))
    flood.stop()
    yield result["failed"], {"flood.p50": result["p50_us"] / 1000,
                             "flood.p99": result["p99_us"] / 1000}
    peer.wait_for_pids(pids)


def measure_cold(bench, peer):
    if not peer.activated:
        return
    peer.stop()
    peer.start()
    result = load(bench, peer, "rate", "-r", "0.000001")
    yield result["failed"], {"cold": result["p50_us"] / 1000}


def measure_kernel(bench, peer):
    """The machine's own price of a process; no peer takes part."""
    if peer.name != "direct":
        return
    for verb in ("fork", "exec"):
        done = subprocess.run([bench.tool("spawn"), verb, str(bench.spawns)],
                              stdout=subprocess.PIPE, check=True, timeout=60)
        yield 0, {f"kernel.{verb}": float(done.stdout)}


ROWS = {
    "cold": measure_cold,
    "idle": measure_idle,
    "rate": measure_rate,
    "tls": measure_tls,
    "rtt": measure_rtt,
    "bulk": measure_bulk,
    "held": measure_held,
    "flood": measure_flood,
    "kernel": measure_kernel,
}
