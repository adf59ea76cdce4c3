"""The CSR file: access rules, and the registers that are no more than their bits.

Registers with a life of their own are installed by minion.hart.csrs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from minion.hart.fields import TVM, Cause, M, S, U
from minion.hart.trap import Trap

if TYPE_CHECKING:
    from minion.hart.state import Hart

FFLAGS: Final = 0x001
FCSR: Final = 0x003
STVEC: Final = 0x105
SCOUNTEREN: Final = 0x106
SEPC: Final = 0x141
SCAUSE: Final = 0x142
STVAL: Final = 0x143
SATP: Final = 0x180
MSTATUS: Final = 0x300
MEDELEG: Final = 0x302
MIDELEG: Final = 0x303
MIE: Final = 0x304
MTVEC: Final = 0x305
MCOUNTEREN: Final = 0x306
MCYCLE: Final = 0xB00
MINSTRET: Final = 0xB02
MCOUNTINHIBIT: Final = 0x320
MEPC: Final = 0x341
MCAUSE: Final = 0x342
MTVAL: Final = 0x343
MHARTID: Final = 0xF14
NUMBERS: Final = 4096
CYCLE: Final = 0xC00
CYCLEH: Final = 0xC80

Reader = Callable[[], int]
Writer = Callable[[int], None]
Changer = Callable[[int, int], None]
"""Of the bits to clear, and the bits to set then."""


class CsrFile:
    """Each register has a value here, or a reader; a mask of writable bits, or a writer."""

    __slots__ = (
        "_changers",
        "_h",
        "_hartid",
        "_readers",
        "_writers",
        "masks",
        "names",
        "on_reset",
        "soft_mip",
        "value",
    )

    def __init__(self, h: Hart, hartid: int) -> None:
        self._h = h
        self._hartid = hartid
        self._readers: dict[int, Reader] = {}
        self._writers: dict[int, Writer] = {}
        self._changers: dict[int, Changer] = {}
        self.value = memoryview(bytearray(8 * NUMBERS)).cast("Q")
        """By number, also of registers that are not there: 0."""
        self.masks: dict[int, int] = {}
        self.names: dict[int, str] = {}
        self.on_reset: list[Callable[[], None]] = []
        self.soft_mip = 0
        """SSIP, STIP and SEIP as software wrote them; the wires of h.lines are OR-ed."""

    def reset(self) -> None:
        for addr in self.names:
            self.value[addr] = 0
        self.value[MHARTID] = self._hartid
        self.soft_mip = 0
        for function in self.on_reset:
            function()

    def plain(self, name: str, addr: int, writable: int = 0) -> None:
        self.names[addr] = name
        self.value[addr] = 0
        self.masks[addr] = writable & self._h.isa.mask

    def special(self, name: str, addr: int, reader: Reader, writer: Writer | None = None) -> None:
        """Without a writer it ignores writes."""
        self.names[addr] = name
        self._readers[addr] = reader
        if writer is not None:
            self._writers[addr] = writer
        else:
            self.masks[addr] = 0

    def writer(self, addr: int, writer: Writer) -> None:
        """For a register whose value is plain and whose writing is not."""
        self._writers[addr] = writer

    def changer(self, addr: int, changer: Changer) -> None:
        """For a register that shows more bits than are its own."""
        self._changers[addr] = changer

    def read(self, addr: int) -> int:
        """As a debugger does, without a look at privilege.  KeyError if there is none."""
        reader = self._readers.get(addr)
        if reader is not None:
            return reader()
        if addr not in self.names:
            raise KeyError(addr)
        return self.value[addr]

    def write(self, addr: int, value: int) -> None:
        writer = self._writers.get(addr)
        if writer is not None:
            writer(value)
        elif addr in self._changers:
            self._changers[addr](-1, value)
        elif mask := self.masks[addr]:
            self.value[addr] = self.value[addr] & ~mask | value & mask

    def bare(self) -> dict[int, int]:
        """The registers that are no more than their bits, and which of these can be written."""
        return {
            addr: mask
            for addr, mask in self.masks.items()
            if addr not in self._readers
            and addr not in self._writers
            and addr not in self._changers
        }

    def exchange(self, addr: int, clear: int, bits: int, write: bool) -> int:
        """One CSR instruction: the old value; then, if it writes, bits cleared and bits set."""
        if addr not in self.names or not self.allowed(addr, write):
            raise Trap(Cause.ILLEGAL, 0)
        old = self.read(addr)
        if write:
            changer = self._changers.get(addr)
            if changer is None:
                self.write(addr, old & ~clear | bits)
            else:
                changer(clear, bits)
        return old

    def allowed(self, addr: int, write: bool) -> bool:
        """Privilege and writability are in the number (2.1); the rest is in other registers."""
        h = self._h
        if h.priv < addr >> 8 & 3 or (write and addr >> 10 == 3):
            return False
        if addr >> 8 == 0:
            return h.fp
        if addr >> 8 == CYCLE >> 8 and h.priv < M:
            counter = 1 << (addr & 31)
            if h.priv == U and h.isa.has("s") and not self.value[SCOUNTEREN] & counter:
                return False
            return self.value[MCOUNTEREN] & counter != 0
        return not (addr == SATP and h.priv == S and h.mstatus & TVM)
