"""16 threads, each with connections of its own, at once."""

import socket
import threading

listener = socket.create_server(("127.0.0.1", 0), backlog=128)
failures = []


def serve():
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=echo, args=(conn,), daemon=True).start()


def echo(conn):
    with conn:
        while data := conn.recv(1000):
            conn.sendall(data)


def client(number):
    try:
        for i in range(10):
            with socket.create_connection(listener.getsockname()) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
                text = b"%d %d" % (number, i)
                s.sendall(text)
                s.shutdown(socket.SHUT_WR)
                got = b""
                while data := s.recv(1000):
                    got += data
                assert got == text, (got, text)
    except BaseException as e:
        failures.append(e)
        raise


threading.Thread(target=serve, daemon=True).start()
threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert not failures
