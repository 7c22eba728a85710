#!/usr/bin/env python3
"""Capture the first flights of the clients in clients.tsv that are installed.

usage: capture.py [--again] [NAME ...]

For each row without a NAME.bin (with --again: for each) a listener that stays
silent is opened on a free loopback port, and the row's command is run against
it for a few seconds.  What comes before the client falls quiet becomes
NAME.bin and a row of INDEX.tsv.  What it is expected to be stands in the row;
nothing here asks usher.

Commands see $PORT, and $DIR, a directory with a certificate, its key and a
few other things that clients want to have.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
START_LIMIT = 12.0  # seconds until the client has connected
QUIET = 0.8  # seconds without a byte: that was the first flight
SILENT = 2.0  # the same for a client that has not said anything
FLIGHT_MAX = 65536


def table(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return rows[0], rows[1:]


def prepare(directory):
    """What commands find in $DIR."""
    def run(*command):
        subprocess.run(command, cwd=directory, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
        "2", "-subj", "/CN=www.example.com", "-keyout", "key.pem", "-out",
        "cert.pem")
    run("git", "-c", "init.defaultBranch=main", "init", "-q", "repo")
    run("git", "-C", "repo", "-c", "user.name=u", "-c", "user.email=u@x",
        "commit", "-q", "--allow-empty", "-m", "x")
    if shutil.which("openvpn"):
        run("openvpn", "--genkey", "secret", "ta.key")
    with open(os.path.join(directory, "file"), "w") as file:
        file.write("x\n")


def read_flight(listener):
    listener.settimeout(START_LIMIT)
    client, _ = listener.accept()
    flight = b""
    with client:
        while len(flight) < FLIGHT_MAX:
            client.settimeout(QUIET if flight else SILENT)
            try:
                chunk = client.recv(FLIGHT_MAX)
            except (socket.timeout, ConnectionResetError):
                break
            if not chunk:
                break
            flight += chunk
    return flight


def capture(command, directory):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        env = dict(os.environ, PORT=port, DIR=directory, HOME=directory,
                   LC_ALL="C.UTF-8", NO_PROXY="", no_proxy="")
        child = subprocess.Popen(
            ["sh", "-c", command], env=env, cwd=directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            return read_flight(listener)
        except socket.timeout:
            return None
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()


def store(row, flight):
    name, expected, sni, alpn, _, command, note = row
    with open(os.path.join(HERE, name + ".bin"), "wb") as file:
        file.write(flight)
    head, rows = table("INDEX.tsv")
    rows = [old for old in rows if old[0] != name]
    rows.append([name, command.replace("$PORT", "PORT"), expected, sni, alpn,
                 note])
    rows.sort(key=lambda old: old[0].encode())
    with open(os.path.join(HERE, "INDEX.tsv"), "w", encoding="utf-8") as file:
        for old in [head] + rows:
            file.write("\t".join(old) + "\n")


def main(arguments):
    again = "--again" in arguments
    names = [name for name in arguments if name != "--again"]
    count = 0
    with tempfile.TemporaryDirectory() as directory:
        prepare(directory)
        for row in table("clients.tsv")[1]:
            name, expected, program = row[0], row[1], row[4]
            if names and name not in names:
                continue
            if os.path.exists(os.path.join(HERE, name + ".bin")) and not again:
                continue
            if shutil.which(program) is None:
                print(f"{name}: no {program}")
                continue
            flight = capture(row[5], directory)
            if flight is None:
                print(f"{name}: did not connect")
            elif bool(flight) == (expected == "silent"):
                print(f"{name}: {len(flight)} bytes, expected {expected}")
            else:
                store(row, flight)
                count += 1
    print(f"{count} captured")


if __name__ == "__main__":
    main(sys.argv[1:])
