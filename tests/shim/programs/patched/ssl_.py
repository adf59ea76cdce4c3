"""ssl on top: the class SSLSocket was derived before the import."""

import pathlib
import socket
import ssl
import threading

import minionsocket  # noqa: F401

pem = pathlib.Path(__file__).with_name("one.test.pem")
listener = socket.create_server(("127.0.0.1", 0))


def serve():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    conn, _ = listener.accept()
    with context.wrap_socket(conn, server_side=True) as tls:
        while data := tls.recv(100000):
            tls.sendall(data)


thread = threading.Thread(target=serve)
thread.start()
context = ssl.create_default_context(cafile=pem)
plain = socket.create_connection(("one.test", listener.getsockname()[1]), timeout=10)
with context.wrap_socket(plain, server_hostname="one.test") as tls:
    assert tls.getpeername() == listener.getsockname()
    tls.sendall(b"secret" * 10000)
    got = b""
    while len(got) < 60000:
        got += tls.recv(100000)
    assert got == b"secret" * 10000
thread.join()
