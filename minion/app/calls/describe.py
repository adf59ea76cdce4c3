"""A system call as one line of text, for --trace.

What goes in is looked at before the call, what comes out after it: a buffer may be another
thread's by then.  A pointer that leads nowhere is shown as a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import errorcode
from functools import partial
from typing import Final

from minion.app.calls.files import AT_FDCWD, vectors
from minion.app.calls.polling import EVENT, POLLFD
from minion.app.calls.signatures import ADDRESSES, SIGNATURES
from minion.app.calls.sockets import MSGHDR, SOCK_TYPE, parse_address
from minion.app.calls.table import signed
from minion.app.calls.time import SECOND, timespec_ns
from minion.app.process import Thread
from stack.wire import dotted

SHOWN_BYTES: Final = 32
SHOWN: Final = 4
"""Of pollfds, events, iovecs."""
SET_MAX: Final = 1024
ERRNO_MAX: Final = 4095

Args = Sequence[int]
In = Callable[[Thread, Args, int], str]
"""(thread, all arguments, which one)"""
Out = Callable[[Thread, Args, int, int], str]
"""..., the result, which is no error"""


def quoted(data: bytes, length: int | None = None) -> str:
    """In C's way, cut; length: of all of it."""
    shown = data[:SHOWN_BYTES].decode("latin-1").encode("unicode_escape").decode()
    more = "..." if (len(data) if length is None else length) > SHOWN_BYTES else ""
    return '"' + shown.replace('"', '\\"') + f'"{more}'


def listed(items: Sequence[str], count: int) -> str:
    return f"[{', '.join(items[:SHOWN])}{', ...' if count > SHOWN else ''}]"


def endpoint(ip: int, port: int) -> str:
    return f"{dotted(ip)}:{port}"


def pointer(value: int) -> str:
    return hex(value) if value else "NULL"


def names(pairs: Sequence[tuple[int, str]], value: int) -> str:
    """Flags by name, the rest as a number."""
    found = [name for bit, name in pairs if value & bit]
    rest = value & ~sum(bit for bit, _ in pairs)
    return "|".join([*found, hex(rest)] if rest or not found else found)


POLL: Final = ((1, "IN"), (2, "PRI"), (4, "OUT"), (8, "ERR"), (16, "HUP"), (32, "NVAL"),
               (0x2000, "RDHUP"), (1 << 30, "ONESHOT"), (1 << 31, "ET"))  # fmt: skip
poll_names: Final = partial(names, POLL)
FUTEX: Final = {0: "WAIT", 1: "WAKE", 3: "REQUEUE", 4: "CMP_REQUEUE", 9: "WAIT_BITSET",
                10: "WAKE_BITSET"}  # fmt: skip
FUTEX_PRIVATE: Final = 128
EPOLL: Final = {1: "ADD", 2: "DEL", 3: "MOD"}
FCNTL: Final = {0: "F_DUPFD", 1: "F_GETFD", 2: "F_SETFD", 3: "F_GETFL", 4: "F_SETFL",
                1030: "F_DUPFD_CLOEXEC"}  # fmt: skip
DOMAINS: Final = {1: "AF_UNIX", 2: "AF_INET", 10: "AF_INET6"}
TYPES: Final = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW"}


# -- what goes in


def at(_thread: Thread, args: Args, n: int) -> str:
    value = signed(args[n])
    return "AT_FDCWD" if value == AT_FDCWD else str(value)


def path(thread: Thread, args: Args, n: int) -> str:
    return quoted(thread.app.space.string(args[n]))


def data(thread: Thread, args: Args, n: int) -> str:
    """Its length is the next argument."""
    return quoted(thread.app.space.read(args[n], min(args[n + 1], SHOWN_BYTES)), args[n + 1])


def gathered(thread: Thread, addr: int, count: int, limit: int | None = None) -> str:
    """Of iovecs; limit: so much was read into them."""
    parts = vectors(thread, addr, count)
    total = sum(length for _, length in parts) if limit is None else limit
    left = min(total, SHOWN_BYTES)
    found = b""
    for start, length in parts:
        if left <= len(found):
            break
        found += thread.app.space.read(start, min(length, left - len(found)))
    return quoted(found, total)


def iov(thread: Thread, args: Args, n: int) -> str:
    return gathered(thread, args[n], args[n + 1])


def sockaddr(thread: Thread, args: Args, n: int) -> str:
    return endpoint(*parse_address(thread, args[n], args[n + 1])) if args[n] else "NULL"


def msg(thread: Thread, args: Args, n: int, limit: int | None = None) -> str:
    space = thread.app.space
    name, namelen, start, count, *_ = MSGHDR.unpack(space.read(args[n], MSGHDR.size))
    text = gathered(thread, start, count, limit)
    if not name or not namelen:
        return f"{{{text}}}"
    return f"{{{endpoint(*parse_address(thread, name, namelen))}, {text}}}"


def time(thread: Thread, args: Args, n: int) -> str:
    if not args[n]:
        return "NULL"
    seconds, rest = divmod(timespec_ns(thread, args[n]), SECOND)
    return f"{seconds}.{rest:09}".rstrip("0").rstrip(".") + "s"


def fds(thread: Thread, args: Args, n: int) -> str:
    raw = thread.app.space.read(args[n], min(args[n + 1], SHOWN) * POLLFD.size)
    items = [f"{fd} {poll_names(events & 0xFFFF)}" for fd, events, _ in POLLFD.iter_unpack(raw)]
    return listed(items, args[n + 1])


def fd_set(thread: Thread, args: Args, n: int) -> str:
    if not args[n]:
        return "NULL"
    count = min(args[0] & 0xFFFF_FFFF, SET_MAX)
    bits = int.from_bytes(thread.app.space.read(args[n], -(-count // 64) * 8), "little")
    found = [str(fd) for fd in range(count) if bits >> fd & 1]
    return listed(found, len(found))


def event(thread: Thread, args: Args, n: int) -> str:
    if not args[n]:
        return "NULL"
    events, value = EVENT.unpack(thread.app.space.read(args[n], EVENT.size))
    return f"{{{poll_names(events)}, {value:#x}}}"


def futex(_thread: Thread, args: Args, n: int) -> str:
    name = FUTEX.get(args[n] & 0x7F, hex(args[n]))
    return f"{name}|PRIVATE" if args[n] & FUTEX_PRIVATE and not name[0].isdigit() else name


def socket_type(_thread: Thread, args: Args, n: int) -> str:
    name, flags = TYPES.get(args[n] & SOCK_TYPE), args[n] & ~SOCK_TYPE
    if name is None:
        return hex(args[n])
    return f"{name}|{flags:#x}" if flags else name


def opt(thread: Thread, args: Args, n: int) -> str:
    return option(thread, args[n], args[n + 1] & 0xFFFF_FFFF)


def option(thread: Thread, addr: int, length: int) -> str:
    if length == 4:
        return f"[{signed(thread.app.space.word(addr, 4))}]"
    return quoted(thread.app.space.read(addr, min(length, SHOWN_BYTES)), length)


def named(table: dict[int, str], _thread: Thread, args: Args, n: int) -> str:
    return table.get(args[n], str(signed(args[n])))


def long(_thread: Thread, args: Args, n: int) -> str:
    return str(args[n] - (1 << 64) if args[n] >> 63 else args[n])


BEFORE: Final[dict[str, In]] = {
    "int": lambda _thread, args, n: str(signed(args[n])),
    "size": lambda _thread, args, n: str(args[n]),
    "long": long,
    "hex": lambda _thread, args, n: hex(args[n]) if args[n] else "0",
    "mode": lambda _thread, args, n: f"0{args[n] & 0xFFFF_FFFF:o}" if args[n] else "0",
    "ptr": lambda _thread, args, n: pointer(args[n]),
    "at": at,
    "path": path,
    "in": data,
    "iov": iov,
    "sockaddr": sockaddr,
    "msg": msg,
    "time": time,
    "fds": fds,
    "set": fd_set,
    "event": event,
    "futex": futex,
    "opt": opt,
    "epoll": partial(named, EPOLL),
    "fcntl": partial(named, FCNTL),
    "domain": partial(named, DOMAINS),
    "type": socket_type,
}


# -- what comes out


def out(thread: Thread, args: Args, n: int, result: int) -> str:
    return quoted(thread.app.space.read(args[n], min(result, SHOWN_BYTES)), result)


def text(thread: Thread, args: Args, n: int, _result: int) -> str:
    return quoted(thread.app.space.string(args[n]))


def peer(thread: Thread, args: Args, n: int, _result: int) -> str:
    """A connected socket's messages have none: nothing was written there."""
    if not args[n]:
        return "NULL"
    return endpoint(*parse_address(thread, args[n], thread.app.space.word(args[n + 1], 4)))


def iovout(thread: Thread, args: Args, n: int, result: int) -> str:
    return gathered(thread, args[n], args[n + 1], result)


def pair(thread: Thread, args: Args, n: int, _result: int) -> str:
    return f"[{thread.app.space.word(args[n], 4)}, {thread.app.space.word(args[n] + 4, 4)}]"


def events(thread: Thread, args: Args, n: int, result: int) -> str:
    raw = thread.app.space.read(args[n], min(result, SHOWN) * EVENT.size)
    found = [f"{{{poll_names(ready)}, {value:#x}}}" for ready, value in EVENT.iter_unpack(raw)]
    return listed(found, result)


def optout(thread: Thread, args: Args, n: int, _result: int) -> str:
    return option(thread, args[n], thread.app.space.word(args[n + 1], 4))


AFTER: Final[dict[str, Out]] = {
    "out": out,
    "text": text,
    "peer": peer,
    "iovout": iovout,
    "msgout": msg,
    "pair": pair,
    "events": events,
    "timeout": lambda thread, args, n, _result: time(thread, args, n),
    "optout": optout,
}


# -- the line


class Asked:
    """What a thread asks for, before it is carried out."""

    __slots__ = ("_args", "_kinds", "_name", "_number", "_shown", "_thread")

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self._number = thread.x[17]
        self._args = thread.x[10:16]
        signature = SIGNATURES.get(self._number, f"syscall_{self._number} hex hex hex hex hex hex")
        self._name, *self._kinds = signature.split()
        self._shown = {n: self._before(n, BEFORE[kind]) for n, kind in enumerate(self._kinds)
                       if kind in BEFORE}  # fmt: skip

    def _before(self, n: int, form: In) -> str:
        try:
            return form(self._thread, self._args, n)
        except OSError:
            return pointer(self._args[n])

    def _after(self, n: int, kind: str, result: int | None) -> str:
        if result is None or result < 0:
            return pointer(self._args[n])
        try:
            return AFTER[kind](self._thread, self._args, n, result)
        except OSError:
            return pointer(self._args[n])

    def line(self, result: int | None) -> str:
        """With its result; None: there was none."""
        parts = [self._shown.get(n) or self._after(n, kind, result)
                 for n, kind in enumerate(self._kinds) if kind != "-"]  # fmt: skip
        return f"{self._name}({', '.join(parts)}) = {self._outcome(result)}"

    def _outcome(self, result: int | None) -> str:
        if result is None:
            return "?"
        if -ERRNO_MAX <= result < 0:
            return f"-1 {errorcode.get(-result, -result)}"
        return hex(result) if self._number in ADDRESSES else str(result)
