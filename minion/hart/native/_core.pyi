"""What cffi makes of core.h, as far as Python looks inside."""

from collections.abc import Sequence
from typing import Literal, overload

class Address:
    """A pointer, or what owns the memory that it points to."""

    number: int
    def __int__(self) -> int: ...

class Entries(Address):
    def __len__(self) -> int: ...

class Regime:
    tag: int
    root: int
    asid: int
    levels: int
    priv: int
    sum: int
    mxr: int

class Region:
    first: int
    last: int
    cfg: int

class State(Address):
    x: Sequence[int]
    f: Sequence[int]
    frm: int
    fflags: int
    mstatus: int
    reserved_addr: int
    reserved_size: int
    reserved_value: int
    pc: int
    left: int
    cycles: int
    block: Address
    index: int
    floats: int
    may_fence: int
    fenced: int
    mask: int
    fp: int
    ram: int
    ram_base: int
    ram_bytes: int
    csrs: Address
    csr_masks: Address
    watched: Address
    granules: Address
    pte_bytes: int
    vpn_bits: int
    ppn_bits: int
    regions_on: int
    regions: Sequence[Region]
    regimes_used: int
    regimes: Sequence[Regime]

class Buffer:
    def __buffer__(self, flags: int) -> memoryview: ...

class Ffi:
    NULL: Address
    @overload
    def new(self, declaration: Literal["unsigned char[]"], initial: bytes) -> Address: ...
    @overload
    def new(self, declaration: Literal["struct entry[]"], initial: int) -> Entries: ...
    @overload
    def new(self, declaration: Literal["struct hart *"]) -> State: ...
    def cast(self, declaration: str, value: Address | int) -> Address: ...
    def from_buffer(self, buffer: memoryview) -> Address: ...
    def release(self, value: Address) -> None: ...
    def buffer(self, array: Sequence[int]) -> Buffer: ...
    def string(self, value: Address) -> bytes: ...

class Library:
    END: int
    PLAIN_OP: int
    FIRST: int
    REGIMES: int
    MISSING: int
    SHORT: int
    PLAIN: int
    UNWATCHED: int
    DECODED: int
    WATCHED: int
    def sound(self) -> int: ...
    def run64(self, hart: State) -> int: ...
    def run32(self, hart: State) -> int: ...
    def table64(self) -> Address: ...
    def table32(self) -> Address: ...
    def loose(self, hart: State) -> int: ...
    def put(self, hart: State, block: Address) -> int: ...
    def grow(self, hart: State, entries: Entries, mask: int) -> int: ...
    def withdraw(self, hart: State, block: Address) -> None: ...
    def empty(self, hart: State) -> None: ...
    def doubt(self, hart: State) -> None: ...
    def start(self, hart: State) -> None: ...
    def enter(self, hart: State, data: int, code: int) -> None: ...
    def flush_all(self, hart: State) -> None: ...
    def flush_page(self, hart: State, addr: int) -> None: ...
    def watch(self, hart: State, page: int, how: int) -> None: ...

ffi: Ffi
lib: Library
