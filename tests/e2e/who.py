"""Says to whoever connects and sends something what address it has.

who.py ADDRESS PORT [FILE]: and keeps the connections open until their ends;
FILE appears when it listens."""

import socket
import sys
import threading


def answer(conn, peer):
    try:
        while conn.recv(4096):
            conn.sendall(b"%s %d\n" % (peer[0].encode(), peer[1]))
    except OSError:
        pass
    conn.close()


address, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
listener = socket.create_server((address, port), family=family, backlog=64)
if len(sys.argv) > 3:
    open(sys.argv[3], "w").close()
while True:
    conn, peer = listener.accept()
    threading.Thread(target=answer, args=(conn, peer), daemon=True).start()
