"""Code that changes, under the feet of translated code."""

from __future__ import annotations

import pytest
from hart_machine import BASE
from translate_program import EAGER, Program, Side, agree, sides

from minion.hart.csr import SATP
from minion.hart.fields import M, S
from minion.hart.state import Stop
from minion.hart.translate.config import Config

RUN = 20_000


def counted(program: Program, rounds: int) -> None:
    """The start of a loop of so many rounds, to be ended by `again`; the counter is x5."""
    program.li(5, rounds)
    program.label("loop")


def again(program: Program) -> None:
    program.put("addi", 5, 5, -1)
    program.put("bne", 5, 0, "loop")
    program.put("ecall")


def test_the_next_instruction() -> None:
    p = Program()
    p.la(6, "changed")
    p.li(8, p.encoded("addi", 10, 10, 1))
    p.li(9, p.encoded("addi", 10, 10, 100))
    counted(p, 50)
    p.put("sw", 8, 6, 0)
    p.label("changed")
    p.put("addi", 10, 10, 0)
    p.put("xor", 8, 8, 9)  # the other one, next time
    p.put("xor", 9, 8, 9)
    p.put("xor", 8, 8, 9)
    again(p)
    last = agree(*sides(p), [RUN])
    assert (last.stop, last.x[10]) == (Stop.MONITOR, 25 * 101)


def test_an_earlier_instruction_of_the_loop() -> None:
    p = Program()
    p.la(6, "changed")
    p.put("lw", 7, 6, 0)
    p.li(8, 1 << 20)
    counted(p, 100)
    p.label("changed")
    p.put("addi", 10, 10, 0)
    p.put("add", 7, 7, 8)  # add one more, next time
    p.put("sw", 7, 6, 0)
    again(p)
    assert agree(*sides(p), [RUN]).x[10] == sum(range(100))


def test_another_page_and_an_amo() -> None:
    p = Program()
    p.la(6, "changed")
    p.li(8, 1 << 20)
    counted(p, 100)
    p.put("jal", 1, "changed")
    p.put("amoadd.w", 11, 8, 6)
    again(p)
    p.align(4096)
    p.label("changed")
    p.put("addi", 10, 10, 0)
    p.put("jalr", 0, 1, 0)
    last = agree(*sides(p), [RUN])
    assert last.x[10] == sum(range(100))


def test_an_amo_on_the_next_instruction() -> None:
    p = Program()
    p.la(6, "changed")
    p.li(8, 1 << 20)
    counted(p, 60)
    p.put("amoadd.w", 11, 8, 6)
    p.label("changed")
    p.put("addi", 10, 10, 0)
    p.put("add", 12, 12, 11)
    again(p)
    assert agree(*sides(p), [RUN]).x[10] == sum(range(1, 61))


def test_data_beside_code_is_no_change() -> None:
    p = Program()
    p.la(6, "data")
    counted(p, 300)
    p.put("sd", 5, 6, 0)
    p.put("ld", 7, 6, 0)
    p.put("add", 10, 10, 7)
    again(p)
    p.align(64)
    p.label("data")
    plain, translated = sides(p)
    assert agree(plain, translated, [RUN]).x[10] == sum(range(301))
    assert translated.units


@pytest.mark.parametrize("fence", [True, False])
def test_fence_i_after_an_unseen_change(fence: bool) -> None:
    p = Program()
    p.la(6, "code")
    p.label("loop")
    p.put("jal", 1, "code")
    p.put("addi", 5, 5, 1)
    p.put("fence.i" if fence else "fence")
    p.put("beq", 0, 0, "loop")
    p.label("code")
    p.put("addi", 10, 10, 1)
    p.put("jalr", 0, 1, 0)
    plain, translated = sides(p)
    agree(plain, translated, [5000])
    for side in (plain, translated):  # as a device does by DMA
        at = p.address("code") - BASE
        side.machine.ram.u32[at >> 2] = p.encoded("addi", 10, 10, 3)
    if fence:
        before = plain.hart.x[10]
        last = agree(plain, translated, [7 * 100 + 1])
        assert last.x[10] >= before + 3 * 99
    assert translated.units


def two_pages() -> Program:
    """At "first" and "second", in pages of their own, code that returns to x1."""
    p = Program()
    p.put("ecall")
    for name, step in (("first", 1), ("second", 1000)):
        p.align(4096)
        p.label(name)
        p.li(5, 100)
        p.label(f"{name} loop")
        p.put("addi", 10, 10, step)
        p.put("addi", 5, 5, -1)
        p.put("bne", 5, 0, f"{name} loop")
        p.put("ecall")
    return p


ROOT, CODE = 0x8, 0x9
"""Pages of RAM: a root page table, and what lies where."""
VIRTUAL = 0x4000_0000


def paged(side: Side, pages: dict[int, int], root: int = ROOT) -> None:
    """Sv39 with three tables from a page of RAM on: pages from VIRTUAL on lie in these frames."""
    words = side.machine.ram.u64
    first = BASE >> 12
    for level in range(2):
        index = VIRTUAL >> 30 if level == 0 else 0
        words[(root + level) * 512 + index] = (first + root + level + 1) << 10 | 1
    words[root * 512 + 2] = BASE >> 12 << 10 | 0xCF  # RAM where it is
    for page, frame in pages.items():
        words[(root + 2) * 512 + page] = (first + frame) << 10 | 0xCF
    side.hart.csr.write(SATP, 8 << 60 | first + root)
    side.hart.priv = S
    side.hart.pmp.allow_all()
    side.hart.mmu.flush()
    side.hart.context_changed()


def test_another_address_space() -> None:
    """The same virtual address means other code, and other data; without a flush in between."""
    p = two_pages()
    plain, translated = sides(p)
    for side in (plain, translated):
        paged(side, {0: 2}, ROOT + 4)
        paged(side, {0: 1}, ROOT)
    spaces = [8 << 60 | (BASE >> 12) + root for root in (ROOT, ROOT + 4)]
    for n in range(12):
        for side in (plain, translated):
            side.hart.csr.write(SATP, spaces[n % 2])
            side.hart.pc = VIRTUAL
        before = plain.hart.x[10]
        last = agree(plain, translated, [RUN])
        assert last.x[10] - before == (100, 100_000)[n % 2]
    assert translated.units


def test_a_page_remapped_and_sfence() -> None:
    p = two_pages()
    plain, translated = sides(p)
    for side in (plain, translated):
        paged(side, {0: 1})
    for n in range(6):
        for side in (plain, translated):
            side.machine.ram.u64[(ROOT + 2) * 512] = (BASE >> 12) + 1 + n % 2 << 10 | 0xCF
            side.hart.mmu.flush()  # sfence.vma
            side.hart.pc = VIRTUAL
        before = plain.hart.x[10]
        assert agree(plain, translated, [RUN]).x[10] - before == (100, 100_000)[n % 2]


def test_through_another_mapping() -> None:
    """A loop stores into itself at another virtual address."""
    p = Program()
    p.put("ecall")
    p.align(4096)
    p.li(5, 200)
    p.label("loop")
    p.put("addi", 10, 10, 0)  # the third word of the page
    p.put("lw", 7, 6, 8)
    p.put("add", 7, 7, 8)
    p.put("sw", 7, 6, 8)
    p.put("addi", 5, 5, -1)
    p.put("bne", 5, 0, "loop")
    p.put("ecall")
    plain, translated = sides(p)
    for side in (plain, translated):
        paged(side, {0: 1, 5: 1})
        side.hart.pc = VIRTUAL
        side.hart.x[6] = VIRTUAL + 5 * 4096
        side.hart.x[8] = 1 << 20
    assert agree(plain, translated, [RUN]).x[10] == sum(range(200))


def test_the_cache_is_bounded() -> None:
    """Many loops, one after the other, again and again."""
    p = Program()
    p.label("start")
    for n in range(40):
        p.li(5, 4)
        p.label(f"loop{n}")
        p.put("addi", 10, 10, n)
        p.put("addi", 5, 5, -1)
        p.put("bne", 5, 0, f"loop{n}")
    p.put("jal", 0, "start")
    plain, translated = sides(p, Config(hot=2, warm=1, most_units=8))
    agree(plain, translated, [3000] * 5)
    assert 0 < translated.units <= 8


def test_a_mode_without_access() -> None:
    """Translated code of one mode is not what another may fetch."""
    p = two_pages()
    plain, translated = sides(p)
    for side in (plain, translated):
        paged(side, {0: 1})
    for priv in (S, M, S):
        for side in (plain, translated):
            side.hart.priv = priv
            side.hart.pc = VIRTUAL
            side.hart.context_changed()
        last = agree(plain, translated, [RUN])
        assert last.cause == (9 if priv == S else 1)


def test_the_defaults_translate_what_is_hot() -> None:
    p = two_pages()
    side = sides(p, Config())[1]
    side.hart.pc = p.address("first")
    side.run(50)
    assert side.units == 0
    for _ in range(8):
        side.hart.pc = p.address("first")
        side.run(RUN)
    assert side.units == 1
    assert EAGER.hot < Config().hot
