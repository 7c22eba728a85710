"""How each row is measured: one function a row.

A measurement is given the bench and a started peer, and yields how many
connections failed with a dict of figure name -> value, once or more often;
a value is None where nothing can be said.
"""

import json
import subprocess
import time

import cgroup


class Broken(Exception):
    """Nothing came of a measurement; the text says why."""


def _command(bench, peer, arguments, limit):
    return [bench.tool("load"), *arguments, "-p", str(peer.port),
            "-l", str(limit)]


def _result(text):
    try:
        return json.loads(text)
    except ValueError as error:
        raise Broken("the load generator gave no result") from error


class Load:
    """One run of the load generator in the background, until stopped."""

    def __init__(self, bench, peer, *arguments):
        self.process = subprocess.Popen(
            _command(bench, peer, arguments, 3 * bench.limit),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def wait_until_ready(self):
        """Returns how many connections there are."""
        words = self.process.stdout.readline().split()
        if len(words) != 2:
            raise Broken("the load generator ended at once")
        return int(words[1])

    def stop(self):
        self.process.stdin.close()
        return _result(self.process.stdout.read())


def load(bench, peer, *arguments):
    """Runs the load generator; returns its result."""
    done = subprocess.run(
        _command(bench, peer, arguments, bench.limit), check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        timeout=bench.limit + 30)
    result = _result(done.stdout)
    peer.hangs = result["failed"] > 0 and result["seconds"] >= bench.limit
    return result


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


def per_second(result):
    """Connections, or None if there was none that went well."""
    return per(result["done"], result["seconds"]) or None


def first_byte(result, percentile):
    """Microseconds, or None if nobody was answered."""
    return result[percentile] if result["samples"] else None


def _rates(bench, peer, row, *flags):
    for conns in bench.concurrency:
        result, cpu = rate(bench, peer, conns, *flags)
        name = f"{row}.{conns}"
        yield result["failed"], {
            name: per_second(result),
            name + ".cpu": per(cpu, result["done"]),
            name + ".p50": first_byte(result, "p50_us"),
            name + ".p99": first_byte(result, "p99_us")}


def measure_rate(bench, peer):
    yield from _rates(bench, peer, "rate")


def measure_tls(bench, peer):
    yield from _rates(bench, peer, "tls", "-T")


def measure_bulk(bench, peer):
    for way, flags in (("down", []), ("up", ["-u"])):
        for streams in (1, 4):
            result, cpu = load_cpu(bench, peer, "bulk", "-c", str(streams),
                                   "-b", str(bench.bulk), *flags)
            name = f"bulk.{way}.{streams}"
            yield result["failed"], {
                name: per(result["bytes"] * 8 / 1e9, result["seconds"])
                if result["done"] else None,
                name + ".cpu": per(cpu, result["bytes"] / 1e6)}


def measure_rtt(bench, peer):
    for size in (64, 4096):
        for conns in (1, 32):
            rounds = bench.rounds if conns == 1 else 4 * bench.rounds
            result = load(bench, peer, "rtt", "-c", str(conns),
                          "-b", str(size), "-n", str(rounds))
            name = f"rtt.{size}.{conns}"
            yield result["failed"], {
                name: first_byte(result, "p50_us"),
                name + ".p99": first_byte(result, "p99_us")}


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
    with Load(bench, peer, "hold", "-c", str(bench.idle)) as held:
        count = held.wait_until_ready()
        time.sleep(0.8)  # a connection that has been quiet takes less
        taken = settle(peer.group) - before
        lost = held.stop()["failed"] - (bench.idle - count)
    if count < bench.idle:
        bench.note(f"{peer.name} holds no more than {count} of "
                   f"{bench.idle} idle connections: what one takes is of "
                   "those")
    yield lost, {"idle.connection": per(taken / 1024, count)}
    peer.wait_for_pids(pids)


def held_values(count, result, cpu):
    return {f"held.{count}": per_second(result),
            f"held.{count}.cpu": per(cpu, result["done"])}


def _rate_beside(bench, peer, count):
    """The rate while so many idle connections are held."""
    with Load(bench, peer, "hold", "-c", str(count)) as held:
        there = held.wait_until_ready()
        if there < count:
            bench.note(f"{peer.name} holds no more than {there} of {count} "
                       "connections: no rate with so many")
            return
        time.sleep(0.5)
        result, cpu = rate(bench, peer, 32)
        lost = held.stop()["failed"]
    yield result["failed"] + lost, held_values(count, result, cpu)


def measure_held(bench, peer):
    """First with none, for what was long before may have been otherwise."""
    result, cpu = rate(bench, peer, 32)
    yield result["failed"], held_values(0, result, cpu)
    for count in bench.held:
        pids = len(peer.pids())
        yield from _rate_beside(bench, peer, count)
        peer.wait_for_pids(pids)


def measure_flood(bench, peer):
    """A thousand silent clients a second, who give up one after the other
    once there are as many as there should be."""
    pids = len(peer.pids())
    with Load(bench, peer, "flood", "-c", str(bench.silent),
              "-R", "1000") as flood:
        flood.wait_until_ready()
        result = load(bench, peer, "rate", "-r", str(bench.flood))
        missing = flood.stop()["failed"]
    values = {f"flood.{at}": first_byte(result, at + "_us")
              for at in ("p50", "p99")}
    yield result["failed"] + missing, {
        name: value and value / 1000 for name, value in values.items()}
    peer.wait_for_pids(pids)


def measure_cold(bench, peer):
    """Several times, for it is done in a moment and differs much."""
    if not peer.can_be_activated():
        return
    peer.stop()
    for _ in range(bench.colds):
        peer.start(cold=True)
        result = load(bench, peer, "rate", "-r", "0.000001")
        peer.stop()
        value = first_byte(result, "p50_us")
        yield result["failed"], {"cold": value and value / 1000}
    peer.start()


def measure_kernel(bench, peer):
    """The machine's own price of a process."""
    for verb in ("fork", "exec"):
        done = subprocess.run([bench.tool("spawn"), verb, str(bench.spawns)],
                              stdout=subprocess.PIPE, check=False, timeout=60)
        words = done.stdout.split()
        if done.returncode or len(words) != 2:
            raise Broken("spawn failed")
        yield 0, {f"kernel.{verb}": float(words[0]),
                  f"kernel.{verb}.cpu": float(words[1])}


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
