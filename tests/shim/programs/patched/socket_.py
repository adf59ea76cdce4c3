"""The socket module itself: what it says, raises and gives back."""

import errno
import socket
import struct
from socket import socket as imported_before

before = dict(vars(socket.socket))
functions = {name: getattr(socket, name) for name in ("getaddrinfo", "has_ipv6", "gethostbyaddr")}

import minionsocket  # noqa: E402


def raised(kind, call, *args, **named):
    try:
        call(*args, **named)
    except kind as e:
        return e
    raise AssertionError(call)


def connections():
    with imported_before() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert listener.getsockname() == ("0.0.0.0", port)
        where = ("127.0.0.1", port)
        client = socket.create_connection(where)
        server, peer = listener.accept()
        assert peer == client.getsockname()
        assert (server.family, server.type) == (socket.AF_INET, socket.SOCK_STREAM)
        expected = f"laddr={client.getsockname()}, raddr={where}>"
        assert repr(client).endswith(expected), repr(client)
        listener.settimeout(0.01)
        assert str(raised(TimeoutError, listener.accept)) == "timed out"
        listener.settimeout(0)
        raised(BlockingIOError, listener.accept)
    twin = client.dup()
    assert (twin.family, twin.type, twin.proto) == (2, 1, client.proto)
    client.close()
    again = socket.socket(fileno=twin.detach())
    assert (again.family, again.type, again.proto) == (2, 1, 6)
    fromfd = socket.fromfd(again.fileno(), socket.AF_INET, socket.SOCK_STREAM)
    assert fromfd.getpeername() == where
    fromfd.close()
    again.sendmsg([b"a", b"b"])
    assert server.recvfrom(10) == (b"ab", None)
    assert again.sendto(b"cd", ("1.2.3.4", 5)) == 2
    assert server.recvmsg(10)[0] == b"cd"
    raised(OSError, again.send, b"x", socket.MSG_OOB)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    assert raised(ConnectionResetError, again.recv, 10).errno == errno.ECONNRESET
    assert again.recv(10) == b""
    raised(BrokenPipeError, again.sendall, b"x")
    again.close()
    assert raised(OSError, again.getsockname).errno == errno.EBADF


def errors():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        nobody = s.getsockname()
    e = raised(ConnectionRefusedError, socket.create_connection, nobody)
    assert str(e) == "[Errno 111] Connection refused"
    s = socket.socket()
    assert s.connect_ex(nobody) == errno.ECONNREFUSED
    s.settimeout(0.05)
    assert str(raised(TimeoutError, s.connect, ("192.0.2.1", 9))) == "timed out"
    s.close()
    s = socket.socket()
    e = raised(TypeError, s.connect, "nonsense")
    assert str(e) == "connect(): AF_INET address must be tuple, not str"
    e = raised(OverflowError, s.bind, ("127.0.0.1", 70000))
    assert str(e) == "bind(): port must be 0-65535."
    assert raised(OSError, s.getpeername).errno == errno.ENOTCONN
    assert raised(OSError, socket.socket, socket.AF_INET6).errno == errno.EAFNOSUPPORT
    s.close()
    with socket.socket(socket.AF_UNIX) as s:
        assert s.getsockname() == ""
    a, b = socket.socketpair()
    a.sendall(b"x")
    assert b.recv(1) == b"x"
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.sendto(b"datagram", s.getsockname())
        assert s.recvfrom(100) == (b"datagram", s.getsockname())


def names():
    assert socket.gethostbyname("many.test") == "127.0.0.1"
    addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert socket.gethostbyname_ex("many.test") == ("many.test", [], addresses)
    assert socket.gethostbyaddr("127.0.0.9") == ("nine.test", [], ["127.0.0.9"])
    assert socket.getfqdn("127.0.0.9") == "nine.test"
    assert socket.getnameinfo(("127.0.0.9", 22), 0) == ("nine.test", "ssh")
    found = socket.getaddrinfo("one.test", 80, type=socket.SOCK_STREAM)
    assert found == [(2, 1, 6, "", ("127.0.0.1", 80))]
    assert found[0][0] is socket.AF_INET
    found = socket.getaddrinfo("::1", "http", type=socket.SOCK_STREAM)
    assert found == [(10, 1, 6, "", ("::1", 80, 0, 0))]
    e = raised(socket.gaierror, socket.getaddrinfo, "nosuch.test", 80)
    assert (e.errno, e.strerror) == (socket.EAI_NONAME, "Name or service not known")
    raised(socket.gaierror, socket.create_connection, ("nosuch.test", 80))
    raised(socket.herror, socket.gethostbyaddr, "127.0.0.8")
    assert not socket.has_ipv6
    assert not socket.has_dualstack_ipv6()


def restored():
    minionsocket.unpatch()
    assert dict(vars(socket.socket)) == before
    assert all(getattr(socket, name) is old for name, old in functions.items())
    with minionsocket.patched():
        assert minionsocket.is_patched()
        assert vars(socket.socket)["__init__"] is not before["__init__"]
    assert not minionsocket.is_patched()
    minionsocket.patch()
    minionsocket.patch()
    with minionsocket.patched():
        pass
    assert minionsocket.is_patched()
    minionsocket.unpatch()
    assert dict(vars(socket.socket)) == before


for check in (connections, errors, names, restored):
    check()
