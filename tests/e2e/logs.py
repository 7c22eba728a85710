"""Lines as those get them who read them: standard error, syslog, the journal;
and what fail2ban makes of them."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

from mounts import over
from wire import (Backend, Client, Skipped, Usher, check, closed_port, expect,
                  hello, run_checks, same, tmp, wait_for)

backend = Backend("any")
dead_holder, dead_port = closed_port()
FILTER = os.path.join(os.path.dirname(__file__),
                      "../../contrib/fail2ban/filter.d/usher.conf")

RULES = """
    inspect-timeout = 300ms
    max-per-source = 1
    log-target = %%s
    [dead]
    server-name = dead.example.net
    backend = 127.0.0.1:%d
    [away]
    protocol = http
    reject = close
    [any]
    server-name = *
    backend = %s
    """ % (dead_port, backend.address)

# Ends by the source that causes them; those in capitals are to be banned.
HOSTILE_ALPN = ("client=127.9.9.9 client_port=1 end=limit",
                'x" end=limit\nclient=127.9.9.8 client_port=1 end=no-rule')


def come(usher, source, data, finish=False):
    with usher.connect(source=source) as client:
        client.send(data)
        if finish:
            client.finish()
        client.end()


def behave_badly(usher):
    """Each kind of end, from an address of its own."""
    come(usher, "127.9.0.1", b"nobody wants this\n")  # no-rule
    come(usher, "127.9.0.2", b"GET / HTTP/1.0\r\n\r\n")  # rejected
    with usher.connect(source="127.9.0.3") as first:
        first.send(hello("x.example.net"))
        same(first.line(), "any")
        try:
            come(usher, "127.9.0.3", b"x")  # limit
        except ConnectionError:
            pass
    usher.connect(source="127.9.0.4").close()  # gone
    come(usher, "127.9.0.5", hello("dead.example.net"))  # refused
    for number, alpn in enumerate(HOSTILE_ALPN):
        with usher.connect(source="127.9.0.%d" % (6 + number)) as client:
            client.send(hello("x.example.net", alpn=[alpn]))  # client-closed
            same(client.line(), "any")


BANNED = ["127.9.0.1", "127.9.0.2", "127.9.0.3"]


def banned(lines, mode="normal"):
    """Whom fail2ban would ban for these lines."""
    if not shutil.which("fail2ban-regex"):
        raise Skipped("fail2ban is not installed")
    # As installed: next to what it includes.
    filters = tmp + "/fail2ban/filter.d"
    if not os.path.isdir(filters):
        os.makedirs(filters)
        shutil.copy(FILTER, filters)
        shutil.copy("/etc/fail2ban/filter.d/common.conf", filters)
    name = "%s/lines-%d" % (tmp, len(os.listdir(tmp)))
    with open(name, "w") as f:
        f.write("\n".join(lines) + "\n")
    done = subprocess.run(
        ["fail2ban-regex", "--out=ip", "--maxlines=1", name,
         "%s/usher.conf[mode=%s]" % (filters, mode)],
        capture_output=True, text=True)
    expect(done.returncode == 0, done.stderr + done.stdout)
    return sorted(set(done.stdout.split()))


def check_bans(lines):
    same(banned(lines), BANNED, "are banned")
    same(banned(lines, "aggressive"), BANNED + ["127.9.0.4"],
         "are banned, if aggressive,")


def await_ends(heard):
    expect(wait_for(lambda: len([l for l in heard() if "end=" in l]) >= 8),
           "lines: %s" % heard())


@check("standard error: fail2ban bans whom it should")
def _():
    usher = Usher(RULES % "stderr")
    behave_badly(usher)
    await_ends(lambda: usher.lines("^service=|^client="))
    # As a service manager or multilog would have it.
    check_bans(["2026-11-25 22:00:00 " + l for l in usher.log().splitlines()])
    check_bans(usher.log().splitlines())
    usher.stop()


class Listener:
    """A datagram socket in a directory that usher sees in place of another."""

    def __init__(self, path):
        self.heard = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while True:
            line = self.socket.recv(65536).decode()
            if not line:
                return
            self.heard.append(line)

    def close(self):
        # As long as somebody reads from it, it is not closed.
        self.socket.shutdown(socket.SHUT_RD)
        self.thread.join()
        self.socket.close()


@check("syslog: RFC 3164, and fail2ban bans whom it should")
def _():
    dev = tmp + "/dev"
    listener = Listener(dev + "/log")
    open(dev + "/null", "w").close()
    usher = Usher(RULES % "syslog", through=over("/dev", dev))
    behave_badly(usher)
    await_ends(lambda: listener.heard)
    for line in listener.heard:
        expect(re.match(r"<(28|29|30)>usher\[\d+\]: \S", line), line)
        expect("\n" not in line, repr(line))
    # As a daemon writes it to a file.
    check_bans(["Nov 25 22:00:00 host " + l.partition(">")[2]
                for l in listener.heard])
    usher.stop()


RSYSLOG = """
global(workDirectory="%(tmp)s")
module(load="imuxsock" SysSock.Use="off")
template(name="facts" type="string"
  string="%%programname%% %%procid%% %%msgid%% %%syslogseverity-text%%:%%msg%%\\n")
"""

# As an administrator would tell rsyslog to take either form, of its own
# socket in the place of /dev/log.
RSYSLOG_FORM = """
ruleset(name="%(form)s" %(parser)s) {
  action(type="omfile" file="%(tmp)s/%(form)s.facts" template="facts")
  action(type="omfile" file="%(tmp)s/%(form)s.file"
         template="RSYSLOG_TraditionalFileFormat")
}
input(type="imuxsock" Socket="%(tmp)s/%(form)s/log" %(special)s
      ruleset="%(form)s" RateLimit.Interval="0")
"""


class Rsyslog:
    """A real rsyslogd, of our own, with a socket for each form."""

    def __init__(self):
        if not shutil.which("rsyslogd"):
            raise Skipped("rsyslog is not installed")
        config = RSYSLOG % {"tmp": tmp}
        for form, parser, special in (
                ("syslog", "", ""),
                ("syslog-rfc5424", 'parser="rsyslog.rfc5424"',
                 'UseSpecialParser="off"')):
            os.mkdir("%s/%s" % (tmp, form))
            null = "%s/%s/null" % (tmp, form)
            open(null, "w").close()
            os.chmod(null, 0o666)  # usher dump, as nobody, opens it
            config += RSYSLOG_FORM % {"tmp": tmp, "form": form,
                                      "parser": parser, "special": special}
        with open(tmp + "/rsyslog.conf", "w") as f:
            f.write(config)
        with open(tmp + "/rsyslog.log", "w") as log:
            self.process = subprocess.Popen(
                ["rsyslogd", "-n", "-iNONE", "-f", tmp + "/rsyslog.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        expect(wait_for(lambda: os.path.exists(tmp + "/syslog/log") and
                        os.path.exists(tmp + "/syslog-rfc5424/log")),
               "rsyslogd: " + self.said())

    @staticmethod
    def said():
        with open(tmp + "/rsyslog.log") as log:
            return log.read()

    @staticmethod
    def lines(form, kind):
        try:
            with open("%s/%s.%s" % (tmp, form, kind)) as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def stop(self):
        self.process.terminate()
        self.process.wait()


def tell_rsyslog(form, msgid):
    usher = Usher(RULES % form, through=over("/dev", "%s/%s" % (tmp, form)))
    behave_badly(usher)
    usher.process.send_signal(signal.SIGHUP)
    expect(wait_for(lambda: [l for l in Rsyslog.lines(form, "facts")
                             if l.endswith("reloaded the rules")]),
           "lines: %s" % Rsyslog.lines(form, "facts"))
    await_ends(lambda: Rsyslog.lines(form, "facts"))
    expect(wait_for(lambda: len(Rsyslog.lines(form, "file")) >=
                    len(Rsyslog.lines(form, "facts"))), "lines are missing")
    for line in Rsyslog.lines(form, "facts"):
        of = msgid if "end=" in line else "-"
        expect(re.match(r"usher \d+ %s (err|warning|notice|info): ?\S" % of,
                        line), line)
    expect([l for l in Rsyslog.lines(form, "facts") if re.fullmatch(
        r"usher %d - info: ?reloaded the rules" % usher.process.pid, l)],
        "not the keeper's pid")
    check_bans(Rsyslog.lines(form, "file"))
    usher.stop()


@check("rsyslogd takes either form, and fail2ban bans whom it should")
def _():
    rsyslog = Rsyslog()
    try:
        tell_rsyslog("syslog", "-")
        tell_rsyslog("syslog-rfc5424", "connection")
        same(Rsyslog.said(), "", "rsyslogd says")
    finally:
        rsyslog.stop()


@check("the journal: fields, and fail2ban bans whom it should")
def _():
    run = tmp + "/run-of-journal"
    listener = Listener(run + "/systemd/journal/socket")
    usher = Usher(RULES % "journal", through=over("/run", run))
    behave_badly(usher)
    await_ends(lambda: listener.heard)
    lines = []
    for entry in listener.heard:
        fields = [line.partition("=") for line in entry.splitlines()]
        for name, _, value in fields:
            expect(re.fullmatch(r"[A-Z][A-Z0-9_]*", name), repr(entry))
        values = {name: value for name, _, value in fields}
        same(len(values), len(fields), "no field twice, fields")
        same(values["SYSLOG_IDENTIFIER"], "usher")
        # As fail2ban puts entries together.
        lines.append("2026-11-25 22:00:00 host usher[1]: " +
                     values["MESSAGE"])
    check_bans(lines)
    ends = [e for e in listener.heard if "USHER_END=" in e]
    one = [e for e in ends if "USHER_CLIENT=127.9.0.2\n" in e]
    same(len(one), 1, "entries")
    for field in ("USHER_SERVICE=away", "USHER_PROTOCOL=http",
                  "USHER_END=rejected", "PRIORITY=6"):
        expect("\n" + field + "\n" in one[0], field + " is not in " + one[0])
    usher.stop()


@check("there is no /dev/log, then there is: connections are served, lines come")
def _():
    dev = tmp + "/dev-late"
    os.mkdir(dev)
    open(dev + "/null", "w").close()
    usher = Usher(RULES % "syslog", through=over("/dev", dev))
    come(usher, "127.9.0.1", b"nobody wants this\n")
    usher.await_line("/dev/log")
    usher.await_line("end=no-rule")
    usher.stop()
    listener = Listener(dev + "/log")
    usher = Usher(RULES % "syslog", through=over("/dev", dev))
    come(usher, "127.9.0.1", b"nobody wants this\n")
    await_first = wait_for(lambda: [l for l in listener.heard if "end=" in l])
    expect(await_first, "nothing comes")
    # It is restarted, and its socket another: the next lines find it.
    os.unlink(dev + "/log")
    listener.close()
    # From elsewhere: the limit may still count who has just been turned down.
    come(usher, "127.9.0.2", b"nobody wants this\n")
    again = Listener(dev + "/log")
    come(usher, "127.9.0.3", b"nobody wants this\n")
    expect(wait_for(lambda: [l for l in again.heard if "end=" in l]),
           "nothing comes to the new one")
    usher.stop()


@check("the local port joins usher's line with the service's")
def _():
    usher = Usher(RULES % "stderr")
    with usher.connect() as client:
        client.send(hello("x.example.net"))
        same(client.line(), "any")
        peer = backend.peers[-1]
    expect("local_port=%d " % peer[1] in usher.line_of(client),
           usher.line_of(client))
    usher.stop()


@check("log-client = none: nothing tells who the client is")
def _():
    usher = Usher("log-client = none\n" + RULES % "stderr")
    behave_badly(usher)
    await_ends(lambda: usher.lines("end="))
    expect(not re.search(r"127\.9\.0|client_port|client=", re.sub(
        r'alpn="(\\.|[^"])*"', "", usher.log())), usher.log())
    usher.stop()


@check("what is repeated is counted")
def _():
    usher = Usher((RULES % "stderr").replace("max-per-source = 1",
                                             "max-per-source = 99"))
    for _ in range(25):
        come(usher, "127.9.0.5", hello("dead.example.net"))
    # Ten in ten seconds, and after them the count.
    expect(wait_for(lambda: come(usher, "127.9.0.5", hello(
        "dead.example.net")) or usher.lines("suppressed=")), "no count")
    said = len(usher.lines("end=refused"))
    counted = sum(int(n) for n in re.findall(r"suppressed=(\d+)", usher.log()))
    total = usher.table()["services"]["dead"]["ends"]["refused"]
    expect(total - 2 <= said + counted <= total, "%d said, %d counted of %d" %
           (said, counted, total))
    usher.stop()


@check("whose line has to wait for its reader is nobody's client any more")
def _():
    dev = tmp + "/dev-full"
    os.mkdir(dev)
    open(dev + "/null", "w").close()
    reader = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    reader.bind(dev + "/log")
    os.chmod(dev + "/log", 0o777)
    usher = Usher((RULES % "syslog").replace("max-per-source = 1",
                                             "max-per-source = 20"),
                  through=over("/dev", dev))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.connect(dev + "/log")
        filler.setblocking(False)
        try:
            while True:
                filler.send(b"nobody reads this")
        except BlockingIOError:
            pass
    for _ in range(40):
        with usher.connect() as client:
            client.send(hello("x.example.net"))
            same(client.line(), "any")
    usher.stop()
    reader.close()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
