"""The boot ROM: the reset vector, and what firmware finds in its registers.

    a0  mhartid        a1  the device tree        a2  OpenSBI's struct fw_dynamic_info

It is QEMU's, word for word: a program that reads it finds what it expects.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from minion.boot.map import ROM, ROM_LENGTH

START: Final = ROM + 0x18
TREE: Final = ROM + 0x20
DYNAMIC: Final = ROM + 0x28
DYNAMIC_MAGIC: Final = 0x4942534F
"""OSBI."""
DYNAMIC_VERSION: Final = 2
NEXT_IN_S_MODE: Final = 1
LOAD: Final = {32: 0x0000_2003, 64: 0x0000_3003}
"""lw, ld."""
T0: Final = 5
A1: Final = 11
CODE = Struct("<6I")
ADDRESSES = Struct("<QQ")
DYNAMIC_INFO: Final = {32: Struct("<6I"), 64: Struct("<6Q")}


def load_from_t0(xlen: int, register: int, offset: int) -> int:
    return LOAD[xlen] | register << 7 | T0 << 15 | offset << 20


def contents(xlen: int, entry: int, tree: int, next_entry: int) -> bytes:
    """entry: where to start, in M mode; next_entry: what fw_dynamic starts after it, or 0."""
    code = CODE.pack(
        0x0000_0297,  # auipc t0, 0
        0x0002_8613 | DYNAMIC - ROM << 20,  # addi a2, t0, ...
        0xF140_2573,  # csrr a0, mhartid
        load_from_t0(xlen, A1, TREE - ROM),
        load_from_t0(xlen, T0, START - ROM),
        0x0002_8067,  # jr t0
    )
    info = DYNAMIC_INFO[xlen].pack(DYNAMIC_MAGIC, DYNAMIC_VERSION, next_entry, NEXT_IN_S_MODE, 0, 0)
    return (code + ADDRESSES.pack(entry, tree) + info).ljust(ROM_LENGTH, b"\0")


class Rom:
    """Bytes that can be read; stores to them have no effect."""

    def __init__(self) -> None:
        self.data = b""

    def read(self, offset: int, size: int) -> int:
        return int.from_bytes(self.data[offset : offset + size], "little")

    def write(self, _offset: int, _size: int, _value: int) -> None:
        """A ROM."""
