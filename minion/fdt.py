"""Flattened device trees (Devicetree Specification v0.4, chapter 5): same tree, same bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

MAGIC: Final = 0xD00DFEED
VERSION: Final = 17
COMPATIBLE: Final = 16
HEADER = Struct(">10I")
RESERVATION_END: Final = bytes(16)
BEGIN_NODE: Final = (1).to_bytes(4, "big")
END_NODE: Final = (2).to_bytes(4, "big")
PROP: Final = (3).to_bytes(4, "big")
END: Final = (9).to_bytes(4, "big")
PROPERTY = Struct(">II")  # length, offset of its name

EMPTY: Final = b""
"""The value of a property whose presence is what it says."""


def cells(*values: int) -> bytes:
    """<u32> and <prop-encoded-array>."""
    return b"".join(value.to_bytes(4, "big") for value in values)


def wide(*values: int) -> bytes:
    """<u64>: two cells each."""
    return b"".join(value.to_bytes(8, "big") for value in values)


def strings(*values: str) -> bytes:
    """<string> and <stringlist>."""
    return b"".join(value.encode() + b"\0" for value in values)


@dataclass(slots=True)
class Node:
    name: str
    properties: dict[str, bytes]
    children: list[Node] = field(default_factory=list)

    def child(self, name: str, properties: dict[str, bytes]) -> Node:
        """Add one; returned."""
        node = Node(name, properties)
        self.children.append(node)
        return node


class Names:
    """The strings block: each property's name once."""

    def __init__(self) -> None:
        self.block = bytearray()
        self._offsets: dict[str, int] = {}

    def offset(self, name: str) -> int:
        if name not in self._offsets:
            self._offsets[name] = len(self.block)
            self.block += name.encode() + b"\0"
        return self._offsets[name]


def padded(data: bytes) -> bytes:
    """Up to the next multiple of four."""
    return data + bytes(-len(data) % 4)


def structure(node: Node, names: Names) -> bytes:
    parts = [BEGIN_NODE, padded(node.name.encode() + b"\0")]
    for name, value in node.properties.items():
        parts += [PROP, PROPERTY.pack(len(value), names.offset(name)), padded(value)]
    parts += [structure(child, names) for child in node.children]
    return b"".join([*parts, END_NODE])


def emit(root: Node, boot_cpu: int = 0) -> bytes:
    """The blob.  The root's name is empty by rule."""
    names = Names()
    tree = structure(root, names) + END
    reservations = HEADER.size  # 40: aligned to 8, as it must be
    start = reservations + len(RESERVATION_END)
    end = start + len(tree)
    header = HEADER.pack(
        MAGIC, end + len(names.block), start, end, reservations, VERSION, COMPATIBLE, boot_cpu,
        len(names.block), len(tree),
    )  # fmt: skip
    return header + RESERVATION_END + tree + bytes(names.block)
