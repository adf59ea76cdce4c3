"""A worker that has become somebody else still uses its sockets, and makes new ones."""

import encodings.idna  # noqa: F401 - wanted by connect, and out of reach later
import os
import socket
import threading
import traceback

NOBODY = 65534

listener = socket.create_server(("127.0.0.1", 0))
where = listener.getsockname()


def work():
    """In the worker: as nginx's workers do with what they accept and where they proxy to."""
    conn, peer = listener.accept()
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert conn.getpeername() == peer
    conn.sendall(b"served")
    conn.close()
    with socket.create_connection(where) as upstream:
        assert upstream.getpeername() == where
    threads = [threading.Thread(target=lambda: socket.socket().close()) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def dropped(first):
    first()
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    work()


def forked(call, *args):
    if (pid := os.fork()) == 0:
        try:
            call(*args)
            os._exit(7)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    with socket.create_connection(where) as client:
        assert client.recv(6, socket.MSG_WAITALL) == b"served"
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    upstream, _ = listener.accept()
    upstream.close()


forked(dropped, lambda: None)
forked(dropped, lambda: socket.socket().close())  # with a connection of its own from before
