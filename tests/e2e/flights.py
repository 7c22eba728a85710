"""Every first flight of tests/vectors, sent to usher by a real connection: where
does it go, and how soon?  TLS by its name, ssh, and all the rest."""

import os
import re
import sys
import time

from wire import (Backend, Usher, check, expect, is_sanitized, run_checks,
                  same)

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "..", "vectors")
# Seconds.  Who is sanitized is slow to fork, in particular on a busy machine.
INSPECT = 6 if is_sanitized() else 1.5
AT_ONCE = INSPECT * 2 / 3  # surely before the deadline
BATCH = 20 if is_sanitized() else 60

backends = {name: Backend(name) for name in ("name", "noname", "ssh", "any")}

usher = Usher("""
    inspect-timeout = {inspect:.0f}ms
    max-per-source = 1000
    [name]
    server-name = *
    backend = {name.address}
    [noname]
    protocol = tls
    backend = {noname.address}
    [ssh]
    protocol = ssh silent
    backend = {ssh.address}
    [any]
    protocol = any
    backend = {any.address}
    """.format(inspect=INSPECT * 1000, **backends))


def vectors():
    """Name, expected protocol, expected name and bytes of each."""
    with open(VECTORS + "/INDEX.tsv", encoding="utf-8") as f:
        next(f)
        for row in f:
            name, _, protocol, sni = row.rstrip("\n").split("\t")[:4]
            with open("%s/%s.bin" % (VECTORS, name), "rb") as data:
                yield name, protocol, sni, data.read()


def expected(protocol, sni):
    """Where it should go, and whether at once."""
    if protocol == "tls":
        usable = re.fullmatch(r"[A-Za-z0-9._-]{1,255}", sni) and sni != "-"
        return ("name" if usable else "noname"), True
    if protocol == "ssh":
        return "ssh", True
    if protocol == "silent":
        return "ssh", False
    # What may still become TLS or ssh waits for the rest of it.
    return "any", None if "(" in protocol or "tls" in protocol else True


def send_batch(batch):
    """The clients, connected and sent, then answered, one after the other."""
    wrong = []
    clients = []
    for name, protocol, sni, data in batch:
        client = usher.connect()
        client.socket.settimeout(INSPECT + 5)
        client.sent = time.monotonic()
        client.socket.sendall(data)
        clients.append(client)
    for client, (name, protocol, sni, data) in zip(clients, batch):
        try:
            got = client.line()
            took = time.monotonic() - client.sent
            where, at_once = expected(protocol, sni)
            if got != where:
                wrong.append("%s (%s, %s): %s, not %s" %
                             (name, protocol, sni, got, where))
            elif at_once and took > AT_ONCE:
                wrong.append("%s: after %.1f s" % (name, took))
            if client.exactly(len(data)) != data:
                wrong.append("%s: other bytes" % name)
        except OSError as e:
            wrong.append("%s: %s" % (name, e))
        client.close()
    return wrong


@check("every vector goes where it belongs, all bytes with it")
def _():
    every = sorted(vectors(), key=lambda v: expected(*v[1:3])[1] is not True)
    expect(len(every) > 100, "only %d vectors" % len(every))
    wrong = []
    for at in range(0, len(every), BATCH):
        wrong += send_batch(every[at:at + BATCH])
    same("\n".join(wrong), "", "wrong:\n")


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
