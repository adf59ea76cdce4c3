"""Address spaces: a model that is a dict of pages; what the hart reads in the tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EEXIST, EFAULT, EINVAL, ENOMEM
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from minion.app import space as space_
from minion.app.frames import PAGE, Frames
from minion.app.space import EXEC, MMAP_TOP, READ, TOP, WRITE, AddressSpace
from minion.ram import Ram

BASE = 0x8000_0000
FIRST = 0x7FFF_F000 // PAGE - 12
"""Pages on both sides of a gigabyte's bound: every level of the tables changes there."""


def walk(ram: Ram, space: AddressSpace, addr: int) -> tuple[int, int] | None:
    """(physical address, rights) as the privileged specification says (Sv39)."""
    table = (space.satp & (1 << 44) - 1) << 12
    for level in (2, 1, 0):
        entry = ram.u64[(table + (addr >> 12 + 9 * level & 511) * 8 - ram.base) // 8]
        if not entry & 1:
            return None
        table = entry >> 10 << 12
        if entry & 0xE:
            assert not level
            assert entry & 0x10
            assert entry & 6 != 4, "W without R is reserved"
            return table | addr & 0xFFF, entry >> 1 & 7
    return None


@contextmanager
def errors(errno: int) -> Iterator[None]:
    """That the call fails with this errno; 0: that it does not."""
    found = 0
    try:
        yield
    except OSError as error:
        found = error.errno or -1
    assert found == errno


class Model(RuleBasedStateMachine):
    """Pages by number: their rights and their first byte."""

    page = st.integers(FIRST, FIRST + 23)
    count = st.integers(1, 8)
    prot = st.integers(0, 7)

    def __init__(self) -> None:
        super().__init__()
        self.ram = Ram(64 * PAGE, BASE)
        self.frames = Frames(self.ram, 64 * PAGE)
        self.free = self.frames.free_bytes
        self.flushed = 0
        self.space = AddressSpace(self.frames, self.flush)
        self.pages: dict[int, list[int]] = {}

    def flush(self) -> None:
        self.flushed += 1

    @rule(page=page, count=count, prot=prot, replace=st.booleans())
    def maps(self, page: int, count: int, prot: int, replace: bool) -> None:
        there = any(n in self.pages for n in range(page, page + count))
        wanted = EEXIST if there and not replace else 0
        with errors(wanted):
            self.space.map(page * PAGE, count * PAGE - 7, prot, replace=replace)
        if not wanted:
            prot |= READ if prot & WRITE else 0
            self.pages |= {n: [prot, 0] for n in range(page, page + count)}

    @rule(page=page, count=count)
    def unmaps(self, page: int, count: int) -> None:
        flushed = self.flushed
        lost = any(n in self.pages and walk(self.ram, self.space, n * PAGE)
                   for n in range(page, page + count))  # fmt: skip
        self.space.unmap(page * PAGE, count * PAGE)
        for n in range(page, page + count):
            self.pages.pop(n, None)
        assert not lost or self.flushed > flushed, "the hart has to hear of it"

    @rule(page=page, count=count, prot=prot)
    def protects(self, page: int, count: int, prot: int) -> None:
        whole = all(n in self.pages for n in range(page, page + count))
        with errors(0 if whole else ENOMEM):
            self.space.protect(page * PAGE, count * PAGE, prot)
        if whole:
            for n in range(page, page + count):
                self.pages[n][0] = prot | READ if prot & WRITE else prot

    @rule(page=page, access=st.sampled_from([READ, WRITE, EXEC]))
    def is_touched(self, page: int, access: int) -> None:
        may = page in self.pages and self.pages[page][0] & access != 0
        there = walk(self.ram, self.space, page * PAGE) is not None
        assert self.space.fault(page * PAGE + 5, access) == (may and not there)

    @rule(page=page, value=st.integers(1, 255))
    def is_written(self, page: int, value: int) -> None:
        may = page in self.pages and self.pages[page][0] & WRITE
        with errors(0 if may else EFAULT):
            self.space.write(page * PAGE, bytes([value]))
        if may:
            self.pages[page][1] = value

    @rule(page=page, count=count)
    def forgets(self, page: int, count: int) -> None:
        self.space.forget(page * PAGE, count * PAGE)
        for n in range(page, page + count):
            if n in self.pages:
                self.pages[n][1] = 0

    @precondition(lambda self: self.pages)
    @rule(data=st.data(), more=st.integers(0, 3))
    def moves(self, data: st.DataObject, more: int) -> None:
        page = data.draw(st.sampled_from(sorted(self.pages)))
        area = self.space.find(page * PAGE)
        assert area is not None
        count = data.draw(st.integers(1, area.end // PAGE - page))
        to = self.space.hole((count + more) * PAGE)
        prot = self.pages[page][0]
        before = self.frames.free_bytes
        self.space.move(page * PAGE, count * PAGE, to, (count + more) * PAGE)
        assert before - self.frames.free_bytes in (0, PAGE, 2 * PAGE), "only tables"
        for n in range(count):
            first = self.pages.pop(page + n)[1]
            if prot & READ:
                assert self.space.read(to + n * PAGE, 1) == bytes([first])
        assert self.space.find(to + (count + more) * PAGE - 1) is not None
        self.space.unmap(to, (count + more) * PAGE)

    @invariant()
    def the_tables_say_so(self) -> None:
        for n in range(FIRST - 1, FIRST + 33):
            found = walk(self.ram, self.space, n * PAGE)
            if n not in self.pages:
                assert found is None
            elif found is not None:
                assert found[1] == self.pages[n][0]
                assert self.ram.view[found[0] - BASE] == self.pages[n][1]
            else:
                assert not self.pages[n][1] or not self.pages[n][0]

    @invariant()
    def areas_are_in_order_and_joined(self) -> None:
        for left, right in pairwise(self.space.areas()):
            assert left.end <= right.start
            assert (left.end, left.prot) != (right.start, right.prot)

    def teardown(self) -> None:
        self.space.close()
        assert self.frames.free_bytes == self.free
        taken = [self.frames.take() for _ in range(self.free // PAGE)]
        assert len(set(taken)) == len(taken), "a frame was given back twice"
        assert None not in taken


Model.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestModel = Model.TestCase


@pytest.fixture
def space() -> AddressSpace:
    return AddressSpace(Frames(Ram(1 << 20, BASE), 1 << 20))


@pytest.mark.parametrize(("start", "length", "errno"), [
    (1, PAGE, EINVAL), (PAGE, 0, EINVAL), (PAGE, -PAGE, EINVAL), (0, PAGE, ENOMEM),
    (TOP, PAGE, ENOMEM), (TOP - PAGE, 2 * PAGE, ENOMEM), (1 << 63, PAGE, ENOMEM),
    (PAGE, 1 << 63, ENOMEM),
])  # fmt: skip
def test_what_cannot_be_mapped(space: AddressSpace, start: int, length: int, errno: int) -> None:
    with errors(errno):
        space.map(start, length, READ)
    assert not space.areas()


def test_holes(space: AddressSpace) -> None:
    assert space.hole(PAGE) == MMAP_TOP - PAGE
    space.map(MMAP_TOP - PAGE, 3 * PAGE, READ)  # across the top
    assert space.hole(PAGE) == MMAP_TOP - 2 * PAGE
    space.map(MMAP_TOP - 4 * PAGE, PAGE, READ)
    assert space.hole(2 * PAGE) == MMAP_TOP - 3 * PAGE
    assert space.hole(3 * PAGE) == MMAP_TOP - 7 * PAGE
    space.map(PAGE, PAGE, READ)
    assert space.hole(MMAP_TOP - 6 * PAGE) == 2 * PAGE
    for length in (MMAP_TOP - 5 * PAGE, TOP, 1 << 63):
        with pytest.raises(OSError, match="no range"):
            space.hole(length)


def test_there_is_a_bound_on_areas(space: AddressSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_, "AREAS_MAX", 8)
    space.map(PAGE, 100 * PAGE, READ)
    for n in range(3):
        space.protect((2 * n + 2) * PAGE, PAGE, WRITE)
    with pytest.raises(OSError, match="too many areas"):
        space.protect(50 * PAGE, PAGE, WRITE)
    assert len(space.areas()) == 8
    with pytest.raises(OSError, match="too many areas"):
        space.map(1 << 30, PAGE, READ)
    space.unmap(PAGE, 200 * PAGE)
    assert not space.areas()


def test_tens_of_thousands_of_areas(space: AddressSpace) -> None:
    """Each operation looks at few of them: all this took minutes."""
    for n in range(20_000):
        space.map((2 * n + 1) * PAGE, PAGE, READ)
    for n in range(20_000):
        space.protect((2 * n + 1) * PAGE, PAGE, READ | WRITE)
    space.unmap(PAGE, 40_000 * PAGE)
    assert not space.areas()


def test_a_move_without_memory_moves_nothing() -> None:
    ram = Ram(8 * PAGE, BASE)
    frames = Frames(ram, 8 * PAGE)
    space = AddressSpace(frames)
    space.map(PAGE, 4 * PAGE, READ | WRITE)
    for n in range(3):
        space.write((n + 1) * PAGE, b"%d" % n)
    free = frames.free_bytes
    while frames.free_bytes > PAGE:
        frames.take()
    before = frames.free_bytes
    with pytest.raises(OSError, match="no memory"):  # its tables need two
        space.move(PAGE, 4 * PAGE, 1 << 37, 8 * PAGE)
    assert [space.read((n + 1) * PAGE, 1) for n in range(3)] == [b"0", b"1", b"2"]
    assert all(walk(ram, space, (1 << 37) + n * PAGE) is None for n in range(8))
    assert space.find(1 << 37) is None
    assert before - frames.free_bytes <= PAGE < free
