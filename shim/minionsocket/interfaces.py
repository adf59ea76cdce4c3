"""The interfaces of the module socket: the minion's."""

from __future__ import annotations

import os

from _minionsocket import ffi, lib

from minionsocket.calls import error

_IFNAMSIZ = 16
_UINT_MAX = (1 << 32) - 1
_ULONG_MAX = (1 << 64) - 1


def if_nameindex() -> list[tuple[int, str]]:
    first = lib.minion_if_nameindex()
    if first == ffi.NULL:
        raise error(ffi.errno)
    found: list[tuple[int, str]] = []
    try:
        while first[len(found)].if_index:
            entry = first[len(found)]
            found.append((entry.if_index, os.fsdecode(ffi.string(entry.if_name))))
    finally:
        lib.minion_if_freenameindex(first)
    return found


def if_nametoindex(name: str | bytes | os.PathLike[str], /) -> int:
    raw = os.fsencode(name)
    if b"\0" in raw:
        raise ValueError("embedded null byte")
    index: int = lib.minion_if_nametoindex(raw)
    if not index:
        raise OSError("no interface with this name")
    return index


def if_indextoname(index: int, /) -> str:
    if not isinstance(index, int):
        raise TypeError("an integer is required")
    if index < 0:
        raise OverflowError("can't convert negative value to unsigned int")
    if index > _ULONG_MAX:
        raise OverflowError("Python int too large to convert to C unsigned long")
    name = ffi.new("char[]", _IFNAMSIZ)
    if lib.minion_if_indextoname(index & _UINT_MAX, name) == ffi.NULL:
        raise error(ffi.errno)
    return os.fsdecode(ffi.string(name))
