"""What cffi makes of core.h, as far as engine.py looks inside."""

from collections.abc import Sequence
from typing import Literal, overload

class Address:
    """A pointer, or what owns the memory that it points to."""

    pc: int
    def __int__(self) -> int: ...

class Entries(Address):
    def __len__(self) -> int: ...

class Table(Address):
    mask: int
    entries: Entries

class Page:
    number: int
    ram: int

class Pages(Address):
    def __getitem__(self, index: int) -> Page: ...

class Beside(Page):
    code: list[int]

class Besides(Address):
    def __getitem__(self, index: int) -> Beside: ...

class State(Address):
    x: Sequence[int]
    f: Sequence[int]
    frm: int
    fflags: int
    mstatus: int
    reserved_addr: int
    reserved_size: int
    reserved_value: int
    left: int
    cycles: int
    block: Address
    index: int
    addr: int
    floats: int
    table: Table
    reads: Pages
    writes: Pages
    besides: Besides

class Buffer:
    def __buffer__(self, flags: int) -> memoryview: ...

class Ffi:
    NULL: Address
    @overload
    def new(self, declaration: Literal["unsigned char[]"], initial: bytes) -> Address: ...
    @overload
    def new(self, declaration: Literal["struct table *"]) -> Table: ...
    @overload
    def new(self, declaration: Literal["struct entry[]"], initial: int) -> Entries: ...
    @overload
    def new(self, declaration: Literal["struct page[]"], initial: int) -> Pages: ...
    @overload
    def new(self, declaration: Literal["struct beside[]"], initial: int) -> Besides: ...
    @overload
    def new(self, declaration: Literal["struct hart *"]) -> State: ...
    def cast(self, declaration: str, value: Address) -> Address: ...
    def from_buffer(self, buffer: memoryview) -> Address: ...
    def release(self, value: Address) -> None: ...
    def buffer(self, array: Sequence[int]) -> Buffer: ...
    def string(self, value: Address) -> bytes: ...

class Library:
    END: int
    PLAIN_OP: int
    FIRST: int
    PAGES: int
    BESIDES: int
    MISSING: int
    SHORT: int
    PLAIN: int
    def sound(self) -> int: ...
    def run64(self, hart: State) -> int: ...
    def run32(self, hart: State) -> int: ...
    def table64(self) -> Address: ...
    def table32(self) -> Address: ...
    def put(self, table: Table, block: Address) -> int: ...
    def forget(self, table: Table) -> None: ...
    def drop(self, pages: Pages, number: int) -> None: ...
    def drop_all(self, pages: Pages) -> None: ...
    def drop_besides(self, besides: Besides) -> None: ...

ffi: Ffi
lib: Library
