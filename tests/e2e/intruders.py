"""A process that was broken into, and what it can do to the others: system
calls are made in its place, as whoever took it over would make them."""

import ctypes
import os
import re
import signal
import struct
import subprocess
import sys

from wire import (Backend, Client, Failure, Skipped, Usher, check, expect,
                  is_sanitized, run_checks, same, wait_for)

ATTACH, DETACH, GETREGS, SETREGS, SINGLESTEP, POKE = 16, 17, 12, 13, 9, 5
R10, R9, R8, RAX, RDX, RSI, RDI, ORIG_RAX, RIP, RSP = (
    7, 8, 9, 10, 12, 13, 14, 15, 16, 19)
SENDTO, SENDMSG, SHUTDOWN, SETSOCKOPT, DUP2, CONNECT, CLOSE, KILL = (
    44, 46, 48, 54, 33, 42, 3, 62)
LOG_FD, KEEPER_FD = 3, 5  # handover.h

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 2 + [ctypes.c_void_p] * 2
libc.ptrace.restype = ctypes.c_long


def trace(request, pid, at=None, data=None):
    if libc.ptrace(request, pid, at, data) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Intruder:
    """Takes over a process that sleeps in a system call."""

    def __init__(self, pid):
        if os.uname().machine != "x86_64":
            raise Skipped("it speaks x86-64 only")
        self.pid = pid
        self.saved = (ctypes.c_ulonglong * 27)()
        try:
            trace(ATTACH, pid)
        except PermissionError:
            raise Skipped("no process may be traced here")
        os.waitpid(pid, 0)
        trace(GETREGS, pid, None, ctypes.addressof(self.saved))
        self.room = (self.saved[RSP] - 16384) & ~15

    def put(self, data):
        """Bytes in its memory; where they are."""
        at = self.room
        for i in range(0, len(data), 8):
            word, = struct.unpack("<Q", data[i:i + 8].ljust(8, b"\0"))
            trace(POKE, self.pid, at + i, word)
        self.room += (len(data) + 15) & ~15
        return at

    def call(self, number, *arguments):
        """What the kernel says; None if it has killed the process."""
        regs = (ctypes.c_ulonglong * 27)(*self.saved)
        for register, value in zip((RDI, RSI, RDX, R10, R8, R9), arguments):
            regs[register] = value
        regs[RIP] = self.saved[RIP] - 2  # the instruction it sleeps in
        regs[RAX], regs[ORIG_RAX] = number, 2 ** 64 - 1
        regs[RSP] = (self.saved[RSP] - 65536) & ~15
        trace(SETREGS, self.pid, None, ctypes.addressof(regs))
        trace(SINGLESTEP, self.pid)
        _, status = os.waitpid(self.pid, 0)
        if not os.WIFSTOPPED(status):
            return None
        if os.WSTOPSIG(status) == signal.SIGSYS:
            trace(DETACH, self.pid, None, signal.SIGSYS)
            return None
        trace(GETREGS, self.pid, None, ctypes.addressof(regs))
        return ctypes.c_longlong(regs[RAX]).value

    def leave(self):
        trace(SETREGS, self.pid, None, ctypes.addressof(self.saved))
        trace(DETACH, self.pid)


backend = Backend("any")
RULES = """
    inspect-timeout = 10s
    [program]
    payload = "Ph"
    exec = /bin/cat
    [any]
    protocol = any
    backend = %s
    """ % backend.address


def child_of(usher, client):
    """The process that serves client, or many, once it waits for it."""
    acceptor = usher.acceptor()

    def find():
        for row in usher.table()["connections"]:
            with open("/proc/%d/stat" % row["pid"]) as f:
                state, up = f.read().rpartition(")")[2].split()[:2]
            if (row["client_port"], int(up), state) == (
                    client.local, acceptor, "S"):
                return row["pid"]
    pid = wait_for(find)
    expect(pid, "no child: %s" % usher.table())
    return pid


def socket_of(pid, client):
    """The number that the client's socket has in this process."""
    with open("/proc/net/tcp") as table:
        inodes = [fields[9] for fields in map(str.split, table)
                  if fields[2] == "0100007F:%04X" % client.local]
    return next(int(fd) for fd in os.listdir("/proc/%d/fd" % pid)
                if os.readlink("/proc/%d/fd/%s" % (pid, fd)) in
                ["socket:[%s]" % inode for inode in inodes])


def undecided(usher):
    """A client that has a process, or one of many, and is not served yet."""
    return usher.connect().send(b"P")


def goes_on(usher):
    """Are others served, by both roads?"""
    with usher.connect() as client:
        same(client.send(b"Phello\n").line(), "Phello")
    with usher.connect() as client:
        client.send(b"x\n")
        same((client.line(), client.line()), ("any", "x"))


def processor_time(pid):
    with open("/proc/%d/stat" % pid) as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13]))


def is_served(usher):
    try:
        goes_on(usher)
        return True
    except (Failure, OSError):
        return False


def make_calls(usher, *calls):
    """The calls in a child, one after the other, then it goes on."""
    client = undecided(usher)
    intruder = Intruder(child_of(usher, client))
    for call in calls:
        arguments = [intruder.put(a) if isinstance(a, bytes) else a
                     for a in call]
        if intruder.call(*arguments) is None:
            return client
    intruder.leave()
    return client


def is_at_rest(pid):
    before = processor_time(pid)
    with Client(backend.port) as pause:
        pause.line()
        pause.quiet(1)
    return processor_time(pid) - before < 50


def harms_nobody(*calls):
    usher = Usher(RULES)
    goes_on(usher)
    client = make_calls(usher, *calls)
    expect(wait_for(lambda: is_served(usher)), "others suffer:\n" +
           usher.log())
    goes_on(usher)
    expect(is_at_rest(usher.process.pid), "the keeper does not come to rest")
    client.close()
    usher.stop()


@check("the way to the keeper cannot be shut for the others")
def _():
    harms_nobody((SHUTDOWN, KEEPER_FD, 2))


@check("nor can it under another number")
def _():
    harms_nobody((DUP2, KEEPER_FD, 40), (SHUTDOWN, 40, 2))


@check("the log's socket is beyond reach")
def _():
    if is_sanitized():
        raise Skipped("no sandbox in a build for sanitizers")
    address = struct.pack("<H", 0) + bytes(14)
    for call in (SHUTDOWN, LOG_FD, 2), (DUP2, LOG_FD, 40), \
            (CONNECT, LOG_FD, address, 16):
        usher = Usher(RULES)
        client = make_calls(usher, call)
        # What it has sent was looked at, and never read.
        same(client.end(), "reset", "the end of the intruder's client is")
        usher.await_line("stopped by the sandbox")
        goes_on(usher)
        usher.stop()


@check("neither keeper nor acceptor can be told to end")
def _():
    if is_sanitized():
        raise Skipped("no sandbox in a build for sanitizers")
    usher = Usher(RULES)
    for elder in usher.process.pid, usher.acceptor():
        client = make_calls(usher, (KILL, elder, signal.SIGTERM))
        # What it has sent was looked at, and never read.
        same(client.end(), "reset", "the end of the intruder's client is")
        usher.await_line("stopped by the sandbox")
        goes_on(usher)
    # Nor if a kernel lets it: its own keeper is the only one whom it obeys.
    acceptor = usher.acceptor()
    with open("/proc/%d/status" % acceptor) as f:
        uid = int(re.search(r"Uid:\s+(\d+)", f.read()).group(1))
    subprocess.run(["kill", "-TERM", str(acceptor)], user=uid, check=True)
    goes_on(usher)
    same(usher.acceptor(), acceptor, "the acceptor is")
    usher.stop()


def claim_in_file(usher, pid, by):
    """Writes another process's number over pid, wherever a slot has it."""
    n = 0
    with open(usher.run + "/scoreboard", "r+b") as f:
        data = f.read(4 << 20)
        at = data.find(struct.pack("<i", pid))
        while at >= 0:
            if at % 4 == 0:
                f.seek(at)
                f.write(struct.pack("<i", by))
                n += 1
            at = data.find(struct.pack("<i", pid), at + 1)
    return n


def leave_alone(bystander, settings):
    usher = Usher(settings + RULES)
    goes_on(usher)
    clients = [undecided(usher) for _ in range(2)]
    # One worker may have both.
    children = sorted({child_of(usher, client) for client in clients})
    for child, by in zip(children, (bystander.pid, -bystander.pid)):
        expect(claim_in_file(usher, child, by), "there is no slot")
    # One more: the oldest would have to go.
    clients += [undecided(usher) for _ in range(3)]
    for child in children:
        os.kill(child, signal.SIGKILL)
    usher.process.send_signal(signal.SIGHUP)
    usher.await_line("reloaded the rules")
    goes_on(usher)
    for client in clients:
        client.close()
    usher.stop()
    same(bystander.poll(), None, "the bystander has ended:")


@check("a process is not told to end because somebody has written its number")
def _():
    if os.getuid():
        raise Skipped("needs root")
    for user in "root", "nobody":
        bystander = subprocess.Popen(["sleep", "1000"])
        try:
            leave_alone(bystander, "user = %s\nmax-pending = 2\n" % user)
        finally:
            bystander.kill()
            bystander.wait()


def request(intruder, fds, row=0xffff):
    """Sends the keeper a request with descriptors."""
    rights = struct.pack("<QII%di" % len(fds), 16 + 4 * len(fds), 1, 1, *fds)
    text = intruder.put(struct.pack("<HHIi", row, 0, 0, intruder.pid))
    message = struct.pack("<7Q", 0, 0,
                          intruder.put(struct.pack("<2Q", text, 12)), 1,
                          intruder.put(rights), len(rights), 0)
    return intruder.call(SENDMSG, KEEPER_FD, intruder.put(message), 0)


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def linger_in(fds):
    """A child fills its client's socket, has it linger, and sends it to the
    keeper so many times."""
    usher = Usher(RULES)
    goes_on(usher)
    before = descriptors(usher.process.pid)
    client = undecided(usher)
    intruder = Intruder(child_of(usher, client))
    socket = socket_of(intruder.pid, client)
    data = intruder.put(bytes(4096))
    while intruder.call(SENDTO, socket, data, 4096, 0x4040, 0, 0) > 0:
        pass
    same(intruder.call(SETSOCKOPT, socket, 1, 13,
                       intruder.put(struct.pack("<2i", 1, 300)), 8), 0)
    same(request(intruder, [socket] * fds), 12)
    same(intruder.call(CLOSE, socket), 0)
    intruder.leave()
    goes_on(usher)  # the keeper has run a program since
    expect(wait_for(lambda: descriptors(usher.process.pid) == before),
           "descriptors are left in the keeper")
    client.close()
    usher.stop()


@check("the keeper does not linger over a socket that it was sent")
def _():
    linger_in(1)


@check("nor over surplus ones, and keeps none")
def _():
    linger_in(60)


@check("requests that are none change nothing")
def _():
    usher = Usher(RULES)
    goes_on(usher)
    before = descriptors(usher.process.pid)
    client = undecided(usher)
    intruder = Intruder(child_of(usher, client))
    for row in 0, 1, 0xffff:
        for fds in [], [0], [KEEPER_FD], [LOG_FD, 4]:
            request(intruder, fds, row)
    intruder.leave()
    goes_on(usher)
    expect(wait_for(lambda: descriptors(usher.process.pid) == before),
           "descriptors are left in the keeper")
    client.close()
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
