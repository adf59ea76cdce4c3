"""An engine that writes Spike's commit log: one line per instruction that retires.

Theory of operation.  The plain engine runs one instruction at a time.  What was written is read off
the operands; accesses to memory are seen by standing in for hart.load and hart.store; flags raised
by floating point, by clearing them before.  Traps get the line that Spike prints with -l.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.hart.csr import FFLAGS, MEPC, MSTATUS, SEPC
from minion.hart.decode import BIN, Decoded
from minion.hart.encoding import Kind, encodings
from minion.hart.fields import Cause, M
from minion.hart.interpreter import Interpreter
from minion.hart.state import Hart, Stop
from minion.hart.trap import Trap

NAMES: Final = {
    Cause.FETCH_MISALIGNED: "instruction_address_misaligned",
    Cause.FETCH_ACCESS: "instruction_access_fault",
    Cause.ILLEGAL: "illegal_instruction",
    Cause.BREAKPOINT: "breakpoint",
    Cause.LOAD_MISALIGNED: "load_address_misaligned",
    Cause.LOAD_ACCESS: "load_access_fault",
    Cause.STORE_MISALIGNED: "store_address_misaligned",
    Cause.STORE_ACCESS: "store_access_fault",
    Cause.ECALL_U: "user_ecall",
    Cause.ECALL_S: "supervisor_ecall",
    Cause.ECALL_M: "machine_ecall",
    Cause.FETCH_PAGE: "instruction_page_fault",
    Cause.LOAD_PAGE: "load_page_fault",
    Cause.STORE_PAGE: "store_page_fault",
}
X, F, CSR = 0, 1, 4
"""In this order Spike lists the registers that have one number."""


class Tracer(Interpreter):
    def __init__(self, hart: Hart, write: Callable[[str], object]) -> None:
        super().__init__(hart)
        self._write = write
        self._loads: list[int] = []
        self._stores: list[tuple[int, int, int]] = []
        self._destinations = {
            e.name: e.operands[0]
            for section in ("i", "i32", "i64", "m", "m64", "a", "a64", "f", "f64", "d", "d64")
            for e in encodings(section)
            if e.operands and e.operands[0] in ("rd", "fd")
        }

    def run(self, limit: int) -> Stop:
        h = self.hart
        load, store = h.load, h.store

        def loading(addr: int, size: int) -> int:
            value = load(addr, size)
            self._loads.append(addr)
            return value

        def storing(addr: int, size: int, value: int) -> None:
            store(addr, size, value)
            self._stores.append((addr, size, value))

        h.load, h.store = loading, storing
        try:
            return self._steps(limit)
        finally:
            h.load, h.store = load, store

    def _steps(self, limit: int) -> Stop:
        h = self.hart
        end = h.instret + limit
        while h.instret < end:
            before = h.instret
            stop = self._step()
            if stop is not Stop.LIMIT:
                return stop
            end -= h.instret == before  # a trap
        return Stop.LIMIT

    def _step(self) -> Stop:
        h = self.hart
        self._loads.clear()
        self._stores.clear()
        pc, priv, retired, trap = h.pc, h.priv, h.instret, h.trap
        decoded = self._peek(pc)
        flags = h.fflags
        floating = (
            decoded is not None and decoded.name[0] == "f" and decoded.kind is not Kind.SYSTEM
        )
        if floating:
            h.fflags = 0
        stop = super().run(1)
        raised = floating and h.fflags != 0
        if floating:
            h.fflags |= flags
        if h.instret != retired and decoded is not None:
            self._commit(pc, priv, decoded, raised)
        if h.trap is not trap:  # of this instruction, or an interrupt after it
            self._trapped(h.trap, stop)
        return stop

    def _peek(self, pc: int) -> Decoded | None:
        """What is about to be executed, unless fetching it traps."""
        try:
            block = self.blocks.map().get(pc) or self.blocks.find(pc)
        except Trap:
            return None
        return block.straight.code[0]

    def _commit(self, pc: int, priv: int, decoded: Decoded, raised: bool) -> None:
        h = self.hart
        width = h.isa.xlen // 4
        parts = [f"core   0: {priv} 0x{pc:0{width}x} (0x{decoded.raw:0{decoded.length * 2}x})"]
        parts += [text for _, text in sorted(self._registers(decoded, raised, width))]
        if decoded.name[:3] == "amo":
            self._loads += [addr for addr, _, _ in self._stores]
        parts += [f"mem 0x{addr:0{width}x}" for addr in self._loads]
        parts += [f"mem 0x{a:0{width}x} 0x{v:0{size * 2}x}" for a, size, v in self._stores]
        self._write(" ".join(parts) + "\n")

    def _registers(
        self, decoded: Decoded, raised: bool, width: int
    ) -> list[tuple[tuple[int, int], str]]:
        """Those written, with what Spike sorts them by."""
        h = self.hart
        found = []
        destination = self._destinations.get(decoded.name)
        number = decoded.operands[0] if decoded.operands else 0
        if destination == "rd" and number != BIN:
            found.append(((number, X), f"x{number:<2} 0x{h.x[number]:0{width}x}"))
        elif destination == "fd":
            digits = 16 if h.isa.has("d") else 8
            value = h.f[number] & (1 << digits * 4) - 1
            found.append(((number, F), f"f{number:<2} 0x{value:0{digits}x}"))
        for csr in self._csrs(decoded, raised):
            name = h.csr.names[csr]
            found.append(((csr, CSR), f"c{csr}_{name} 0x{h.csr.read(csr):0{width}x}"))
        return found

    def _csrs(self, decoded: Decoded, raised: bool) -> list[int]:
        name = decoded.name
        if name[:4] == "csrr":
            _, csr, source = decoded.operands
            return [csr] if source or name in ("csrrw", "csrrwi") else []
        if name in ("mret", "sret"):
            return [MSTATUS]
        return [FFLAGS] if raised else []

    def _trapped(self, trap: Trap, stop: Stop) -> None:
        h = self.hart
        pc = h.csr.value[MEPC if h.priv == M else SEPC]
        if stop is Stop.MONITOR:
            pc = h.pc
        width = h.isa.xlen // 4
        top = 1 << h.isa.xlen - 1
        if trap.cause & top:
            name = f"interrupt #{trap.cause & ~top}"
        else:
            name = f"trap_{NAMES.get(Cause(trap.cause), 'unknown')}"
        self._write(f"core   0: exception {name}, epc 0x{pc:0{width}x}\n")
        if trap.tval:
            self._write(f"core   0:           tval 0x{trap.tval:0{width}x}\n")
