"""Processes of a unit come and go, connections stay: restarts and upgrades under
load, idleness, and death, on a machine with systemd: tests/e2e_systemd.sh."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from machine import (PORT, SOCKET, UNIT, alive, await_message, await_state,
                     backends, children_of, drop_in, free_port, fresh, greeted,
                     is_listed, last_moment, main_pid, messages, refused,
                     rules, run, serving, show, state, status, systemctl, to,
                     write)
from wire import (Backend, Client, check, expect, run_checks, same, tmp,
                  wait_for)


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


def what_went_wrong(start):
    """What usher said since then, but of those who were served to their end."""
    return [m for m in messages("-t", "usher", after=start)
            if not re.search("end=client-closed", m)][-12:]


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
    start = last_moment()
    load = Load(port)
    pids = [main_pid()]
    try:
        while not load.lost and (load.done < 2000 or len(pids) < 4):
            wait_for(lambda: load.has_done(250 * len(pids)), 60)
            change()
            pids.append(main_pid())
            expect(is_listed(download.client),
                   "the table has lost the download")
    finally:
        load.end()
    print("# %d times, %d connects" % (len(pids) - 1, load.done))
    expect(not load.lost, "%d lost: %s; %s" % (
        len(load.lost), load.lost[:3], what_went_wrong(start)))
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


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
