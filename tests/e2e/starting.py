"""Started by careless programs: descriptors closed or left open, sockets of
the wrong kind, an environment that means somebody else."""

import glob
import os
import socket
import subprocess
import sys

from wire import (HOST, PATIENCE, Backend, Client, Usher, check, expect,
                  passed_socket, program, run_checks, same, tmp, wait_for)

backend = Backend("any")
RULES = """
    [any]
    protocol = any silent
    backend = %s
    """ % backend.address
rules_file = tmp + "/plain.conf"
with open(rules_file, "w") as out:
    out.write("log-target = stderr\n[any]\nprotocol = any silent\n"
              "backend = %s\n" % backend.address)


def serves(usher, port=None):
    with usher.connect(port) as client:
        same(client.send(b"x").line(), "any", "reached")


def through(words):
    """A shell that says these words before it becomes the program."""
    return ["bash", "-c", words + '; exec "$@"', "-"]


def port_of(pid):
    """The port that a process listens to: for one that cannot say so."""
    sockets = set()
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            sockets.add(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        except OSError:
            pass
    with open("/proc/net/tcp") as table:
        for row in list(table)[1:]:
            fields = row.split()
            if fields[3] == "0A" and "socket:[%s]" % fields[9] in sockets:
                return int(fields[1].rpartition(":")[2], 16)
    return None


def serves_unheard(words):
    """usher started like this serves a socket of its own."""
    process = subprocess.Popen(
        [*through(words), program("usher"), "serve", "-c", rules_file,
         "--listen", HOST + ":0"],
        start_new_session=True, env=dict(os.environ, RUNTIME_DIRECTORY=tmp))
    try:
        port = wait_for(lambda: process.poll() is not None or
                        port_of(process.pid))
        same(process.poll(), None, "exit status")
        expect(port, "it listens to nothing")
        with Client(port) as client:
            same(client.send(b"x").line(), "any", "reached")
    finally:
        process.terminate()
        process.wait(PATIENCE)


def inetd(stdin, words=":"):
    """usherd --inetd, as a super-server would start it; when it has ended."""
    return subprocess.run(
        [*through(words), program("usherd"), "--inetd", rules_file],
        stdin=stdin, capture_output=True, text=True, timeout=PATIENCE)


def inetd_serves(words):
    """A client's words are answered when usherd is started like this."""
    name, listener = passed_socket("")
    with Client(listener.getsockname()[1]) as client:
        accepted, _ = listener.accept()
        client.send(b"x").finish()
        done = inetd(accepted, words)
        accepted.close()
        listener.close()
        same(done.returncode, 0, "exit status")
        same(client.rest(), b"any\nx", "answer")


@check("usher serve without standard descriptors serves")
def _():
    for closed in ("2>&-", "<&- >&- 2>&-"):
        sockets = [passed_socket("web")]
        usher = Usher(RULES, sockets=sockets,
                      through=through("exec " + closed))
        serves(usher)
        usher.stop()
    # Who binds for itself could get the numbers of what is missing.
    for closed in ("2>&-", "<&- >&- 2>&-"):
        serves_unheard("exec " + closed)


def has_tried(pid):
    """It has a socket, which it cannot bind yet."""
    try:
        return any(os.readlink(link).startswith("socket:") for link in
                   glob.glob("/proc/%d/fd/*" % pid))
    except OSError:  # closed since it was listed
        return False


@check("a port that somebody is about to let go is waited for, another is not")
def _():
    holder = socket.create_server((HOST, 0))
    listen = "%s:%d" % (HOST, holder.getsockname()[1])
    command = [program("usher"), "serve", "-c", rules_file, "--listen", listen]
    environment = dict(os.environ, RUNTIME_DIRECTORY=tmp)
    done = subprocess.run(command, capture_output=True, text=True,
                          timeout=PATIENCE, env=environment)
    expect(done.returncode != 0 and "cannot listen on " + listen in
           done.stderr, done.stderr)
    process = subprocess.Popen(command, start_new_session=True,
                               stderr=subprocess.PIPE, text=True,
                               env=environment)
    try:
        expect(wait_for(lambda: has_tried(process.pid)), "it does not try")
        holder.close()
        same(process.stderr.readline(), "listening on %s\n" % listen)
    finally:
        process.terminate()
        process.wait(PATIENCE)


@check("--inetd does not mind what its super-server has left open")
def _():
    inetd_serves(":")
    inetd_serves("for fd in {3..20}; do eval \"exec $fd</dev/null\"; done")
    inetd_serves("exec 8<&0 9<&0")
    inetd_serves("exec 1>&- 2>&-")
    inetd_serves("exec 1>&0 2>&0")


@check("--inetd refuses what is no stream socket, and says so")
def _():
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((HOST, 0))
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with open("/dev/null") as null:
        for stdin in (datagrams, one, other, null):
            done = inetd(stdin)
            same(done.returncode, 2, "exit status")
            expect("is no stream socket" in done.stderr, done.stderr)
    done = inetd(subprocess.DEVNULL, "exec <&-")
    same(done.returncode, 2, "exit status")


@check("--inetd without descriptors to spare says so")
def _():
    one, other = socket.socketpair()
    done = inetd(one, "ulimit -n 8")
    same(done.returncode, 1, "exit status")
    expect("cannot keep the socket: " in done.stderr, done.stderr)


@check("passed sockets that are none, or somebody else's")
def _():
    def ends(words, status, text):
        done = subprocess.run(
            [*through(words), program("usher"), "serve", "-c", rules_file],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE)
        same(done.returncode, status, "exit status after %s" % words)
        expect(text in done.stderr, done.stderr)

    mine = "export LISTEN_PID=$$ LISTEN_FDS="
    for number in ("x", "-1", "99999999999", "2147483647", "1x"):
        ends(mine + number, 1, "bad LISTEN_FDS")
    ends(mine + "1; exec 3<&-", 1, "bad LISTEN_FDS")
    ends(mine + "1; exec 3</dev/null", 1, "not a listening stream socket")
    ends(mine + "1 LISTEN_FDNAMES=a:b; exec 3</dev/null", 1, "bad LISTEN_FDS")
    ends("export LISTEN_PID=1 LISTEN_FDS=1; exec 3</dev/null", 2,
         "there is no socket to serve")


@check("--listen beside passed sockets is ignored, and that is said")
def _():
    usher = Usher(RULES, listen=[HOST + ":0"], sockets=[passed_socket("web")])
    serves(usher)
    expect("--listen is ignored: sockets were passed" in usher.log(),
           usher.log())
    expect("listening on" not in usher.log(), usher.log())
    usher.stop()


@check("a backend where usher itself listens is said at the start")
def _():
    def says(backend, listener, expected):
        usher = Usher(RULES.replace("any silent", "ssh") +
                      "[loop]\nprotocol = tls\nbackend = %s\n" % backend,
                      sockets=[("web", listener)])
        with usher.connect() as client:
            same(client.send(b"zz").rest(), b"", "answer, for no rule fits")
        said = "where usher itself listens" in usher.log()
        same(said, expected, usher.log())
        usher.stop()

    name, listener = passed_socket("")
    port = listener.getsockname()[1]
    says("%s:%d" % (HOST, port), listener, True)
    says("127.3.3.3:%d" % port, listener, False)
    # As systemd binds it: one socket for both families.
    both = socket.create_server(("", 0), family=socket.AF_INET6,
                                dualstack_ipv6=True)
    says("127.3.3.3:%d" % both.getsockname()[1], both, True)


@check("of several runtime directories the first is where status looks")
def _():
    for name in ("one", "two"):
        os.mkdir("%s/%s" % (tmp, name))
        os.chmod("%s/%s" % (tmp, name), 0o1777)
    both = "RUNTIME_DIRECTORY=%s/one:%s/two" % (tmp, tmp)
    usher = Usher(RULES, through=["env", both])
    serves(usher)
    done = subprocess.run(["env", both, program("usher"), "status"],
                          capture_output=True, text=True, timeout=PATIENCE)
    same(done.returncode, 0, "exit status")
    expect("any" in done.stdout, done.stdout + done.stderr)
    usher.stop()


@check("a scoreboard that cannot be is missed in the log, not by clients")
def _():
    place = tmp + "/occupied"
    os.makedirs(place + "/scoreboard")
    usher = Usher(RULES, through=["env", "RUNTIME_DIRECTORY=" + place])
    serves(usher)
    usher.await_line("usher status will not find us")
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
