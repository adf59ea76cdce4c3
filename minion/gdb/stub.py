"""The commands of GDB's remote serial protocol (the GDB manual, appendix E): text in, text out.

Nothing here does I/O.  What GDB sends is hostile: numbers are bounded, what makes no sense is an
error reply, what is not known is an empty one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from minion.gdb.packets import PACKET_MAX, escape, unescape

OK: Final = b"OK"
UNKNOWN: Final = b""
BAD: Final = b"E16"
"""EINVAL."""
FAULT: Final = b"E0e"
"""EFAULT."""
FULL: Final = b"E1c"
"""ENOSPC."""
MEMORY_MAX: Final = PACKET_MAX // 2 - 16
SUPPORTED: Final = (
    f"PacketSize={PACKET_MAX:x};QStartNoAckMode+;qXfer:features:read+;swbreak+;hwbreak+;"
    "vContSupported+"
).encode()
WATCH: Final = {2: "write", 3: "read", 4: "access"}
WAITS: Final = None
"""No reply now: the hart runs, and the reply is what stops it."""

Reply = bytes | None


class BadPacketError(Exception):
    """GDB sent something that makes no sense."""


class Target(Protocol):
    """What is debugged: a hart and its memory, at virtual addresses."""

    def registers(self) -> str: ...

    def set_registers(self, data: bytes) -> bool: ...

    def register(self, number: int) -> str | None: ...

    def set_register(self, number: int, data: bytes) -> bool: ...

    def description(self) -> bytes:
        """target.xml."""

    def read(self, addr: int, length: int) -> bytes | None:
        """Up to length bytes, fewer at the end of what is there; None if nothing is."""

    def write(self, addr: int, data: bytes) -> bool: ...

    def set_break(self, addr: int) -> bool:
        """False if there are too many."""

    def clear_break(self, addr: int) -> None: ...

    def set_watch(self, kind: str, addr: int, length: int) -> bool: ...

    def clear_watch(self, kind: str, addr: int, length: int) -> None: ...

    def resume(self, addr: int | None, step: bool) -> None: ...

    def pause(self) -> None:
        """Stop the hart; the stop is reported as one by SIGINT."""

    def reason(self) -> str:
        """The last stop reply."""

    def detach(self) -> None:
        """Forget all breakpoints and let the hart run."""

    def kill(self) -> None:
        """End the machine."""

    def reset(self) -> None: ...


class Stub:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._xml = target.description()
        self.acknowledged = True
        """Until QStartNoAckMode."""
        self.detached = False
        """GDB has said good-bye."""
        self._commands: dict[str, Callable[[bytes], Reply]] = {
            "?": self._why, "g": self._g, "G": self._set_g, "p": self._p, "P": self._set_p,
            "m": self._read, "M": self._write, "X": self._write_binary, "c": self._continue,
            "s": self._step, "C": self._continue_signal, "S": self._step_signal, "Z": self._set,
            "z": self._clear, "k": self._kill, "D": self._detach, "H": self._ok, "T": self._ok,
            "v": self._v, "q": self._q, "Q": self._set_mode,
        }  # fmt: skip

    def command(self, packet: bytes) -> Reply:
        """The reply, or WAITS."""
        function = self._commands.get(packet[:1].decode("latin-1"))
        if function is None:
            return UNKNOWN
        try:
            return function(packet[1:])
        except BadPacketError:
            return BAD

    # -- registers

    def _g(self, _args: bytes) -> Reply:
        return self._target.registers().encode()

    def _set_g(self, args: bytes) -> Reply:
        return OK if self._target.set_registers(hexbytes(args)) else BAD

    def _p(self, args: bytes) -> Reply:
        value = self._target.register(number(args))
        return BAD if value is None else value.encode()

    def _set_p(self, args: bytes) -> Reply:
        which, value = split(args, b"=")
        return OK if self._target.set_register(number(which), hexbytes(value)) else BAD

    # -- memory

    def _read(self, args: bytes) -> Reply:
        addr, length = pair(args)
        if not length:
            return b""
        data = self._target.read(addr, min(length, MEMORY_MAX))
        return FAULT if not data else data.hex().encode()

    def _write(self, args: bytes) -> Reply:
        where, digits = split(args, b":")
        return self._store(where, hexbytes(digits))

    def _write_binary(self, args: bytes) -> Reply:
        where, data = split(args, b":")
        return self._store(where, unescape(data))

    def _store(self, where: bytes, data: bytes) -> Reply:
        addr, length = pair(where)
        if len(data) != length:
            return BAD
        return OK if not data or self._target.write(addr, data) else FAULT

    # -- running

    def _why(self, _args: bytes) -> Reply:
        return self._target.reason().encode()

    def _go(self, args: bytes, step: bool) -> Reply:
        self._target.resume(number(args) if args else None, step)
        return WAITS

    def _continue(self, args: bytes) -> Reply:
        return self._go(args, False)

    def _step(self, args: bytes) -> Reply:
        return self._go(args, True)

    def _continue_signal(self, args: bytes) -> Reply:
        """The signal means nothing to a hart."""
        return self._go(args.partition(b";")[2], False)

    def _step_signal(self, args: bytes) -> Reply:
        return self._go(args.partition(b";")[2], True)

    def _v(self, args: bytes) -> Reply:
        if args == b"Cont?":
            return b"vCont;c;C;s;S"
        if args.startswith(b"Cont;"):
            action = args[5:6]  # the first action that applies; there is one thread
            if action not in (b"c", b"C", b"s", b"S"):
                return BAD
            return self._go(b"", action in (b"s", b"S"))
        if args.startswith(b"Kill"):
            self._kill(b"")
            return OK
        return UNKNOWN

    # -- breakpoints

    def _set(self, args: bytes) -> Reply:
        kind, addr, length = self._point(args)
        if kind in (0, 1):
            return OK if self._target.set_break(addr) else FULL
        if kind in WATCH:
            return OK if self._target.set_watch(WATCH[kind], addr, length) else FULL
        return UNKNOWN

    def _clear(self, args: bytes) -> Reply:
        kind, addr, length = self._point(args)
        if kind in (0, 1):
            self._target.clear_break(addr)
        elif kind in WATCH:
            self._target.clear_watch(WATCH[kind], addr, length)
        else:
            return UNKNOWN
        return OK

    def _point(self, args: bytes) -> tuple[int, int, int]:
        kind, rest = split(args.partition(b";")[0], b",")
        return (number(kind), *pair(rest))

    # -- the session

    def _kill(self, _args: bytes) -> Reply:
        self._target.kill()
        return WAITS

    def _detach(self, _args: bytes) -> Reply:
        self._target.detach()
        self.detached = True
        return OK

    def _ok(self, _args: bytes) -> Reply:
        return OK

    def _set_mode(self, args: bytes) -> Reply:
        if args == b"StartNoAckMode":
            self.acknowledged = False
            return OK
        return UNKNOWN

    def _q(self, args: bytes) -> Reply:
        name = args.partition(b":")[0].partition(b",")[0]
        if name == b"Xfer":
            return self._transfer(args)
        if name == b"Rcmd":
            return self._monitor(hexbytes(args[5:]))
        return {
            b"Supported": SUPPORTED, b"Attached": b"1", b"C": b"QC1", b"fThreadInfo": b"m1",
            b"sThreadInfo": b"l", b"ThreadExtraInfo": b"CPU#0".hex().encode(), b"Symbol": OK,
        }.get(name, UNKNOWN)  # fmt: skip

    def _transfer(self, args: bytes) -> Reply:
        prefix = b"Xfer:features:read:target.xml:"
        if not args.startswith(prefix):
            return b"E00" if args.startswith(b"Xfer:features:read:") else UNKNOWN
        offset, length = pair(args[len(prefix) :])
        piece = self._xml[offset : offset + min(length, MEMORY_MAX)]
        more = b"m" if offset + len(piece) < len(self._xml) else b"l"
        return more + escape(piece)

    def _monitor(self, command: bytes) -> Reply:
        """`monitor reset` and `monitor quit`, as of QEMU's monitor."""
        if command in (b"reset", b"system_reset"):
            self._target.reset()
            return OK
        if command in (b"quit", b"q"):
            self._target.kill()
            return OK
        return b"monitor knows: reset, quit\n".hex().encode()


# -- what packets are made of


def number(text: bytes) -> int:
    """In hex, of 64 bits at most."""
    if not 0 < len(text) <= 16 or not set(text) <= set(b"0123456789abcdefABCDEF"):
        raise BadPacketError
    return int(text, 16)


def hexbytes(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise BadPacketError from None


def split(text: bytes, mark: bytes) -> tuple[bytes, bytes]:
    left, found, right = text.partition(mark)
    if not found:
        raise BadPacketError
    return left, right


def pair(text: bytes) -> tuple[int, int]:
    """addr,length"""
    left, right = split(text, b",")
    return number(left), number(right)
