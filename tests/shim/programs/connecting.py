"""connect: blocking, not blocking, refused, twice."""

import errno
import select
import socket

listener = socket.create_server(("127.0.0.1", 0))
where = listener.getsockname()
with socket.socket() as spare:
    spare.bind(("127.0.0.1", 0))
    nobody = spare.getsockname()


def code(call, *args):
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0


def blocking():
    with socket.socket() as s:
        assert code(s.getpeername) == errno.ENOTCONN
        s.connect(where)
        assert s.getpeername() == where
        assert s.connect_ex(where) == errno.EISCONN
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    with socket.socket() as s:
        assert s.connect_ex(nobody) == errno.ECONNREFUSED


def not_blocking():
    with socket.socket() as s:
        s.setblocking(False)
        assert s.connect_ex(where) == errno.EINPROGRESS
        assert select.select([], [s], [], 10)[1] == [s]
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert s.getpeername() == where
        assert code(s.recv, 1) == errno.EAGAIN
    with socket.socket() as s:
        s.setblocking(False)
        assert s.connect_ex(nobody) in (errno.EINPROGRESS, errno.ECONNREFUSED)
        poll = select.poll()
        poll.register(s, select.POLLOUT)
        assert poll.poll(10000)
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def with_timeout():
    with socket.create_connection(where, timeout=10) as s:
        s.settimeout(0.01)
        assert code(s.recv, 1) is None  # TimeoutError("timed out") has no errno
    assert code(socket.create_connection, nobody, 10) == errno.ECONNREFUSED


def options():
    with socket.socket() as s:
        get = s.getsockopt
        assert get(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
        assert get(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET
        assert get(socket.SOL_SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_TCP
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert get(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert get(socket.SOL_SOCKET, socket.SO_LINGER, 8) == bytes(8)
        assert get(socket.SOL_SOCKET, socket.SO_REUSEADDR, 2) in (b"\0\0", b"\1\0")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, (0).to_bytes(8, "little") * 2)
        assert code(s.setsockopt, socket.SOL_SOCKET, 9999, 1) == errno.ENOPROTOOPT
        assert code(s.accept) == errno.EINVAL
        assert not s.get_inheritable()
    with socket.create_connection(where) as s:
        assert code(s.accept) == errno.EINVAL
    with socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as s:
        assert not s.getblocking()


for check in (blocking, not_blocking, with_timeout, options):
    check()
