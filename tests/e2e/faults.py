"""System calls that fail, one kind after the other: tests/faults.c makes those
of the processes that serve fail, in the programs as they are installed.

Nobody may hang, the acceptor and the keeper may not end, and once the kernel
works again everything has to."""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import threading

from wire import (Backend, Skipped, Usher, check, expect, program, run_checks,
                  same, shared, static, tmp, wait_for, PATIENCE, RESIDENT)

backend = Backend("any")

# Those that do not fail, or without which no process can be; and close(),
# which closes whatever it says, but would not do so here.
NEVER = {"close", "exit", "execve", "getpid", "gettid", "getppid", "brk", "arch_prctl",
         "set_tid_address", "clock_gettime"}
ERRORS = ("ENOMEM", "EINTR")

# What does not wait is not interrupted, signal(7).  Where one process waits for
# each it is asked again all the same; one for many hears of arrivals once.
NEVER_INTERRUPTED = {"recvfrom", "sendto", "splice"} if shared else set()

ACCEPT = ("EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ECONNABORTED", "EINTR",
          "EPERM", "EPROTO", "EAGAIN", "EIO", "EFAULT",
          "EBADF", "ENOTSOCK", "EOPNOTSUPP", "ENETDOWN", "ENOPROTOOPT",
          "EHOSTDOWN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "ENOSR")
FORK = ("EAGAIN", "ENOMEM", "ENOSYS", "EPERM", "EINVAL")


def rules(settings="", exe="/bin/cat"):
    return """
        inspect-timeout = 1h
        half-close-timeout = 2s
        %s
        [program]
        protocol = http
        exec = %s
        [any]
        protocol = any
        backend = %s
        """ % (settings, exe, backend.address)


def numbers():
    """The system calls of this machine by name, as the compiler has them."""
    found = subprocess.run(
        [*os.environ.get("CC", "cc").split(), "-E", "-dM", "-"],
        input="#include <sys/syscall.h>\n", capture_output=True,
        text=True).stdout
    return {name: int(number) for name, number in
            re.findall(r"#define __NR_(\w+) (\d+)", found)}


CALLS = numbers()
NAMES = {number: name for name, number in CALLS.items()}


class Fragile(Usher):
    """usher, whose system calls can be made to fail."""

    def __init__(self, rules):
        if not static():
            raise Skipped("other libraries make calls that must not fail")
        self.control = "%s/faults-%d" % (tmp, len(Usher.running))
        super().__init__(rules, through=[program("faults"), self.control])
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.control + "-back")
        self.socket.settimeout(PATIENCE)

    def order(self, call, error, every, only, pid):
        self.socket.sendto(b"%d %d %d %d %d" % (call, error, every, only, pid),
                           self.control)
        answer = [int(word) for word in self.socket.recv(65536).split()]
        self.failed = answer[0]
        self.made = {NAMES[call] for call in answer[1:]} - NEVER

    def fail(self, call, error, every=2, keeper=False):
        """From now on, in the keeper, or in all others."""
        self.order(CALLS[call] if call else -1,
                   getattr(errno, error) if error else 0, every, keeper,
                   self.process.pid)

    def heal(self, keeper=False):
        """Afterwards self.failed is how many have failed meanwhile, and
        self.made which were made, by those that fail() was about."""
        self.fail(None, None, 0, keeper)


def talk(usher):
    """True if served; False if turned away, in whatever way."""
    try:
        with usher.connect() as client:
            client.send(b"x\n")
            if client.line() != "any" or client.line() != "x":
                return False
            client.finish()
            client.rest()
            return True
    except socket.timeout:
        raise
    except OSError:  # reset, and all that comes of it
        return False


def run_a_program(usher):
    try:
        with usher.connect() as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n").finish()
            return client.rest().startswith(b"GET ")
    except socket.timeout:
        raise
    except OSError:  # reset, and all that comes of it
        return False


def all_kinds(usher):
    return [talk(usher), talk(usher), run_a_program(usher)]


def works_again(usher, who):
    expect(wait_for(lambda: all(all_kinds(usher))), "%s: serves no more\n%s" %
           (who, usher.log()[-2000:]))
    expect(wait_for(lambda: not usher.table()["connections"]),
           "%s: left over: %s" % (who, usher.table()["connections"]))
    usher.at_rest()


def try_each(usher, stir, keeper=False):
    """Lets each call that stir() causes fail, every second time."""
    usher.heal(keeper)
    stir(usher, ERRORS[0])
    usher.heal(keeper)
    works_again(usher, "untouched")
    calls = sorted(usher.made)
    print("# " + " ".join(calls))
    expect(len(calls) > 10, "only these calls: %s" % calls)
    happened = 0
    for call in calls:
        for error in ERRORS:
            if error == "EINTR" and call in NEVER_INTERRUPTED:
                continue
            what = "%s: %s" % (call, error)
            acceptor = usher.acceptor()
            usher.fail(call, error, 2, keeper)
            try:
                stir(usher, error)
            except OSError as e:
                expect(False, "%s: %r\n%s" % (what, e, usher.log()[-1000:]))
            usher.heal(keeper)
            happened += usher.failed > 0
            expect(usher.process.poll() is None, what + " ends usherd")
            if not keeper:
                same(usher.acceptor(), acceptor, what + ": the acceptor is")
    works_again(usher, "afterwards")
    # Not all are made each time: with many in it, a relay begins only once.
    expect(happened > len(calls) / (1 + shared), "only %d have failed" %
           happened)


def talk_twice(usher, error):
    return [talk(usher), talk(usher)]


@check("any system call of acceptor and child may fail")
def _():
    usher = Fragile(rules())
    works_again(usher, "at first")
    try_each(usher, talk_twice)
    usher.stop()


@check("any system call of a relay may fail")
def _():
    usher = Fragile(rules("relay-exec = at-once"))
    works_again(usher, "at first")
    try_each(usher, talk_twice)
    usher.stop()


def stir_keeper(usher, error):
    """A reload, a program, and sometimes, since it takes a second, an acceptor
    that dies."""
    usher.process.send_signal(signal.SIGHUP)
    run_a_program(usher)
    if error != ERRORS[0]:
        return
    try:
        os.kill(usher.acceptor(), signal.SIGKILL)
    except ProcessLookupError:
        pass  # the reload was quicker
    expect(wait_for(lambda: talk(usher)), "nobody accepts")
    run_a_program(usher)


@check("any system call of the keeper may fail")
def _():
    usher = Fragile(rules())
    works_again(usher, "at first")
    try_each(usher, stir_keeper, keeper=True)
    usher.stop()


def hold_up_one(usher, call, error, least=2):
    """While the call always fails clients wait; then none is lost."""
    acceptor = usher.acceptor()
    usher.fail(call, error, 1)
    waiting = [usher.connect().send(b"%d\n" % i) for i in range(3)]
    expect(waiting[0].quiet(.15), error + ": served all the same")
    usher.heal()
    expect(usher.failed >= least, "%s: %s did not happen" % (call, error))
    for number, client in enumerate(waiting):
        same((client.line(), client.line()), ("any", "%d" % number), error)
        client.close()
    same(usher.acceptor(), acceptor, error + ": the acceptor is")


def hold_up(call, errors):
    usher = Fragile(rules())
    for error in errors:
        hold_up_one(usher, call, error)
    lines = usher.lines("trying again")
    expect(len(lines) <= len(errors), "the log is full of it: %s" % lines)
    usher.stop()


@check("whatever accept() says, clients wait and none is lost")
def _():
    hold_up("accept4", ACCEPT)


@check("whatever fork() says, clients wait and none is lost", shared=False)
def _():
    hold_up("clone", FORK)


@check("the runtime directory is full: clients wait, and it is said why")
def _():
    for error in "ENOSPC", "EDQUOT":
        usher = Fragile(rules())
        hold_up_one(usher, "fallocate", error, 1)
        # It is looked for now and then, not all the time.
        expect(usher.failed < 50, "tried %d times" % usher.failed)
        usher.await_line("the runtime directory has no room for the record "
                         "of one more: make some there: ")
        lines = len(usher.lines("no room"))  # of each who has held one
        expect(lines <= max(RESIDENT - 1, 1), "%d lines" % lines)
        usher.stop()


@check("whatever fork() says, clients are served without a relay", shared=True)
def _():
    usher = Fragile(rules("relay-exec = at-once"))
    works_again(usher, "at first")
    for error in FORK:
        usher.fail("clone", error, 1)
        client = usher.connect().send(b"x\n")
        same((client.line(), client.line()), ("any", "x"), error)
        same(client.send(b"y\n").line(), "y", error)
        usher.await_line("cannot hand over to usher-relay")
        same(client.send(b"z\n").line(), "z", error)
        same(usher.relays(), set(), "relays")
        client.close()
        usher.heal()
    client = usher.connect().send(b"x\n")
    usher.relay_of(client)
    usher.stop()


@check("a storm of SIGCHLD: nobody waits")
def _():
    usher = Usher(rules())
    acceptor = usher.acceptor()
    done = threading.Event()

    def storm():
        while not done.is_set():
            os.kill(acceptor, signal.SIGCHLD)
            os.kill(usher.process.pid, signal.SIGCHLD)
    thread = threading.Thread(target=storm)
    thread.start()
    try:
        for _ in range(50):
            same(all_kinds(usher), [True] * 3)
    finally:
        done.set()
        thread.join()
    same(usher.acceptor(), acceptor, "the acceptor is")
    usher.stop()


def without(call, error, missing):
    """A kernel that lacks something: it is said once, all the rest holds."""
    usher = Fragile(rules())
    works_again(usher, "at first")
    usher.fail(call, error, 1)
    for _ in range(3):
        acceptor = usher.acceptor()
        os.kill(acceptor, signal.SIGKILL)
        expect(wait_for(lambda: usher.acceptor() != acceptor), "no other")
        expect(wait_for(lambda: talk(usher)), "nobody is served")
        usher.at_rest()
    usher.heal()
    expect(usher.failed >= 3, "it did not happen")
    lines = usher.lines("cannot give the sandbox")
    same(len(lines), 1, "lines about it")
    same(lines[0].partition("cannot give the sandbox: ")[2], missing)
    with open("/proc/%d/status" % usher.acceptor()) as f:
        same(int(re.search(r"Seccomp_filters:\s+(\d+)", f.read()).group(1)), 2,
             "filters, ours and that of this test,")
    usher.stop()


LANDLOCK = "Landlock for files, Landlock for ports, Landlock for signals"


def needs_landlock():
    usher = Usher(rules())
    works_again(usher, "at first")
    lines = usher.lines("cannot give the sandbox: Landlock")
    usher.stop()
    if lines:
        raise Skipped("this kernel has none itself")


@check("a kernel that was built without Landlock: the rest holds, said once")
def _():
    needs_landlock()
    without("landlock_create_ruleset", "ENOSYS", LANDLOCK)


@check("a kernel with Landlock switched off: the rest holds, said once")
def _():
    needs_landlock()
    without("landlock_create_ruleset", "EOPNOTSUPP", LANDLOCK)


@check("a sandbox that the kernel has and refuses: nobody is served without")
def _():
    needs_landlock()
    usher = Fragile(rules())
    works_again(usher, "at first")
    for call in ("landlock_restrict_self", "seccomp"):
        said = len(usher.lines("cannot put on the sandbox"))
        usher.fail(call, "E2BIG", 1)
        os.kill(usher.acceptor(), signal.SIGKILL)
        usher.await_line("cannot put on the sandbox", said + 1)
        client = usher.connect().send(b"x\n")
        expect(client.quiet(.2), "served without a sandbox")
        usher.heal()
        same((client.line(), client.line()), ("any", "x"))
        client.close()
    usher.stop()


if __name__ == "__main__":
    run_checks(*sys.argv[1:])
