"""Checks, one line each, and waiting for what has to come.

Every wait is for an event and has a deadline; where a test has to show that
something does not happen, it waits for what must happen instead.
"""

import os
import sys
import time
import traceback

HOST = "127.0.0.1"
PATIENCE = 40  # seconds: longer than anything here takes, unless it is broken

tmp = os.environ["tmp"]

# Rules that say nothing of it get this: the same checks hold in both modes.
isolation = os.environ.get("ISOLATION", "connection")
shared = isolation == "shared"

# Below usherd, when it has nothing to do: an acceptor, and its workers.
RESIDENT = 1 + (len(os.sched_getaffinity(0)) if shared else 0)


def now():
    return time.monotonic()


def wait_for(condition, seconds=PATIENCE):
    """Polls until condition() is true; its value, or None after seconds."""
    until = now() + seconds
    while True:
        value = condition()
        if value or now() > until:
            return value or None
        time.sleep(0.01)


_checks = []


def check(what, shared=None):
    """Marks a function as a check, to be run in order by run_checks(); of one
    isolation only where it is about that."""
    def mark(function):
        if shared in (None, isolation == "shared"):
            _checks.append((what, function))
        return function
    return mark


class Failure(Exception):
    pass


class Skipped(Exception):
    """This check cannot be made here, for the reason given."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def same(got, expected, what="got"):
    if isinstance(got, (bytes, str)) and len(got) > 200:
        short = repr(got[:80]) + "... (%d)" % len(got)
    else:
        short = repr(got)
    wanted = repr(expected)[:200]
    expect(got == expected, "%s %s, expected %s" % (what, short, wanted))


def run_checks(only=None):
    """Runs all checks, one line each, and ends the program as they did: here,
    so that no test can forget to."""
    failed = 0
    number = 0
    for what, function in _checks:
        if only and only not in what:
            continue
        number += 1
        try:
            function()
            print("ok %d - %s" % (number, what), flush=True)
        except Skipped as e:
            print("ok %d - %s # skipped: %s" % (number, what, e), flush=True)
        except Exception as e:
            failed += 1
            print("not ok %d - %s" % (number, what))
            if isinstance(e, Failure):
                print("# %s" % e, flush=True)
            else:
                print("# " + traceback.format_exc().replace("\n", "\n# "),
                      flush=True)
    sys.exit(1 if failed or not number else 0)
