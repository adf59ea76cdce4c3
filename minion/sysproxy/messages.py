"""Messages of the system call proxy, after sysproxy 0.4: requests, responses and notes.

    class u8, op u8, reserved u16, reqno u32, chan u32, a i32, b i32, c i32, data   (little-endian)

A request's op and arguments are those of abi.h.  Its response has the same op and reqno, the result
in a, the errno in b.  Notes have no answer; their ops are below.  A message fills one frame.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

HEADER = Struct("<BBHIIiii")
REQUEST: Final = 0
RESPONSE: Final = 1
NOTE: Final = 2
SERVER_CHANNELS: Final = 1 << 31
"""Channels from here on are numbered by the server (accepted connections)."""
COPY_MAX: Final = 4096
"""Payload bytes in one COPYIN or COPYOUT: short enough that a control request never waits long."""
CREDIT: Final = 8 * COPY_MAX
"""Payload bytes that may be under way per socket and direction (--copy serial)."""


READ_ON_NS: Final = 2_000_000_000
"""How long a program that does not read may let wait what a lost connection had received.  Linux
keeps it for ever; but until it is out of our hands the program cannot be told of a hang-up."""

MORE: Final = 1
"""In a COPYIN's a."""


class Note(IntEnum):
    CONNECTED = 1
    """To the driver: the connection of chan is open; the channel may carry data."""
    FAILED = 2
    """To the driver: chan's connection is gone, errno in a.  b is 1 when data that was received
    before is still to come; the note is then repeated after it, or with 2 if nobody reads it."""
    ACCEPTED = 3
    """To the driver: listener chan has a connection, channel a; data: peer and local address."""
    ACCEPT_FULL = 4
    """To the server: hold ACCEPTED notes for chan back; a is 1 to hold, 0 to go on."""
    ATTACH = 5
    """Serial copies, to the driver: start reading chan."""
    COPYIN = 6
    """To the server: data that the program wrote; a < 0: EOF, RESET or CLOSED (api.Copy); MORE: the
    program has written more already."""
    COPYOUT = 7
    """To the driver: data for the program; a is 1 after the last of it."""
    CREDIT = 8
    """Either way: a more bytes may be sent on chan."""
    DETACH = 9
    """To the driver: close chan."""
    HUP = 11
    """Serial copies, to the server: chan's program has gone; the end follows what it wrote."""
    ACCEPT_TAKEN = 12
    """To the server: the program has taken a of the connections that it was given for chan."""
    LEAVE = 10
    """To the server: nobody waits for the answer to chan's connect with this request number."""


def emit(
    kind: int, op: int, reqno: int, chan: int, a: int = 0, b: int = 0, c: int = 0,
    data: bytes = b"",
) -> bytes:  # fmt: skip
    return HEADER.pack(kind, op, 0, reqno, chan, a, b, c) + data
