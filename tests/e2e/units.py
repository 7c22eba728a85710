"""usher's units on a machine of their own, as an administrator uses them."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import machine
from machine import (PORT, RULES, SOCKET, UNIT, alive, await_message, await_state,
                     drop_in, fails, free_port, fresh, from_contrib, greeted,
                     is_listed, journal, last_moment, listen_on, main_pid,
                     refused, rules, run, show, state, status, systemctl,
                     write)
from wire import (Backend, Client, check, expect, hello, program, run_checks,
                  same, tmp, wait_for)

CONNECTION = "MESSAGE_ID=f5a12949eff045dfb07ee69d59389306"

backends = {name: Backend(name) for name in ("old", "new")}


def to(name, settings=""):
    return """
        inspect-timeout = 500ms
        %s
        [%s]
        protocol = any silent
        backend = %s
        """ % (settings, name, backends[name].address)


def serving(text=None):
    """Starts anew with these rules; returns the port."""
    fresh()
    rules(text or to("old"))
    systemctl("start", SOCKET)
    return PORT


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(child) for child in f.read().split()]


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


def greeting(port):
    with Client(port) as client:
        return client.send(b"x\n").line()


@check("systemctl reload of a mistake: it fails, names it, changes nothing")
def _():
    port = serving()
    before = greeted(port, "old")
    rules(to("new") + "nonsense = 1\n")
    mark = last_moment()
    fails("systemctl", "reload", UNIT)
    await_message(r"usher\.conf:6:1: unknown key", "-u", UNIT, after=mark)
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
    await_message(r"usher\.conf:6:1: unknown key", "-u", UNIT, after=mark)
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
    told = r"Got notification message from PID \d+.*\(%s"
    await_message(told % r"RELOADING=1, MONOTONIC_USEC=\d+\)", after=mark)
    await_message(told % "READY=1, STATUS=", after=mark)
    systemctl("log-level", "info")
    await_state("active")


# -- restart ---------------------------------------------------------------------

class Load:
    """Clients one after another, in threads: each is connected, greeted and
    echoed, or counted as lost."""

    def __init__(self, port, threads=4):
        self.port = port
        self.ending = False
        self.done = 0
        self.lost = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work)
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while not self.ending:
            try:
                greeted(self.port, "old").close()
                with self.lock:
                    self.done += 1
            except Exception as e:  # whatever it is, this one is lost
                with self.lock:
                    self.lost.append(repr(e))

    def has_done(self, count):
        return self.lost or self.done >= count

    def end(self):
        self.ending = True
        for thread in self.threads:
            thread.join()


CHUNK = os.urandom(1 << 16)
CHUNKS = 100


def send_slowly(_, conn, index):
    """A download that takes longer than what happens around it."""
    conn.recv(100)
    for _ in range(CHUNKS):
        conn.sendall(CHUNK)
        if not download_may_end.is_set():
            time.sleep(.02)
    download_may_end.wait(60)
    conn.sendall(b"the end")


download_may_end = threading.Event()


class Download(threading.Thread):
    def __init__(self, port):
        super().__init__()
        self.client = Client(port)
        self.client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.client.socket.settimeout(90)
        self.sum = None
        self.start()

    def run(self):
        self.sum = hashlib.sha256(self.client.rest()).digest()
        self.client.close()

    def is_complete(self):
        self.join(90)
        return self.sum == hashlib.sha256(CHUNK * CHUNKS + b"the end").digest()


class Ssh:
    """sshd, and a session of ssh's through usher in which cat runs."""

    def __init__(self):
        self.port = free_port()
        for name in ("host", "user"):
            if not os.path.exists(tmp + "/" + name):
                run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    tmp + "/" + name)
        config = write(tmp + "/sshd_config", """
            ListenAddress 127.0.0.1:%d
            HostKey %s/host
            AuthorizedKeysFile %s/user.pub
            StrictModes no
            PermitRootLogin prohibit-password
            UsePAM no
            """ % (self.port, tmp, tmp))
        os.makedirs("/run/sshd", exist_ok=True)
        self.daemon = subprocess.Popen(
            [shutil.which("sshd"), "-D", "-e", "-f", config],
            stdin=subprocess.DEVNULL, stderr=open(tmp + "/sshd.log", "w"))
        expect(wait_for(lambda: not refused(self.port)), "sshd is not there")

    def connect(self, port):
        self.session = subprocess.Popen(
            ["ssh", "-F", "none", "-i", tmp + "/user", "-p", "%d" % port,
             "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
             "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
             "root@127.0.0.1", "cat"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)
        self.alive()

    def alive(self):
        self.session.stdin.write("hello\n")
        same(self.session.stdout.readline(), "hello\n", "the session says")

    def stop(self):
        self.session.stdin.close()
        same(self.session.wait(30), 0, "ssh ends with")
        self.daemon.terminate()
        self.daemon.wait(30)


def under_load(change):
    """None of 2,000 connects is refused, an ssh session and a download survive
    and stay in the table, while change() is done again and again."""
    ssh = Ssh()
    files = Backend("files", behave=send_slowly)
    download_may_end.clear()
    port = serving("""
        [ssh]
        protocol = ssh
        backend = 127.0.0.1:%d
        [files]
        protocol = http
        backend = %s
        [old]
        protocol = any silent
        backend = %s
        """ % (ssh.port, files.address, backends["old"].address))
    ssh.connect(port)
    download = Download(port)
    load = Load(port)
    pids = [main_pid()]
    while load.done < 2000 or len(pids) < 4:
        wait_for(lambda: load.has_done(250 * len(pids)), 60)
        expect(not load.lost, "lost: %s" % load.lost)
        change()
        pids.append(main_pid())
        expect(is_listed(download.client), "the table has lost the download")
    load.end()
    print("# %d times, %d connects" % (len(pids) - 1, load.done))
    same(load.lost, [])
    same(len(set(pids)), len(pids), "different processes")
    ssh.alive()
    expect(wait_for(lambda: sorted(
        c["service"] for c in status()["connections"]) == ["files", "ssh"]),
           "after all that there are %s" % status()["connections"])
    same(status()["services"]["old"]["total"], load.done, "and have been")
    download_may_end.set()
    expect(download.is_complete(), "the download is not what was sent")
    ssh.stop()
    expect(wait_for(lambda: not status()["connections"]),
           "they stay in the table: %s" % status())


@check("restarts under load: nobody is refused, nothing is cut")
def _():
    under_load(lambda: systemctl("restart", UNIT))


def replace(packed):
    """Puts a file of the package in its place, as dpkg does."""
    path = packed[len("/mnt/package"):]
    shutil.copy(packed, path + ".new")
    os.rename(path + ".new", path)


@check("upgrades under load: nobody is refused, nothing is cut")
def _():
    def upgrade():
        for directory, _, names in os.walk("/mnt/package"):
            for name in names:
                replace(directory + "/" + name)
        systemctl("daemon-reload")
        systemctl("try-restart", UNIT)
    under_load(upgrade)


@check("stop: connections live on, the next one starts it again")
def _():
    port = serving()
    client = greeted(port, "old")
    same(run("systemctl", "stop", UNIT) and state(UNIT), "inactive")
    alive(client)
    expect(is_listed(client), "the table has lost it")
    second = greeted(port, "old")
    same(state(UNIT), "active")
    expect(is_listed(client) and is_listed(second), "%s" % status())
    client.close()
    expect(wait_for(lambda: not is_listed(client)), "it stays in the table")
    second.close()


@check("all connections can be ended, when that is wanted")
def _():
    port = serving()
    clients = [greeted(port, "old") for _ in range(3)]
    systemctl("stop", SOCKET, UNIT)
    systemctl("kill", UNIT)
    for client in clients:
        same(client.end(), "fin")
    expect(refused(port), "the port is open")


# -- idle, stuck, killed -----------------------------------------------------------

@check("exit-idle-time: nothing is left running, the next client starts it")
def _():
    port = serving(to("old", "exit-idle-time = 1s"))
    client = greeted(port, "old")
    pid = main_pid()
    client.close()
    await_state("inactive")
    same(show(UNIT, "Result"), "success")
    expect(not os.path.exists("/proc/%d" % pid), "it still is there")
    greeted(port, "old").close()
    same(state(UNIT), "active")
    expect(main_pid() != pid, "the same process")
    same(status()["services"]["old"]["total"], 2, "counted over both lives")


@check("WatchdogSec: a keeper that is stuck is replaced, connections live on")
def _():
    fresh()
    drop_in(UNIT, "[Service]\nWatchdogSec=2s\n")
    rules(to("old"))
    systemctl("start", SOCKET)
    port = PORT
    client = greeted(port, "old")
    pid = main_pid()
    time.sleep(3)  # twice is when it would have been missed
    same(main_pid(), pid)
    os.kill(pid, signal.SIGSTOP)
    expect(wait_for(lambda: main_pid() not in (0, pid), 30), "not replaced")
    await_message("Watchdog timeout", "-u", UNIT)
    alive(client)
    greeted(port, "old").close()
    expect(is_listed(client), "the table has lost it")


@check("kill -9 of every kind of process: only what it carried ends")
def _():
    port = serving()
    client = greeted(port, "old")
    acceptor = children_of(main_pid())[0]
    os.kill(acceptor, signal.SIGKILL)
    greeted(port, "old").close()
    alive(client)
    pid = main_pid()
    os.kill(pid, signal.SIGKILL)
    greeted(port, "old").close()  # systemd has kept the port
    expect(wait_for(lambda: main_pid() not in (0, pid), 30), "not replaced")
    await_state("active")
    alive(client)
    relay = [c["pid"] for c in status()["connections"]
             if c["client_port"] == client.local][0]
    os.kill(relay, signal.SIGKILL)
    expect(client.end() in ("fin", "reset"), "it lives")
    expect(wait_for(lambda: not status()["connections"], 30), "%s" % status())
    same(state(UNIT), "active")


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
    listener = Backend("unix", family=machine.socket.AF_UNIX,
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
    same(int(effective, 16), 1 << 12, "capabilities")
    client.close()


@check("static-user.conf: members of its group may ask for the status")
def _():
    shutil.copy("/mnt/contrib/usher.sysusers", tmp + "/usher.conf")
    run("systemd-sysusers", tmp + "/usher.conf")
    port = serving()
    greeted(port, "old").close()  # as it was before
    from_contrib("static-user.conf", UNIT + ".d/static-user.conf")
    systemctl("restart", UNIT)
    client = greeted(port, "old")
    member = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=_usher"]
    stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    said = run(*member, program("usher"), "status", "--json")
    expect('"client_port":%d' % client.local in said.replace(" ", ""), said)
    fails(*stranger, program("usher"), "status", "--json")
    client.close()


if __name__ == "__main__":
    sys.exit(run_checks(*sys.argv[1:]))
