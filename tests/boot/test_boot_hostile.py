"""Whatever a guest does, it is its own misfortune: noise as code, noise into every register."""

from __future__ import annotations

import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st
from rig import ENGINES, Rig

from minion.bus import BusError

WINDOWS = [
    (0x1000, 0xF000), (0x10_0000, 0x1000), (0x200_0000, 0x1_0000), (0xC00_0000, 0x60_0000),
    (0x1000_0000, 0x100), *((0x1000_1000 + n * 0x1000, 0x200) for n in range(8)),
    (0x7FFF_FFF0, 0x40), (0x83FF_FFF0, 0x40),
]  # fmt: skip
"""Each device, and the ends of RAM."""
REGISTERS = (0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x64, 0x70, 0x80, 0x84, 0x90, 0xA0)


@st.composite
def accesses(draw: st.DrawFn) -> tuple[int, int, int | None]:
    """Address, size, and what is stored; None for a load."""
    base, length = draw(st.sampled_from(WINDOWS))
    size = draw(st.sampled_from([1, 2, 4, 8]))
    offset = draw(st.one_of(st.integers(0, length - 1), st.sampled_from(REGISTERS)))
    value = draw(st.one_of(
        st.none(), st.integers(0, (1 << size * 8) - 1), st.integers(0, 16),
        st.integers(0x8000_0000, 0x8400_0000).map(lambda v: v & (1 << size * 8) - 1),
    ))  # fmt: skip
    return base + offset, size, value


@settings(max_examples=40)
@given(st.lists(accesses(), max_size=60), st.binary(max_size=64))
def test_any_access(sequence: list[tuple[int, int, int | None]], typed: bytes) -> None:
    rig = Rig(b"\x6f\0\0\0")
    machine = rig.machine
    for addr, size, value in sequence:
        try:
            if value is None:
                got = machine.virt.bus.read(addr, size)
                assert 0 <= got < 1 << 64
            else:
                machine.virt.bus.write(addr, size, value)
        except BusError:
            pass
    machine.receive(typed)
    machine.console.receive(typed)
    machine.power_on()
    machine.close()


@settings(max_examples=60)
@given(st.binary(min_size=4, max_size=400), st.booleans())
@example(struct.pack("<I", 0x30200073), False)
@example(b"\0" * 8, True)
def test_noise_as_code(noise: bytes, wide: bool) -> None:
    """It ends by itself or by the limit; whatever it does, nothing but the machine minds."""
    isa = "rv64gc" if wide else "rv32imac"
    ends = []
    for engine in ENGINES:
        rig = Rig(b"\x13\0\0\0" + noise, isa=isa, limit=2000, engine=engine)
        ends.append((*rig.run(), rig.machine.hart.pc, rig.machine.hart.x[:32]))
    assert len(ends[0][0]) < 2000
    assert ends[0] == ends[-1], "in every engine"


INTERESTING = st.sampled_from([
    0x30529073, 0x34129073, 0x30029073, 0x18029073, 0x12000073, 0x30200073, 0x10200073,
    0x10500073, 0x00000073, 0x00100073, 0x0000100F, 0x3A029073, 0x3B029073, 0x30229073,
])  # fmt: skip
"""Writes of t0 to mtvec, mepc, mstatus, satp, pmpcfg0 …; sfence.vma, mret, sret, wfi, ecall …"""
STORES = st.integers(0, 31).map(lambda rs2: 0x00A2A023 | rs2 << 20 & 0x01F0_0000)
"""sw of some register to (t0)."""
VALUES = st.tuples(st.integers(0, 0xFFFFF), st.integers(0, 0xFFF)).map(
    lambda v: [v[0] << 12 | 0x2B7, v[1] << 20 | 0x28293]
)
"""lui t0; addi t0, t0"""


@settings(max_examples=60)
@given(st.lists(st.one_of(INTERESTING.map(lambda w: [w]), STORES.map(lambda w: [w]), VALUES)))
def test_a_privileged_programs_mistakes(pieces: list[list[int]]) -> None:
    words = [word for piece in pieces for word in piece] + [0x0000006F]
    rig = Rig(b"".join(word.to_bytes(4, "little") for word in words), limit=3000)
    _, status = rig.run()
    assert -1 <= status <= 255
