"""A network for the bench alone: its own loopback interface.

What the machine does to packets there (a firewall, a queue, a congestion
control that paces, as bbr does with a timer for each send) costs more than
relaying them, and the same for everybody: it hides what is to be compared.
"""

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
CONTROL = "/proc/sys/net/ipv4/tcp_congestion_control"
EVERYWHERE = "reno"  # in every kernel, and never paced


def _control():
    with open(CONTROL, encoding="ascii") as file:
        return file.read().strip()


def _raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS,
                    struct.pack("16sh22x", b"lo", IFF_UP))


def enter():
    """From here on this process, and all that it starts, are in a network of
    their own.  Returns a sentence if that cannot be, else None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) < 0:
        return os.strerror(ctypes.get_errno())
    _raise_loopback()
    with open(CONTROL, "w", encoding="ascii") as file:
        file.write(EVERYWHERE)
    return None


def describe(own):
    return f"{'its own' if own else 'the machine'}'s loopback, " \
           f"congestion control {_control()}"
