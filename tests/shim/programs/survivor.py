"""The minion dies under a connection: told once; later sockets find its successor, or nobody."""

import errno
import os
import select
import signal
import socket
import sys


def code(call, *args):
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0


where = ("127.0.0.1", int(sys.argv[1]))
reader, writer, waiting = (socket.create_connection(where) for _ in range(3))
listener = socket.create_server(("127.0.0.1", 0))
waiting.setblocking(False)
print("connected", flush=True)
assert code(reader.recv, 1) == errno.ECONNRESET
assert reader.recv(1) == b""
assert code(writer.send, b"x") == errno.ECONNRESET
assert code(writer.send, b"x") == errno.EPIPE
poll = select.poll()
poll.register(waiting, select.POLLIN)
assert poll.poll(10000)
assert waiting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
assert code(listener.accept) == errno.ENETDOWN
assert code(writer.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) == errno.ENETDOWN
assert code(socket.socket) == errno.ENETDOWN
if (pid := os.fork()) == 0:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.write(writer.fileno(), b"x")
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGPIPE
print("lost", flush=True)
assert sys.stdin.readline() == "again\n"
with socket.create_connection(where) as s:
    assert s.getpeername() == where
print("back", flush=True)
