"""Makes one system call per line that it reads, and answers with its result.

Theory of operation.  Lines are JSON lists: who, limit, operation, arguments.  "begin" forks a
process for one sequence, which serves until "end": nothing of it survives.  In it, sockets have the
numbers of slots; "fork" makes a second process with copies of all of them, to which lines with
who = 1 go, and "exec" has that one execute this program again, with what it inherits.  Calls are
libc's own, by ctypes: Python's socket module would poll on its own account.  Ports are given names
in the order in which they are seen, so that two sides can be compared.  A call that takes longer
than its limit is interrupted by a signal and answered with "BLOCKS".
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import termios
from collections.abc import Callable
from itertools import groupby

libc = ctypes.CDLL(None, use_errno=True)
Answer = list[object]
EVENTS = {
    "IN": select.POLLIN, "PRI": select.POLLPRI, "OUT": select.POLLOUT, "ERR": select.POLLERR,
    "HUP": select.POLLHUP, "NVAL": select.POLLNVAL, "RDHUP": select.POLLRDHUP,
}  # fmt: skip
ASKED = select.POLLIN | select.POLLOUT | select.POLLRDHUP | select.POLLPRI


class Message(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int),
    ]  # fmt: skip


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


def lines(fd: int) -> Callable[[], str]:
    """Reads no more than one line, so that another process may read the next."""

    def line() -> str:
        text = b""
        while not text.endswith(b"\n"):
            try:
                byte = os.read(fd, 1)
            except InterruptedError:
                continue
            if not byte:
                os._exit(0)
            text += byte
        return text.decode()

    return line


def bytes_of(text: tuple[str, int]) -> bytes:
    """A letter, and how often."""
    return text[0].encode() * text[1]


def told(data: bytes) -> list[tuple[str, int]]:
    """The same way back."""
    return [(letter, len(list(run))) for letter, run in groupby(data.decode("latin-1"))]


def address(host: str, port: int, family: int = socket.AF_INET) -> bytes:
    return struct.pack("=H", family) + struct.pack("!H4s8x", port, socket.inet_aton(host))


class Sockets:
    """The sockets of one process."""

    def __init__(self, slots: dict[int, int], ports: dict[int, str]) -> None:
        self.slots = slots
        self.ports = ports
        self.limit_s = 1.0

    # -- calls

    def call(self, name: str, *arguments: object) -> int:
        """-1 with the error's name in self.error."""
        signal.setitimer(signal.ITIMER_REAL, self.limit_s, 0.01)
        ctypes.set_errno(0)
        result: int = getattr(libc, name)(*arguments)
        error = ctypes.get_errno()
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.error = ""
        if result < 0:
            self.error = "BLOCKS" if error == errno.EINTR else errno.errorcode[error]
        return result

    def answer(self, result: int, *more: object) -> Answer:
        return [self.error] if result < 0 else [result, *more]

    def named(self, raw: bytes) -> str:
        port = struct.unpack("!H", raw[2:4])[0]
        if port:
            self.ports.setdefault(port, f"p{len(self.ports)}")
        return f"{socket.inet_ntoa(raw[4:8])}:{self.ports.get(port, '0')}"

    def name_of(self, which: str, slot: int) -> tuple[int, bytes]:
        raw, size = ctypes.create_string_buffer(16), ctypes.c_uint32(16)
        return self.call(which, self.slots[slot], raw, ctypes.byref(size)), raw.raw

    def socket(self, slot: int, flags: int) -> Answer:
        fd = self.call("socket", socket.AF_INET, socket.SOCK_STREAM | flags, 0)
        if fd >= 0:
            self.slots[slot] = fd
        return self.answer(min(fd, 0))

    def bind(self, slot: int, host: str, like: int | None) -> Answer:
        port = 0
        if like is not None:
            port = struct.unpack("!H", self.name_of("getsockname", like)[1][2:4])[0]
        return self.answer(self.call("bind", self.slots[slot], address(host, port), 16))

    def listen(self, slot: int, backlog: int) -> Answer:
        return self.answer(self.call("listen", self.slots[slot], backlog))

    def connect(self, slot: int, to: int | None) -> Answer:
        port = 1
        if to is not None:
            port = struct.unpack("!H", self.name_of("getsockname", to)[1][2:4])[0]
        return self.answer(self.call("connect", self.slots[slot], address("127.0.0.1", port), 16))

    def dissolve(self, slot: int) -> Answer:
        raw = address("0.0.0.0", 0, socket.AF_UNSPEC)
        return self.answer(self.call("connect", self.slots[slot], raw, 16))

    def accept(self, slot: int, new: int, flags: int) -> Answer:
        raw, size = ctypes.create_string_buffer(16), ctypes.c_uint32(16)
        fd = self.call("accept4", self.slots[slot], raw, ctypes.byref(size), flags)
        if fd < 0:
            return [self.error]
        self.slots[new] = fd
        return ["ok", self.named(raw.raw)]

    def send(self, slot: int, text: tuple[str, int], flags: int) -> Answer:
        data = bytes_of(text)
        return self.answer(self.call("send", self.slots[slot], data, len(data), flags))

    def recv(self, slot: int, size: int, flags: int) -> Answer:
        raw = ctypes.create_string_buffer(size + 1)
        n = self.call("recv", self.slots[slot], raw, size, flags)
        return self.answer(n, told(raw.raw[: max(n, 0)]))

    def write(self, slot: int, text: tuple[str, int]) -> Answer:
        return self.answer(self.call("write", self.slots[slot], bytes_of(text), text[1]))

    def read(self, slot: int, size: int) -> Answer:
        raw = ctypes.create_string_buffer(size + 1)
        n = self.call("read", self.slots[slot], raw, size)
        return self.answer(n, told(raw.raw[: max(n, 0)]))

    def message(self, slot: int, name: str, parts: list[ctypes.Array[ctypes.c_char]], flags: int,
                ) -> tuple[int, int]:  # fmt: skip
        vector = (Vector * len(parts))(*(
            Vector(ctypes.addressof(part), len(part) - 1) for part in parts
        ))  # fmt: skip
        head = Message(iov=ctypes.addressof(vector), iovlen=len(parts))
        return self.call(name, self.slots[slot], ctypes.byref(head), flags), head.flags

    def sendmsg(self, slot: int, texts: list[tuple[str, int]], flags: int) -> Answer:
        parts = [ctypes.create_string_buffer(bytes_of(text)) for text in texts]
        return self.answer(self.message(slot, "sendmsg", parts, flags)[0])

    def recvmsg(self, slot: int, sizes: list[int], flags: int) -> Answer:
        parts = [ctypes.create_string_buffer(size + 1) for size in sizes]
        n, flags = self.message(slot, "recvmsg", parts, flags)
        data = b"".join(part.raw[:-1] for part in parts)[: max(n, 0)]
        return self.answer(n, told(data), flags)

    def shutdown(self, slot: int, how: int) -> Answer:
        return self.answer(self.call("shutdown", self.slots[slot], how))

    def close(self, slot: int) -> Answer:
        return self.answer(self.call("close", self.slots.pop(slot)))

    def dup(self, slot: int, new: int) -> Answer:
        fd = self.call("dup", self.slots[slot])
        self.slots[new] = fd
        return self.answer(min(fd, 0))

    def dup2(self, slot: int, over: int) -> Answer:
        return self.answer(min(self.call("dup2", self.slots[slot], self.slots[over]), 0))

    def setsockopt(self, slot: int, level: int, name: int, value: list[int]) -> Answer:
        raw = struct.pack(f"={len(value)}i", *value)
        return self.answer(self.call("setsockopt", self.slots[slot], level, name, raw, len(raw)))

    def getsockopt(self, slot: int, level: int, name: int) -> Answer:
        raw, size = ctypes.create_string_buffer(16), ctypes.c_uint32(16)
        result = self.call("getsockopt", self.slots[slot], level, name, raw, ctypes.byref(size))
        return self.answer(result, raw.raw[: size.value].hex())

    def getsockname(self, slot: int) -> Answer:
        result, raw = self.name_of("getsockname", slot)
        return self.answer(result, self.named(raw))

    def getpeername(self, slot: int) -> Answer:
        result, raw = self.name_of("getpeername", slot)
        return self.answer(result, self.named(raw) if result >= 0 else "")

    def nonblocking(self, slot: int, on: bool) -> Answer:
        os.set_blocking(self.slots[slot], not on)
        return ["ok"]

    # -- what is seen without a call of the program's

    def state(self) -> Answer:
        """Of each slot: its mask and how many bytes wait."""
        found: list[object] = []
        for slot, fd in sorted(self.slots.items()):
            poller = select.poll()
            poller.register(fd, ASKED)
            events = dict(poller.poll(0)).get(fd, 0)
            waiting = -1
            if not self.listens(fd):
                raw = bytearray(4)
                try:
                    fcntl.ioctl(fd, termios.FIONREAD, raw)
                    waiting = struct.unpack("=i", raw)[0]
                except OSError:
                    waiting = -2
            found.append([slot, sorted(n for n, bit in EVENTS.items() if events & bit), waiting])
        return found

    def listens(self, fd: int) -> bool:
        value, size = ctypes.c_int(0), ctypes.c_uint32(4)
        libc.getsockopt(fd, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, ctypes.byref(value),
                        ctypes.byref(size))  # fmt: skip
        return bool(value.value)

    def perform(self, limit_s: float, operation: str, *arguments: object) -> Answer:
        self.limit_s = limit_s
        found: Answer = getattr(self, operation)(*arguments)
        return found


class Sequence:
    """One sequence's processes: this one, and the one it has forked, if it has."""

    def __init__(self, sockets: Sockets) -> None:
        self.sockets = sockets
        self.to = self.by = -1
        self.child = 0

    def fork(self) -> Answer:
        there, back = os.pipe(), os.pipe()
        self.child = os.fork()
        if not self.child:
            os.close(there[1])
            os.close(back[0])
            os.set_inheritable(there[0], True)
            os.set_inheritable(back[1], True)
            serve_child(self.sockets, there[0], back[1])
        os.close(there[0])
        os.close(back[1])
        self.to, self.by = there[1], back[0]
        return ["ok"]

    def pass_on(self, line: str) -> str:
        os.write(self.to, line.encode())
        return lines(self.by)()

    def finish(self) -> None:
        if self.child:
            os.close(self.to)
            os.waitpid(self.child, 0)


def serve_child(sockets: Sockets, commands: int, answers: int) -> None:
    """Until its parent closes the pipe."""
    line = lines(commands)
    while True:
        _who, limit_s, operation, *arguments = json.loads(line())
        if operation == "exec":
            for fd in sockets.slots.values():
                os.set_inheritable(fd, True)
            state = [list(sockets.slots.items()), list(sockets.ports.items()), commands, answers]
            os.execv(sys.executable, [sys.executable, __file__, json.dumps(state)])
        answer = sockets.perform(limit_s, operation, *arguments)
        os.write(answers, (json.dumps(answer) + "\n").encode())


def executed(state: str) -> None:
    slots, ports, commands, answers = json.loads(state)
    os.write(answers, b'["ok"]\n')
    serve_child(Sockets(dict(slots), dict(ports)), commands, answers)


def serve_sequence(line: Callable[[], str]) -> None:
    sequence = Sequence(Sockets({}, {}))
    while True:
        text = line()
        who, limit_s, operation, *arguments = json.loads(text)
        if operation == "end":
            sequence.finish()
            os._exit(0)
        if who:
            answer = sequence.pass_on(text)
        elif operation == "fork":
            answer = json.dumps(sequence.fork()) + "\n"
        else:
            answer = json.dumps(sequence.sockets.perform(limit_s, operation, *arguments)) + "\n"
        os.write(1, answer.encode())


def main() -> None:
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if sys.argv[1:]:
        executed(sys.argv[1])
    line = lines(0)
    while True:
        line()  # "begin"
        child = os.fork()
        if not child:
            serve_sequence(line)
        os.waitpid(child, 0)
        os.write(1, b'["over"]\n')


main()
