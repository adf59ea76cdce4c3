"""What a reset says, and when SIGPIPE comes."""

import errno
import os
import select
import signal
import socket
import struct
import tempfile

listener = socket.create_server(("127.0.0.1", 0))


def reset_pair():
    """A connection whose peer has just reset it."""
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    poll = select.poll()
    poll.register(client, select.POLLIN)
    assert poll.poll(10000)
    return client


def code(call, *args):
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0


def reading():
    for read in (
        lambda s: s.recv(10),
        lambda s: os.read(s.fileno(), 10),
        lambda s: os.readv(s.fileno(), [bytearray(5), bytearray(5)]),
        lambda s: s.recvfrom(10),
        lambda s: s.recvmsg(10),
        lambda s: s.recv_into(bytearray(10)),
    ):
        client = reset_pair()
        assert code(read, client) == errno.ECONNRESET
        assert client.recv(10) == b""
        assert code(client.send, b"x") == errno.EPIPE
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    client = reset_pair()
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
    assert client.recv(10) == b""


def writers():
    source = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the program
    source.write(b"contents")
    source.flush()
    yield lambda s: s.send(b"x")
    yield lambda s: os.write(s.fileno(), b"x")
    yield lambda s: os.writev(s.fileno(), [b"x", b"y"])
    yield lambda s: s.sendmsg([b"x"])
    yield lambda s: s.sendall(b"x")
    yield lambda s: os.sendfile(s.fileno(), source.fileno(), 0, 8)


def writing():
    for write in writers():
        client = reset_pair()
        assert code(write, client) == errno.ECONNRESET
        assert code(write, client) == errno.EPIPE


def signals():
    """The first write after a reset tells; only the second one kills."""
    for write in writers():
        client = reset_pair()
        read, told = os.pipe()
        if (pid := os.fork()) == 0:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            assert code(write, client) == errno.ECONNRESET
            os.write(told, b"!")
            code(write, client)
            os._exit(0)
        os.close(told)
        status = os.waitpid(pid, 0)[1]
        assert os.read(read, 1) == b"!"
        assert os.waitstatus_to_exitcode(status) == -signal.SIGPIPE
        os.close(read)


def no_signal():
    if (pid := os.fork()) == 0:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        client = reset_pair()
        assert code(client.send, b"x", socket.MSG_NOSIGNAL) == errno.ECONNRESET
        assert code(client.send, b"x", socket.MSG_NOSIGNAL) == errno.EPIPE
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def own_shutdown():
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.shutdown(socket.SHUT_WR)
    assert code(client.send, b"x") == errno.EPIPE
    assert server.recv(1) == b""
    server.sendall(b"still")
    assert client.recv(10) == b"still"
    server.close()
    assert client.recv(10) == b""


for check in (reading, writing, signals, no_signal, own_shutdown):
    check()
