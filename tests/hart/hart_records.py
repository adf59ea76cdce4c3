"""Images of many short programs for differential.S, and what they leave in memory.

The constants are those of differential.S.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hart_assembler import Assembler
from hart_machine import BASE, assembled

from minion.hart.config import Isa
from minion.hart.decode import Decoder

TABLE: Final = 0x8000
RECORDS: Final = 0x10_0000
STRIDE: Final = 16384
RESULT, F_INIT, F_RESULT, FCSR, F_FCSR, ENTRY, END, SETUP, CLEANUP, WITH_FP, COUNT, LOG = (
    256, 512, 768, 1024, 1032, 1040, 1048, 1056, 1064, 1072, 1080, 1152,
)  # fmt: skip
DATA: Final = 4096
"""The second and third page of a record: what its code loads and stores."""
MIDDLE: Final = DATA + 4096
"""Where pointers point to; immediates do not reach further than the two pages."""
CODE_ROOM: Final = 512
M_MODE: Final = 3 << 11


class Trapped(NamedTuple):
    cause: int
    epc: int
    tval: int
    status: int


class Outcome(NamedTuple):
    """What a record is compared by."""

    x: tuple[int, ...]
    f: tuple[int, ...]
    fcsr: int
    traps: tuple[Trapped, ...]
    data: bytes


@dataclass
class Record:
    code: bytes
    x: list[int] = field(default_factory=lambda: [0] * 32)
    """x[0] is not used."""
    f: list[int] | None = None
    fcsr: int = 0
    data: bytes = b""
    status: int = M_MODE
    """mstatus to enter with: MPP is the mode."""
    setup: bytes = b""
    """Runs in M mode before, and cleanup after; both may use all registers but ra and tp."""
    cleanup: bytes = b""


def data_address(index: int) -> int:
    return BASE + RECORDS + index * STRIDE + DATA


def code_offset(records: int) -> int:
    return RECORDS + records * STRIDE


def code_address(index: int, records: int) -> int:
    return BASE + code_offset(records) + index * CODE_ROOM


def extra_offset(records: int) -> int:
    """Room for what else an image needs: page tables."""
    return code_offset(records) + records * CODE_ROOM * 4 + 4095 & -4096


def ram_bytes(records: int, extra: int = 0) -> int:
    need = extra_offset(records) + extra
    return max(1 << need.bit_length() + 1, 16 << 20)  # QEMU puts a device tree near the end


def march(isa: Isa) -> str:
    letters = "".join(letter for letter in "imafdc" if isa.has(letter))
    return f"rv{isa.xlen}{letters}_zicsr_zifencei"


def harness(isa: Isa) -> tuple[bytes, dict[str, int]]:
    return assembled("differential.S", isa.xlen, march(isa))


def standard_cleanup(isa: Isa) -> bytes:
    """Back to a plain M mode, whatever the code has set."""
    asm = Assembler(isa)
    names = [0x304, 0x344] + ([0x302, 0x303, 0x180] if isa.has("s") else [])
    counters = [0x306, *([0x106] if isa.has("s") else [])]
    protection = [0x3A0, 0x3A2] if isa.xlen == 64 else [0x3A0, 0x3A1, 0x3A2, 0x3A3]
    for csr in [0x300, *names, *counters, *protection]:
        asm.put("csrrw", 0, csr, 0)
    _, symbols = harness(isa)
    for csr, name in ((0x305, "on_m_trap"), (0x105, "on_s_trap")):
        if csr != 0x105 or isa.has("s"):
            asm.li(5, symbols[name])
            asm.put("csrrw", 0, csr, 5)
    return bytes(asm.code)


def image(isa: Isa, records: list[Record], extra: bytes = b"") -> bytes:
    text, _ = harness(isa)
    ram = bytearray(ram_bytes(len(records), len(extra)))
    beyond = extra_offset(len(records))
    ram[beyond : beyond + len(extra)] = extra
    ram[: len(text)] = text
    assert len(text) <= TABLE
    ram[TABLE : TABLE + 4] = len(records).to_bytes(4, "little")
    ret = Assembler(isa)
    ret.put("jalr", 0, 1, 0)
    ebreak = Assembler(isa)
    ebreak.put("ebreak")
    plain = standard_cleanup(isa)
    auxiliary = code_address(len(records), len(records))
    for index, record in enumerate(records):
        at = RECORDS + index * STRIDE

        def put(place: int, value: int, base: int = at) -> None:
            ram[base + place : base + place + 8] = value.to_bytes(8, "little")

        for n, value in enumerate(record.x):
            put(8 * n, value)
        put(0, record.status)
        if record.f is not None:
            for n, value in enumerate(record.f):
                put(F_INIT + 8 * n, value)
            put(FCSR, record.fcsr)
            put(WITH_FP, 1)
        code = code_address(index, len(records))
        put(ENTRY, code)
        put(END, code + len(record.code))
        body = record.code + bytes(ebreak.code)
        assert len(body) <= CODE_ROOM
        ram[code - BASE : code - BASE + len(body)] = body
        for place, extra in ((SETUP, record.setup), (CLEANUP, plain + record.cleanup)):
            put(place, auxiliary)
            routine = extra + bytes(ret.code)
            ram[auxiliary - BASE : auxiliary - BASE + len(routine)] = routine
            auxiliary += len(routine) + 3 & ~3
        assert len(record.data) <= STRIDE - DATA
        ram[at + DATA : at + DATA + len(record.data)] = record.data
    assert auxiliary - BASE <= beyond
    return bytes(ram)


STATUS_SEEN: Final = 0x0000_0000_007E_79AA
"""What both sides agree mstatus has: without UXL, SXL, VS, SD."""


def outcome(isa: Isa, ram: bytes | memoryview, index: int) -> Outcome:
    at = RECORDS + index * STRIDE

    def get(place: int, count: int = 1, width: int = 8) -> tuple[int, ...]:
        base = at + place
        return tuple(
            int.from_bytes(ram[base + 8 * n : base + 8 * n + width], "little") for n in range(count)
        )

    width = isa.xlen // 8
    x = (0, *get(RESULT + 8, 31, width))
    traps = []
    for n in range(*get(COUNT, 1, 4)):
        cause, epc, tval, status = get(LOG + 32 * n, 4, width)
        cause = amo_cause(cause, epc, ram)
        traps.append(Trapped(cause, epc, tval, status & STATUS_SEEN))
    fp = get(WITH_FP)[0]
    f = get(F_RESULT, 32) if fp else ()
    return Outcome(
        x, f, get(F_FCSR, 1, 4)[0], tuple(traps), bytes(ram[at + DATA : at + DATA + 8192])
    )


def amo_cause(cause: int, epc: int, ram: bytes | memoryview) -> int:
    """With one hart, QEMU carries an AMO out as a load and a store: the load's faults show."""
    store = {4: 6, 5: 7, 13: 15}
    if cause in store and BASE <= epc < BASE + len(ram) - 4:
        at = epc - BASE
        word = int.from_bytes(ram[at : at + 4], "little")
        if word & 0x7F == 0x2F and word >> 27 != 2:
            return store[cause]
    return cause


def listing(isa: Isa, record: Record, pc: int) -> list[str]:
    """The code, as we decode it."""
    decoder = Decoder(isa)
    lines = []
    at = 0
    while at < len(record.code):
        word = int.from_bytes(record.code[at : at + 4], "little")
        d = decoder.decode(word, pc + at)
        lines.append(f"  {pc + at:x}: {d.raw:0{2 * d.length}x}  {d.name} {d.operands}")
        at += d.length
    return lines


def difference(ours: Outcome, theirs: Outcome) -> list[str]:
    lines = []
    for name in ("x", "f"):
        pairs = zip(getattr(ours, name), getattr(theirs, name), strict=True)
        for n, (a, b) in enumerate(pairs):
            if a != b:
                lines.append(f"  {name}{n}: ours {a:#x}, qemu {b:#x}")
    if ours.fcsr != theirs.fcsr:
        lines.append(f"  fcsr: ours {ours.fcsr:#x}, qemu {theirs.fcsr:#x}")
    for n in range(max(len(ours.traps), len(theirs.traps))):
        a = ours.traps[n : n + 1]
        b = theirs.traps[n : n + 1]
        if a != b:
            lines.append(f"  trap {n}: ours {hexes(a)}, qemu {hexes(b)}")
    if ours.data != theirs.data:
        where = [n for n, (a, b) in enumerate(zip(ours.data, theirs.data, strict=True)) if a != b]
        first = where[0] & ~7
        a, b = ours.data[first : first + 8].hex(), theirs.data[first : first + 8].hex()
        lines.append(f"  data at {first:#x}: ours {a}, qemu {b} ({len(where)} bytes differ)")
    return lines


def hexes(traps: tuple[Trapped, ...]) -> str:
    return " ".join(f"{value:#x}" for trap in traps for value in trap) or "none"
