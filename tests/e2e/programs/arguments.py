"""Calls of socket.socket with arguments that are wrong, or nearly: what is raised, in which words.

One line for each: a label, a tab, the result or the exception.  With an argument,
`import minionsocket` comes first.
"""

from __future__ import annotations

import array
import errno
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

if len(sys.argv) > 1:
    import minionsocket

    assert minionsocket.is_patched()

NOTHING = object()
BUFFERS: tuple[Any, ...] = (
    None, 1, "text", b"", b"xy", bytearray(2), memoryview(b"abcd")[::2], array.array("h", [1, 2]),
    [], [b"x"],
)  # fmt: skip
SIZES: tuple[Any, ...] = (None, -1, 0, 2, 1.5, "3", True, 2**31, 2**63, 2**64)
FLAGS: tuple[Any, ...] = (
    None, "1", 1.0, 0, 2**31, 2**32, socket.MSG_DONTWAIT, socket.MSG_PEEK | socket.MSG_DONTWAIT,
)  # fmt: skip
ADDRESSES: tuple[Any, ...] = (
    None, 1, "host", b"host", (), ("127.0.0.1",), ("127.0.0.1", 1, 2), ["127.0.0.1", 1],
    ("127.0.0.1", "1"), ("127.0.0.1", 1.0), ("127.0.0.1", -1), ("127.0.0.1", 65536),
    ("127.0.0.1", 2**70), ("127.0.0.1", None), (None, 1), (1, 1), (b"127.0.0.1", -1),
    (bytearray(b"127.0.0.1"), -1), ("127.0.0.1\0x", 1), ("\udcff", 1), ("256.1.1.1.", 1),
    ("x" * 70 + ".test", 1), ("127.0.0.1", True),
)  # fmt: skip
ANCILLARY: tuple[Any, ...] = (
    None, 1, "text", (), [1], [()], [(1, 2)], [(1, 2, 3, 4)], [("1", 2, b"")], [(1, "2", b"")],
    [(1, 2, None)], [(1, 2, "text")], [(2**40, 2, b"")], [(1, 2, b"x")], ((1, 2, b""),),
    iter([(1, 2, b"x")]), [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))],
    [(1, 2, b"x"), (1, 2)],
)  # fmt: skip


def show(value: object) -> str:
    """Nothing in it is another one's by chance: no port, no descriptor."""
    if isinstance(value, OSError) and value.errno is not None:
        return f"{type(value).__name__}: {errno.errorcode.get(value.errno, value.errno)}"
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {value}"
    return repr(value)


def say(label: str, call: Callable[..., object], *arguments: Any, **named: Any) -> None:
    try:
        result = call(*arguments, **named)
    except Exception as seen:  # whatever it is: it is what is compared
        result = seen
    print(f"{label}\t{show(result)}", flush=True)


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The first has five bytes to be read, and does not wait."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        server, _ = listener.accept()
        with server:
            client.sendall(b"hello")
            server.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL)
            server.setblocking(False)
            yield server, client


def each(name: str, values: tuple[Any, ...], *before: Any, after: tuple[Any, ...] = ()) -> None:
    """One argument of a method, on a socket of its own each time."""
    for number, value in enumerate(values):
        with pair() as (server, _):
            label = f"{name} {len(before) + 1} {number}"
            say(label, getattr(server, name), *before, value, *after)


def reading() -> None:
    for name in ("recv", "recvfrom", "recvmsg"):
        each(name, SIZES[:7])  # no memory for the others
        each(name, FLAGS, *((5, 0) if name == "recvmsg" else (5,)))
    for name in ("recv_into", "recvfrom_into"):
        each(name, BUFFERS)
        each(name, SIZES, bytearray(4))
        each(name, FLAGS, bytearray(4), 4)
    each("recvmsg", SIZES, 5)
    each("recvmsg_into", (*BUFFERS, [bytearray(2), bytearray(4)], [bytearray(2), b"x"], iter([])))
    each("recvmsg_into", SIZES, [bytearray(4)])
    each("recvmsg_into", FLAGS, [bytearray(4)], 0)


def writing() -> None:
    for name in ("send", "sendall"):
        each(name, BUFFERS)
        each(name, FLAGS[:7], b"x")
    each("sendto", BUFFERS, after=(("127.0.0.1", 1),))
    each("sendto", ADDRESSES, b"x")
    each("sendto", FLAGS[:7], b"x", after=(("127.0.0.1", 1),))
    each("sendmsg", (*BUFFERS, [b"x", 1], iter([b"x"]), [memoryview(b"abcd")[::2]]))
    each("sendmsg", ANCILLARY, [b"x"])
    each("sendmsg", FLAGS[:7], [b"x"], [])
    each("sendmsg", ADDRESSES, [b"x"], [], 0)


def addresses() -> None:
    for name in ("bind", "connect", "connect_ex"):
        for number, address in enumerate(ADDRESSES):
            if name != "bind" and address in (("127.0.0.1", True), ("256.1.1.1.", 1)):
                continue
            with socket.socket() as fresh:
                say(f"{name} {number}", getattr(fresh, name), address)
        with socket.socket() as fresh:
            say(f"{name} without", getattr(fresh, name))
            say(f"{name} two", getattr(fresh, name), "127.0.0.1", 1)
            say(f"{name} named", getattr(fresh, name), address=("127.0.0.1", 1))


def options() -> None:
    keepalive = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    for number, size in enumerate((None, "4", 1.0, -1, 0, 1, 2, 4, 8, 1024, 1025, 2**31)):
        with socket.socket() as fresh:
            say(f"getsockopt {number}", fresh.getsockopt, *keepalive, size)
    values: tuple[Any, ...] = (
        None, "1", 1.0, b"", b"\1", b"\1\0\0\0", bytearray(4), memoryview(b"\1\0\0\0"), -1, 2**31,
        2**40, True, [1],
    )  # fmt: skip
    for number, value in enumerate(values):
        with socket.socket() as fresh:
            say(f"setsockopt {number}", fresh.setsockopt, *keepalive, value)
            say(f"then {number}", lambda s: s.getsockopt(*keepalive) != 0, fresh)
    for number, more in enumerate(((None, 4), (None, -1), (None, "4"), (1, 4), (b"x", 4))):
        with socket.socket() as fresh:
            say(f"setsockopt with length {number}", fresh.setsockopt, *keepalive, *more)
    with socket.socket() as fresh:
        say("setsockopt level", fresh.setsockopt, "1", 9, 1)
        say("setsockopt name", fresh.setsockopt, 1, None, 1)
        say("setsockopt two", fresh.setsockopt, 1, 9)
        say("getsockopt level", fresh.getsockopt, None, 9)
        say("getsockopt one", fresh.getsockopt, 1)
        say("getsockopt unknown", fresh.getsockopt, socket.SOL_SOCKET, 9999)


def others() -> None:
    for number, value in enumerate((None, "1", 1.5, -1, 0, 2**31, True)):
        with socket.socket() as fresh:
            say(f"listen {number}", fresh.listen, value)
        with pair() as (server, _):
            say(f"shutdown {number}", server.shutdown, value)
    with socket.socket() as fresh:
        say("accept, not listening", fresh.accept)
        say("getpeername", fresh.getpeername)
        say("getsockname", fresh.getsockname)
        say("shutdown without", fresh.shutdown)
        say("recv, not connected", fresh.recv, 1)
    kinds: tuple[tuple[Any, ...], ...] = (
        ("x",), (socket.AF_INET, "x"), (socket.AF_INET, 1, "x"), (9999,), (socket.AF_INET, 99),
        (socket.AF_INET, socket.SOCK_STREAM, 99), (None,), (socket.AF_INET, 1, 0, "x"),
        (socket.AF_INET, 1, 0, -1), (socket.AF_INET, 1, 0, 1.5), (1.5,), (2**40,),
    )  # fmt: skip
    for number, kind in enumerate(kinds):
        say(f"socket {number}", lambda *a: socket.socket(*a).close(), *kind)
    with socket.socket() as fresh:
        fresh.close()
        for name, arguments in (
            ("recv", (1,)), ("recv_into", (bytearray(1),)), ("recvfrom", (1,)), ("recvmsg", (1,)),
            ("recvmsg_into", ([bytearray(1)],)), ("send", (b"x",)), ("sendall", (b"x",)),
            ("sendmsg", ([b"x"],)), ("sendto", (b"x", ("127.0.0.1", 1))), ("accept", ()),
            ("bind", (("127.0.0.1", 0),)), ("connect", (("127.0.0.1", 1),)), ("listen", ()),
            ("connect_ex", (("127.0.0.1", 1),)), ("getsockname", ()), ("getpeername", ()),
            ("shutdown", (2,)), ("getsockopt", (1, 9)), ("setsockopt", (1, 9, 1)),
        ):  # fmt: skip
            say(f"closed: {name}", getattr(fresh, name), *arguments)


reading()
writing()
addresses()
options()
others()
