"""How much is done: the sizes of a run."""

import collections

from figures import CONCURRENCY, MB
from rows import ROWS

# Seconds are those of one rate and of the rate in a flood; idle, held and
# silent are connections; once are rows that only the first round has; only
# are peers, () for all.
Size = collections.namedtuple("Size", """
    rounds_of_all seconds flood concurrency bulk rounds idle held silent
    colds spawns once only rows""", defaults=((), (), tuple(ROWS)))

# Those that budgets speak of.
JUDGED = ("direct", "haproxy", "sslh-fork", "proxyd", "usher",
          "usher-shared", "usher-exec", "floor", "floor-shared",
          "floor-caged", "floor-exec", "kernel")

# Half a minute a peer and round.
FULL = Size(rounds_of_all=5, seconds=0.8, flood=3, concurrency=CONCURRENCY,
            bulk=800 * MB, rounds=8000, idle=1000, held=(1000, 5000),
            silent=2000, colds=5, spawns=3000)

SIZES = {
    "full": FULL,
    "budgets": FULL._replace(rounds_of_all=3, only=JUDGED),
    "quick": Size(
        rounds_of_all=2, seconds=0.2, flood=1, concurrency=(1, 32),
        bulk=50 * MB, rounds=500, idle=200, held=(), silent=500, colds=1,
        spawns=500, once=("idle", "flood"),
        rows=tuple(row for row in ROWS if row != "held")),
    "smoke": Size(
        rounds_of_all=1, seconds=0.02, flood=0.1, concurrency=(1, 8),
        bulk=4 * MB, rounds=50, idle=200, held=(20,), silent=50, colds=1,
        spawns=20),
}
