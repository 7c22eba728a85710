#!/usr/bin/env python3
"""stand_in.py NAME ADDRESS PORT [PEM] - speaks for a service that is missing.

Tells every client that it is NAME, in the words of HTTP to who speaks HTTP,
over TLS if there is a certificate."""

import socketserver
import ssl
import sys


class Answer(socketserver.StreamRequestHandler):
    timeout = 30

    def handle(self):
        text = f"{self.server.name} (a stand-in)\n".encode()
        first = self.request.recv(4096)
        if b" HTTP/1." in first:
            text = (b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(text)) + text
        self.request.sendall(text)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, name, address, pem):
        super().__init__(address, Answer)
        self.name = name
        self.context = None
        if pem:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pem)

    def finish_request(self, request, client_address):
        if self.context:
            request.settimeout(30)
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        print(self.name, client_address, sys.exc_info()[1], flush=True)


def main():
    name, address, port = sys.argv[1:4]
    pem = sys.argv[4] if len(sys.argv) > 4 else None
    Server(name, (address, int(port)), pem).serve_forever()


main()
