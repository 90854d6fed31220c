"""One end of a TLS connection, by the OpenSSL that pyOpenSSL carries. Run with the Python that has it.

    peer.py serve CERTIFICATE KEY     prints `listening PORT`; answers each request with 200, and prints the group of its handshake
    peer.py ask PORT CA-FILE          asks for /healthz, prints the group, then the answer's first line
"""

import socket
import sys

from OpenSSL import SSL

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def serve(certificate, key):
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(certificate)
    context.use_privatekey_file(key)
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening", listener.getsockname()[1], flush=True)
    while True:
        connection = SSL.Connection(context, listener.accept()[0])
        connection.set_accept_state()
        try:
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            print("group", connection.get_group_name(), flush=True)
            connection.sendall(ANSWER)
            connection.shutdown()
        except SSL.Error as error:
            print("failed", error, flush=True)
        connection.close()


def ask(port, ca_file):
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.load_verify_locations(ca_file)
    context.set_verify(SSL.VERIFY_PEER, lambda *arguments: bool(arguments[-1]))
    connection = SSL.Connection(context, socket.create_connection(("127.0.0.1", int(port)), timeout=20))
    connection.setblocking(True)
    connection.set_connect_state()
    connection.do_handshake()
    print("group", connection.get_group_name())
    connection.sendall(REQUEST)
    print(connection.recv(65536).split(b"\r\n")[0].decode())


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
