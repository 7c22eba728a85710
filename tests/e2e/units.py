"""usher's units on a machine of their own, as an administrator uses them:
tests/e2e_systemd.sh.  What a restart does to connections is in restarts.py."""

import os
import re
import shutil
import signal
import socket
import sys

from machine import (CONNECTION, PORT, RULES, SOCKET, UNIT, alive,
                     await_message, await_state, backends, children_of,
                     drop_in, fails, free_port, fresh, from_contrib, greeted,
                     greeting, is_listed, journal, last_moment, listen_on,
                     main_pid, rules, run, serving, show, state, status,
                     systemctl, to, write)
from wire import (Backend, Client, Skipped, check, expect, hello, program,
                  run_checks, same, shared, tmp, wait_for)


# -- what is installed -----------------------------------------------------------

@check("systemd understands every line of the units")
def _():
    shutil.copytree("/mnt/contrib", tmp + "/units")
    write(tmp + "/units/usher@.socket.d/port.conf",
          "[Socket]\nListenStream=1\n")
    units = ["usher-inetd.socket", "usher-inetd@a.service", SOCKET, UNIT]
    units += [tmp + "/units/" + name for name in
              ("usher-admin.socket", "usher@a.socket", "usher@a.service")]
    for name in ("usher@.socket", "usher@.service"):
        shutil.copy(tmp + "/units/" + name,
                    tmp + "/units/" + name.replace("@", "@a"))
    said = run("systemd-analyze", "verify", "--man=no", *units,
               env=dict(os.environ, SYSTEMD_UNIT_PATH=tmp + "/units:"))
    same([line for line in said.splitlines() if "usher" in line], [])


@check("systemd-analyze security: at most 1.0, with a reload and without")
def _():
    for unit in (UNIT, "usher-inetd@a.service"):
        said = run("systemd-analyze", "security", "--no-pager",
                   "--threshold=10", unit)
        print("# " + said.splitlines()[-1])


# -- start -----------------------------------------------------------------------

@check("the first connection starts usher, and is served")
def _():
    port = serving()
    same(state(UNIT), "inactive")
    client = greeted(port, "old")
    same(state(UNIT), "active")
    same(show(UNIT, "Type"), "notify")
    expect(is_listed(client), "usher status does not list it: %s" % status())
    expect(show(UNIT, "StatusText").startswith("1 service, "),
           show(UNIT, "StatusText"))
    client.close()


@check("systemctl status has the counts")
def _():
    port = serving()
    clients = [greeted(port, "old") for _ in range(3)]
    expect(wait_for(lambda: "3 connections" in
                    systemctl("status", "--no-pager", UNIT), 30),
           show(UNIT, "StatusText"))
    for client in clients:
        client.close()


@check("nothing in it has a right that it does not need")
def _():
    port = serving()
    client = greeted(port, "old")
    keeper = main_pid()
    acceptor = children_of(keeper)[0]
    pids = [keeper, acceptor, *children_of(acceptor)]
    if shared:  # as many as there are processors
        expect(len(pids) > 2, "no worker")
    else:
        same(len(pids), 3, "processes")
    for pid in pids:
        with open("/proc/%d/status" % pid) as f:
            facts = dict(line.split(":\t", 1) for line in f if ":\t" in line)
        expect(facts["Uid"].split()[0] != "0", "%d is root" % pid)
        for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
            same(int(facts[name], 16), 0, name)
        same((facts["NoNewPrivs"].strip(), facts["Seccomp"].strip()),
             ("1", "2"))
    client.close()


def mappings(pid):
    with open("/proc/%d/maps" % pid) as f:
        return f.read()


@check("what it need not have it has given back")
def _():
    port = serving()
    client = greeted(port, "old")
    acceptor = children_of(main_pid())[0]
    pids = [acceptor, *children_of(acceptor)]
    if ".so" in mappings(acceptor):
        raise Skipped("memory is that of a sanitizer or of a large libc")
    for pid in pids:
        same("[vdso]" in mappings(pid), shared, "the vdso of %d" % pid)
        expect("[stack]" not in mappings(pid), "stack of %d" % pid)
    client.close()


@check("without rules that can be read it says so and tries again")
def _():
    port = serving("nonsense\n" + to("old"))
    client = Client(port).send(b"x\n")
    await_message(r"usher\.conf:1:1:", "-u", UNIT)
    rules(to("old"))
    same(client.line(), "old")  # the client of before: nothing was lost
    client.close()


# -- reload ----------------------------------------------------------------------

@check("systemctl reload: the next connection is served by the new rules")
def _():
    port = serving()
    before = greeted(port, "old")
    pid = main_pid()
    rules(to("new"))
    systemctl("reload", UNIT)
    expect(wait_for(lambda: greeting(port) == "new"), "not the new rules")
    alive(before)
    same(main_pid(), pid)
    await_message("reloaded the rules", "-u", UNIT)


@check("systemctl reload of a mistake: it fails, names it, changes nothing")
def _():
    port = serving()
    before = greeted(port, "old")
    rules(to("new") + "nonsense = 1\n")
    mark = last_moment()
    fails("systemctl", "reload", UNIT)
    await_message(r"usher\.conf:7:1: unknown key", "-u", UNIT, after=mark)
    same((state(UNIT), greeting(port)), ("active", "old"))
    alive(before)


@check("SIGHUP with a mistake: it is in the journal, the old rules stay")
def _():
    port = serving()
    before = greeted(port, "old")
    rules(to("new") + "nonsense = 1\n")
    mark = last_moment()
    os.kill(main_pid(), signal.SIGHUP)
    await_message("the rules stay as they were", "-u", UNIT, after=mark)
    await_message(r"usher\.conf:7:1: unknown key", "-u", UNIT, after=mark)
    wait_for(lambda: state(UNIT) == "active")
    same((state(UNIT), greeting(port)), ("active", "old"))
    alive(before)


@check("systemd is told when a reload begins and when it is done")
def _():
    port = serving()
    greeted(port, "old").close()
    systemctl("log-level", "debug")
    mark = last_moment()
    os.kill(main_pid(), signal.SIGHUP)
    try:
        told = "notification message from PID .*"
        await_message(told + r"RELOADING=1\W+MONOTONIC_USEC=\d+", after=mark)
        await_message(told + r"READY=1\W+STATUS=", after=mark)
    finally:
        systemctl("log-level", "info")
    await_state("active")


@check("notify-reload.conf: systemctl reload ends when it is done")
def _():
    version = int(re.search(r"systemd (\d+)", systemctl("--version")).group(1))
    if version < 253:
        raise Skipped("systemd is older than 253")
    fresh()
    from_contrib("notify-reload.conf", UNIT + ".d/notify-reload.conf")
    rules(to("old"))
    systemctl("start", SOCKET)
    before = greeted(PORT, "old")
    for name in ("new", "old") * 5:
        rules(to(name))
        systemctl("reload", UNIT)
        same(greeting(PORT), name)
    rules(to("new") + "nonsense = 1\n")
    fails("systemctl", "reload", UNIT)
    same((state(UNIT), greeting(PORT)), ("active", "old"))
    alive(before)


# -- the journal -------------------------------------------------------------------

def line_of(port, mark):
    """The entry about a connection of this client's that ended since."""
    entries = wait_for(lambda: journal(
        CONNECTION, "USHER_CLIENT_PORT=" + port, after=mark))
    expect(entries, "no entry about a client at " + port)
    return entries[0]


@check("the journal has a connection's facts in fields of their own")
def _():
    port = serving("[web]\nserver-name = www.example.net\nbackend = %s\n"
                   % backends["old"].address)
    first = hello("www.example.net", alpn=("h2",))
    mark = last_moment()
    with Client(port) as client:
        client.send(first)
        same(client.line(), "old")
        same(client.exactly(len(first)), first)
        local = "%d" % client.local
    entry = line_of(local, mark)
    wanted = {
        "USHER_SERVICE": "web", "USHER_CLIENT": "127.0.0.1",
        "USHER_CLIENT_PORT": local, "USHER_PROTOCOL": "tls",
        "USHER_SERVER_NAME": "www.example.net", "USHER_ALPN": "h2",
        "USHER_BACKEND": backends["old"].address,
        "USHER_BYTES_IN": "%d" % len(first),
        "USHER_BYTES_OUT": "%d" % (len(first) + 4),
        "USHER_END": "client-closed", "SYSLOG_IDENTIFIER": "usher",
        "PRIORITY": "6",
        "USHER_LOCAL_PORT": "%d" % backends["old"].peers[-1][1],
    }
    same({k: entry.get(k) for k in wanted}, wanted)
    for name in ("USHER_WAIT_USEC", "USHER_CONNECT_USEC",
                 "USHER_DURATION_USEC"):
        expect(entry.get(name, "").isdigit(), "%s is %r" %
               (name, entry.get(name)))
    expect("service=web client=127.0.0.1 client_port=%s " % local
           in entry["MESSAGE"], entry["MESSAGE"])


# -- other ways --------------------------------------------------------------------

@check("Accept=yes: an instance for each connection, nothing in between")
def _():
    fresh()
    rules(to("old"))
    port = free_port()
    unit = "usher-inetd.socket"
    listen_on(port, unit=unit, more="MaxConnections=2\n")
    first, second = greeted(port, "old"), greeted(port, "old")
    instances = systemctl("list-units", "--plain", "--no-legend",
                          "usher-inetd@*").splitlines()
    same(len(instances), 2, "instances")
    third = Client(port)
    expect(third.end() in ("fin", "reset"), "more than MaxConnections")
    local, mark = "%d" % first.local, last_moment()
    first.close()
    same(line_of(local, mark)["SYSLOG_IDENTIFIER"], "usher")
    systemctl("stop", unit)
    alive(second)
    second.close()
    expect(wait_for(lambda: "usher-inetd@" not in systemctl(
        "list-units", "--all", "--plain", "--no-legend")), "instances stay")


@check("one way after the other on the same port")
def _():
    port = serving()
    greeted(port, "old").close()
    drop_in("usher-inetd.socket",
            "[Socket]\nListenStream=\nListenStream=%d\n" % port)
    systemctl("start", "usher-inetd.socket")
    same((state(SOCKET), state(UNIT)), ("inactive", "inactive"))
    greeted(port, "old").close()
    systemctl("start", SOCKET)
    same(state("usher-inetd.socket"), "inactive")
    greeted(port, "old").close()
    same(state(UNIT), "active")


@check("rules tell sockets apart by the names systemd gives them")
def _():
    fresh()
    rules("[admin]\nsocket = admin\nbackend = %s\n"
          % backends["new"].address + "[old]\nprotocol = any silent\n"
          "backend = %s\n" % backends["old"].address)
    systemctl("start", SOCKET)
    port, other = PORT, free_port()
    from_contrib("usher-admin.socket", "usher-admin.socket")
    greeted(port, "old").close()
    client = greeted(port, "old")
    drop_in("usher-admin.socket", "[Socket]\nListenStream=\n"
            "ListenStream=127.0.0.1:%d\n" % other)
    systemctl("stop", UNIT)
    systemctl("start", "usher-admin.socket")
    greeted(other, "new").close()
    greeted(port, "old").close()
    alive(client)


@check("two more ushers: rules, sockets and tables of their own")
def _():
    port = serving()
    default = greeted(port, "old")
    clients = {}
    for name in ("usher@.socket", "usher@.service"):
        from_contrib(name, name)
    for name in ("old", "new"):
        rules(to(name), RULES.replace("usher.conf", name + ".conf"))
        port = free_port()
        listen_on(port, unit="usher@%s.socket" % name)
        clients[name] = greeted(port, name)
    for name, client in clients.items():
        directory = "/run/usher-" + name
        expect(is_listed(client, "--directory", directory), "not there")
        same(len(status("--directory", directory)["connections"]), 1)
        systemctl("reload", "usher@%s.service" % name)
        systemctl("restart", "usher@%s.service" % name)
        expect(is_listed(alive(client) and client, "--directory", directory),
               "the table has lost it")
    same(len(status()["connections"]), 1)
    expect(is_listed(default), "the first one has lost it")


@check("exec and unix sockets work under the hardened unit")
def _():
    listener = Backend("unix", family=socket.AF_UNIX,
                       address="/run/backend.sock")
    os.chmod("/run/backend.sock", 0o666)
    port = serving("[exec]\npayload = \"E\"\nexec = /bin/cat\n"
                   "[unix]\nprotocol = any\n"
                   "backend = unix:/run/backend.sock\n")
    with Client(port) as client:
        client.send(b"Echo\n")
        same(client.line(), "Echo")
    greeted(port, "unix").close()
    os.unlink("/run/backend.sock")
    expect(listener.accepted == 1, "not through the socket")


@check("transparent.conf: the backend sees the client's address")
def _():
    seen = Backend("seen")
    run("ip", "address", "add", "192.0.2.7/32", "dev", "lo")
    fresh()
    from_contrib("transparent.conf", UNIT + ".d/transparent.conf")
    rules("[old]\nprotocol = any\nbackend = %s\ntransparent = yes\n"
          % seen.address)
    systemctl("start", SOCKET)
    port = PORT
    client = Client(port, source="192.0.2.7")
    same(client.send(b"x\n").line(), "seen")
    same(seen.peers[0][0], "192.0.2.7")
    with open("/proc/%d/status" % main_pid()) as f:
        effective = re.search(r"CapEff:\s*(\S+)", f.read()).group(1)
    same(int(effective, 16), 1 << 13, "capabilities")
    client.close()


@check("static-user.conf: members of its group may ask for the status")
def _():
    shutil.copy("/mnt/contrib/usher.sysusers", tmp + "/usher.conf")
    run("systemd-sysusers", tmp + "/usher.conf")
    fresh()
    rules(to("old"))
    from_contrib("static-user.conf", UNIT + ".d/static-user.conf")
    systemctl("start", SOCKET)
    client = greeted(PORT, "old")
    anybody = ["setpriv", "--reuid=12345", "--regid=12345"]
    member, stranger = anybody + ["--groups=_usher"], anybody + [
        "--clear-groups"]
    said = run(*member, program("usher"), "status", "--json")
    expect('"client_port":%d' % client.local in said.replace(" ", ""), said)
    fails(*stranger, program("usher"), "status", "--json")
    client.close()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
