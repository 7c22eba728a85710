"""What each figure is: the columns of every report, in their order."""

CONCURRENCY = (1, 8, 32, 128)
HELD = (0, 20, 1000, 5000)  # idle connections
MB = 1000 * 1000


class Figure:
    """What a number means."""

    def __init__(self, what, unit, higher=False, digits=0):
        self.what = what
        self.unit = unit
        self.higher = higher  # is better
        self.digits = digits

    def text(self, value):
        return f"{value:,.{self.digits}f}"


def _rates(name, first):
    """Of connections that begin with that."""
    for conns in CONCURRENCY:
        at = f"{first}, {conns} at a time"
        yield f"{name}.{conns}", Figure(f"connections, {at}", "/s", True)
        yield f"{name}.{conns}.cpu", Figure(
            f"processor time per connection, {at}", "us", digits=1)
        yield f"{name}.{conns}.p50", Figure(
            f"time to first byte, median, {at}", "us")
        yield f"{name}.{conns}.p99", Figure(
            f"time to first byte, 99 %, {at}", "us")


def _bulks():
    for way in ("down", "up"):
        for streams in (1, 4):
            what = f"{way}, {streams} stream{'s' if streams > 1 else ''}"
            yield f"bulk.{way}.{streams}", Figure(
                f"bulk {what}", "Gbit/s", True, 2)
            yield f"bulk.{way}.{streams}.cpu", Figure(
                f"processor time, bulk {what}", "ms/GB")


def _round_trips():
    for size in (64, 4096):
        for conns in (1, 32):
            what = f"round trip of {size} bytes, {conns} at a time"
            yield f"rtt.{size}.{conns}", Figure(f"{what}, median", "us",
                                                digits=1)
            yield f"rtt.{size}.{conns}.p99", Figure(f"{what}, 99 %", "us",
                                                    digits=1)


def _held():
    for count in HELD:
        at = f"32 at a time, {count:,} idle ones held"
        yield f"held.{count}", Figure(f"connections, {at}", "/s", True)
        yield f"held.{count}.cpu", Figure(
            f"processor time per connection, {at}", "us", digits=1)


FIGURES = {
    **dict(_rates("rate", "SSH banner")),
    **dict(_rates("tls", "TLS hello")),
    **dict(_bulks()),
    **dict(_round_trips()),
    "idle.pss": Figure("memory of the idle service (PSS)", "KB"),
    "idle.connection": Figure(
        "memory per idle connection, the kernel's included", "KB", digits=1),
    **dict(_held()),
    "flood.p50": Figure("time to first byte during a flood of silent "
                        "clients, median", "ms", digits=2),
    "flood.p99": Figure("time to first byte during a flood of silent "
                        "clients, 99 %", "ms", digits=2),
    "cold": Figure("first byte of the connection that starts the service",
                   "ms", digits=1),
    "kernel.fork": Figure("fork + exit of a static program", "us", digits=1),
    "kernel.fork.cpu": Figure(
        "processor time, fork + exit of a static program", "us", digits=1),
    "kernel.exec": Figure("fork + exec + exit of a static program", "us",
                          digits=1),
    "kernel.exec.cpu": Figure(
        "processor time, fork + exec + exit of a static program", "us",
        digits=1),
}
