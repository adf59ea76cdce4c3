"""A low RLIMIT_NOFILE, a full table, and programs that close whatever is open."""

import errno
import os
import resource
import socket

listener = socket.create_server(("127.0.0.1", 0))
where = listener.getsockname()


def code(call, *args):
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0


def forked(check):
    if (pid := os.fork()) == 0:
        try:
            check()
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def lowest_free():
    with open("/dev/null") as probe:
        expected = probe.fileno()
    with socket.socket() as s:
        assert s.fileno() == expected
        with open("/dev/null") as probe:
            assert probe.fileno() == expected + 1


def low_limit():
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    with socket.create_connection(where) as client:
        server, _ = listener.accept()
        client.sendall(b"hello")
        assert server.recv(5) == b"hello"
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def full_table():
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    client = socket.create_connection(where)
    files = []
    while not code(lambda: files.append(os.open("/dev/null", os.O_RDONLY))):
        pass
    assert code(socket.socket) == errno.EMFILE
    assert code(listener.accept) == errno.EMFILE
    assert client.getpeername() == where
    os.close(files.pop())
    server, _ = listener.accept()  # it waited
    assert server.getpeername() == client.getsockname()


def close_everything():
    """What daemons do; and then the numbers are somebody else's."""
    socket.socket().close()
    keep = listener.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(30)]
    high = os.dup2(files[0], 1000)
    client = socket.create_connection(where)
    server, _ = listener.accept()
    server.sendall(b"works")
    assert client.recv(5) == b"works"
    for fd in [*files, high]:
        os.fstat(fd)


def daemon():
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 3)
            with socket.create_connection(where):
                os.write(write, b"alive")
            os._exit(0)
        os._exit(0)
    os.wait()
    os.close(write)
    assert os.read(read, 10) == b"alive"
    listener.accept()


lowest_free()
for check in (low_limit, full_table, close_everything, daemon):
    forked(check)
