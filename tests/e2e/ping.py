"""The client's end of a VPN tunnel, as openconnect --script-tun starts it: sends
one echo request to the server's end and waits for the answer.  No device and no
route of this machine's is needed for it."""

import os
import socket
import struct
import sys

PAYLOAD = b"through the tunnel" * 20


def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~((total >> 16) + total) & 0xffff


def echo_request(source, target):
    icmp = struct.pack(">BBHHH", 8, 0, 0, 7, 1) + PAYLOAD
    icmp = icmp[:2] + struct.pack(">H", checksum(icmp)) + icmp[4:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0)
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    total = struct.pack(">H", checksum(head + addresses))
    return head[:10] + total + addresses + icmp


def main(target):
    tunnel = socket.socket(fileno=int(os.environ["VPNFD"]))
    tunnel.settimeout(10)
    source = os.environ["INTERNAL_IP4_ADDRESS"]
    tunnel.send(echo_request(source, target))
    while True:
        packet = tunnel.recv(65536)
        # An answer, to us, with all that was sent.
        if (packet[9:10] == b"\1" and packet[20:22] == b"\0\0" and
                packet[28:] == PAYLOAD):
            print("answer from", socket.inet_ntoa(packet[12:16]), flush=True)
            return


if __name__ == "__main__":
    main(sys.argv[1])
