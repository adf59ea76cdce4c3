"""One listener, four forked workers, blocking and not: every connection is served once."""

import os
import select
import socket

listener = socket.create_server(("127.0.0.1", 0), backlog=64)


def work(blocking):
    listener.setblocking(blocking)
    while True:
        if not blocking:
            select.select([listener], [], [])
        try:
            conn, peer = listener.accept()
        except BlockingIOError:
            continue
        assert conn.getpeername() == peer
        conn.sendall(b"%d" % os.getpid())
        conn.close()


for blocking in (True, False):
    pids = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            work(blocking)
        pids.append(pid)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(20)]
    for client in clients:
        assert int(client.recv(100)) in pids
        assert client.recv(100) == b""
        client.close()
    for pid in pids:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
