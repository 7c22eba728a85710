"""What usher tells about its connections: the log, the table of status."""

import json
import os
import re
import shutil
import subprocess
import sys

from wire import (Backend, Skipped, Usher, check, closed_port, expect, hello,
                  program, run_checks, same, wait_for, HOST, PATIENCE)

backend = Backend("any")
dead_holder, dead_port = closed_port()


def rules(settings="", service=""):
    return """
        inspect-timeout = 500ms
        %s
        [dead]
        server-name = dead.example.net
        backend = 127.0.0.1:%d
        [any]
        protocol = any silent
        backend = %s
        %s
        """ % (settings, dead_port, backend.address, service)


def served(usher, data=b"x\n"):
    client = usher.connect().send(data)
    same(client.line(), "any")
    same(client.exactly(len(data)), data)
    return client


def refused(usher):
    with usher.connect() as client:
        client.send(hello("dead.example.net"))
        client.end()
    return client


def ended(usher):
    """One connection from beginning to end; its client."""
    client = served(usher)
    client.finish()
    same(client.end(), "fin")
    client.close()
    return client


# -- the log ----------------------------------------------------------------------

@check("log = none says nothing of any connection")
def _():
    usher = Usher(rules("log = none"))
    ended(usher)
    refused(usher)
    usher.process.terminate()
    usher.process.wait(10)
    same(usher.lines("client="), [])


@check("log = errors says only what went wrong")
def _():
    usher = Usher(rules("log = errors"))
    ended(usher)
    expect("end=refused" in usher.line_of(refused(usher)), "not so")
    same(len(usher.lines("client=")), 1, "lines")
    usher.stop()


@check("log in a service is for that service")
def _():
    usher = Usher(rules(service="log = none"))
    ended(usher)
    usher.line_of(refused(usher))
    same(len(usher.lines("client=")), 1, "lines")
    usher.stop()


@check("log-client = none: no client's address in the log")
def _():
    usher = Usher(rules("log-client = none"))
    client = ended(usher)
    line = usher.await_line("end=client-closed")
    expect("client=" not in line and "client_port=" not in line, line)
    expect(str(client.local) not in line, line)
    refused(usher)
    line = usher.await_line("end=refused")
    expect("client=" not in line, line)
    usher.stop()


@check("a thousand equal errors are a few lines, with a count")
def _():
    usher = Usher(rules("max-per-source = 2000"))
    for _ in range(10):
        clients = [usher.connect() for _ in range(50)]
        for client in clients:
            client.send(hello("dead.example.net"))
        for client in clients:
            client.end()
            client.close()
    ended(usher)
    usher.await_line("end=client-closed")
    lines = usher.lines("end=refused")
    expect(0 < len(lines) < 60, "%d lines" % len(lines))
    usher.stop()


@check("the reader of standard error is gone: connections are served")
def _():
    # A shell whose descriptor 2 is a pipe that nobody reads any more.
    usher = Usher(rules(), through=["bash", "-c", """
        log=$0; exec 3>&2 2> >(head -n 1 >&3); exec 3>&-; exec "$@" """,
                                    "-"])
    for _ in range(20):
        ended(usher)
    expect(usher.process.poll() is None, "it has ended")
    usher.stop()


@check("log-target = syslog without a /dev/log: connections are served")
def _():
    if os.path.exists("/dev/log"):
        raise Skipped("there is one")
    usher = Usher(rules("log-target = syslog"))
    for _ in range(5):
        ended(usher)
    usher.stop()


# -- the table --------------------------------------------------------------------

@check("status --json has each connection, and totals")
def _():
    usher = Usher(rules())
    client = served(usher, b"0123456789")
    ended(usher)
    refused(usher)
    usher.await_line("end=refused")

    def mine():
        rows = usher.table()["connections"]
        return [r for r in rows if r["bytes_in"] == 10 and r] and rows
    rows = wait_for(mine)
    expect(rows and len(rows) == 1, "rows: %s" % usher.table()["connections"])
    row = rows[0]
    same((row["service"], row["client"], row["client_port"], row["backend"],
          row["bytes_out"]),
         ("any", HOST, client.local, backend.address, 14))
    expect(0 <= row["age"] < 20 and 0 <= row["idle"] < 20, "%s" % row)
    expect(row["pid"] in usher.descendants(), "pid %d" % row["pid"])
    services = usher.table()["services"]
    same(services["any"]["connections"], 1)
    same(services["any"]["total"], 2)
    same(services["any"]["ends"].get("client-closed"), 1)
    same(services["dead"]["ends"].get("refused"), 1)
    client.close()
    expect(wait_for(lambda: not usher.table()["connections"]), "still there")
    usher.stop()


@check("status: who is killed leaves the table; counts mend themselves")
def _():
    usher = Usher(rules())
    clients = [served(usher) for _ in range(5)]
    relays = [usher.relay_of(client) for client in clients]
    dead = set(relays[:3])
    lost = sum(relay in dead for relay in relays)  # one may carry several
    for relay in dead:
        os.kill(relay, 9)
    expect(wait_for(lambda: len(usher.table()["connections"]) == 5 - lost),
           "%s" % usher.table()["connections"])
    same(usher.table()["services"]["any"]["connections"], 5 - lost)
    expect(wait_for(lambda: usher.table()["services"]["any"]["ends"].get(
        "killed") == lost), "%s" % usher.table()["services"])
    for client in clients:
        client.close()
    usher.stop()


@check("status: connections that outlive usherd stay until they end")
def _():
    usher = Usher(rules())
    client = served(usher)
    usher.process.terminate()
    usher.process.wait(10)
    rows = usher.table()["connections"]
    same([r["client_port"] for r in rows], [client.local])
    client.close()
    expect(wait_for(lambda: not usher.table()["connections"]), "still there")
    usher.stop()


def prometheus(text):
    """Reads the text format, strictly: {name: {labels: value}}."""
    samples, types, current = {}, {}, None
    expect(text.endswith("\n"), "no newline at the end")
    for line in text.splitlines():
        head = re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) (.+)", line)
        if head:
            kind, name, rest = head.groups()
            if kind == "HELP":
                expect(name not in samples, name + " comes twice")
                current, samples[name] = name, {}
            else:
                same(name, current, "TYPE after the HELP of another: ")
                expect(name not in types and not samples[name], line)
                expect(rest in ("counter", "gauge"), line)
                same(name.endswith("_total"), rest == "counter", line)
                types[name] = rest
            continue
        sample = re.fullmatch(
            r"([a-z_]+)(?:\{((?:[a-z_]+=\"(?:[^\"\\]|\\[\\\"n])*\",?)*)\})?"
            r" (\d+)", line)
        expect(sample, "no sample: " + line)
        name, labels, value = sample.groups()
        expect(name == current and name in types, "out of place: " + line)
        expect(labels not in samples[name], "twice: " + line)
        samples[name][labels] = int(value)
    return samples


@check("status as a table and for Prometheus")
def _():
    usher = Usher(rules())
    client = served(usher)
    ended(usher)
    usher.await_line("end=client-closed")
    expect(wait_for(lambda: re.search(r"any.*127\.0\.0\.1:%d" % client.local,
                                      usher.status())), usher.status())
    samples = prometheus(usher.status("--prometheus"))
    same(samples["usher_connections"]['service="any"'], 1)
    same(samples["usher_connections_total"]['service="any"'], 2)
    same(samples["usher_pending"][None], 0)
    same(samples["usher_bytes_in_total"]['service="any"'], 4)
    same(samples["usher_ends_total"]['service="any",end="client-closed"'], 1)
    usher.stop()


def refuse(run, *arguments, through=()):
    """usher status fails, in order; what it says."""
    done = subprocess.run([*through, program("usher"), "status", *arguments],
                          capture_output=True, text=True,
                          env=dict(os.environ, RUNTIME_DIRECTORY=run))
    same((done.returncode, done.stdout), (1, ""), "status and output")
    same(len(done.stderr.splitlines()), 1, "lines: " + done.stderr)
    return done.stderr


@check("status of what is not there, torn, or another version's: a message")
def _():
    usher = Usher(rules())
    served(usher).close()
    usher.table()
    with open(usher.run + "/scoreboard", "rb") as f:
        good = f.read(1 << 20)
        size = os.fstat(f.fileno()).st_size
    run = usher.run + "-copy"
    expect("does not run there" in refuse(run), refuse(run))
    os.mkdir(run)
    name = run + "/scoreboard"

    def wrong(content, length):
        with open(name, "wb") as f:
            f.write(content)
            f.truncate(length)
        return refuse(run) + refuse(run, "--json") + refuse(
            run, "--prometheus")
    version = good[:4] + bytes([good[4] ^ 1]) + good[5:]
    for content, length in ((version, size), (b"", 0), (good, 5000),
                            (b"\0" * len(good), size), (good, size + 1),
                            (b"x" * 4096, size)):
        said = wrong(content, length)
        same(said.count("no scoreboard of this version"), 3, said)
    # Whatever is in it otherwise: no crash, and what is printed is in order.
    for at in range(8, len(good), 8192):
        with open(name, "wb") as f:
            f.write(good[:at] + os.urandom(min(64, len(good) - at)) +
                    good[at + 64:])
            f.truncate(size)
        for form in ("--json", "--prometheus"):
            done = subprocess.run([program("usher"), "status", form],
                                  capture_output=True, env=dict(
                                      os.environ, RUNTIME_DIRECTORY=run))
            expect(done.returncode in (0, 1), "at %d: %d, %s" % (
                at, done.returncode, done.stderr))
            if done.returncode == 0 and form == "--json":
                json.loads(done.stdout)
            elif done.returncode == 0:
                prometheus(done.stdout.decode())
    usher.stop()


@check("status is for root and the service's group, and for nobody else")
def _():
    if os.getuid() != 0 or not shutil.which("setpriv"):
        raise Skipped("needs root and setpriv")
    usher = Usher(rules())
    served(usher).close()
    group = 54321
    os.chown(usher.run + "/scoreboard", -1, group)
    other = ["setpriv", "--reuid=12345", "--clear-groups"]
    command = [program("usher"), "status", "--json"]
    if subprocess.run([*other, "--regid=9999", "test", "-x", command[0]],
                      capture_output=True).returncode:
        raise Skipped("the build directory is not for everybody")
    done = subprocess.run([*other, "--regid=%d" % group, *command],
                          capture_output=True, text=True,
                          env=dict(os.environ, RUNTIME_DIRECTORY=usher.run))
    same(done.returncode, 0, done.stderr)
    json.loads(done.stdout)
    said = refuse(usher.run, through=[*other, "--regid=9999"])
    expect("Permission denied" in said, said)
    usher.stop()


@check("a second usherd in one runtime directory ends, and says why")
def _():
    usher = Usher(rules())
    client = served(usher)
    done = subprocess.run(
        [program("usher"), "serve", "-c", usher.file, "--listen", HOST + ":0"],
        capture_output=True, text=True, timeout=PATIENCE,
        env=dict(os.environ, RUNTIME_DIRECTORY=usher.run))
    same(done.returncode, 1, "exit status")
    expect("usherd %d already uses %s" % (usher.process.pid, usher.run) in
           done.stderr, done.stderr)
    client.send(b"still\n")
    same(client.line(), "still")
    same(len(usher.table()["connections"]), 1, "connections")
    # In one of its own it may.
    other = Usher(rules())
    served(other).close()
    other.stop()
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
