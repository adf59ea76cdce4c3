"""A socket stays the same socket through dup, fork, exec and SCM_RIGHTS."""

import array
import os
import socket
import subprocess
import sys


def pair():
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, peer = listener.accept()
    assert peer == client.getsockname()
    assert server.getsockname() == client.getpeername() == listener.getsockname()
    listener.close()
    return client, server


def talk(a, b):
    a.sendall(b"hello")
    assert b.recv(5, socket.MSG_WAITALL) == b"hello"


def dup():
    client, server = pair()
    twin = client.dup()
    assert twin.getsockname() == client.getsockname()
    client.close()
    talk(twin, server)
    os.dup2(twin.fileno(), 99)
    other = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, 99)
    assert other.getpeername() == server.getsockname()
    talk(other, server)
    twin.close()
    other.close()
    assert server.recv(1) == b""


def fork():
    client, server = pair()
    if (pid := os.fork()) == 0:
        server.close()
        assert client.getpeername()
        client.sendall(b"from the child")
        os._exit(0)
    client.close()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert server.recv(100) == b"from the child"
    assert server.recv(100) == b""


def execute():
    client, server = pair()
    fd = client.fileno()
    code = (
        "import socket, sys; s = socket.socket(2, 1, 0, int(sys.argv[1]));"
        "assert s.getpeername()[1] == int(sys.argv[2]); s.sendall(b'executed')"
    )
    port = str(server.getsockname()[1])
    subprocess.run([sys.executable, "-c", code, str(fd), port], pass_fds=[fd], check=True)
    client.close()
    assert server.recv(100) == b"executed"
    assert server.recv(100) == b""


def passing():
    client, server = pair()
    here, there = socket.socketpair()
    rights = array.array("i", [client.fileno()])
    here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    name = client.getsockname()
    client.close()
    _, fds, _, _ = socket.recv_fds(there, 1, 1)
    received = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fds[0])
    assert received.getsockname() == name
    talk(received, server)
    received.settimeout(5)
    server.close()
    assert received.recv(1) == b""


def files():
    client, server = pair()
    with client.makefile("rw") as stream:
        server.sendall(b"line\n")
        assert stream.readline() == "line\n"
        stream.write("answer\n")
        stream.flush()
    assert server.recv(100) == b"answer\n"
    with open(__file__, "rb") as source:
        size = os.fstat(source.fileno()).st_size
        assert client.sendfile(source) == size
    assert len(server.recv(size, socket.MSG_WAITALL)) == size


for check in (dup, fork, execute, passing, files):
    check()
