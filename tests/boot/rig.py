"""A machine on virtual time: an instruction takes 50 ns, waiting takes none."""

from __future__ import annotations

from pathlib import Path

from minion.boot.machine import Engine, Machine, Setup
from minion.cli import engines
from minion.cli.boot_options import ISAS
from minion.hart.state import Hart

INSTRUCTION_NS = 50
ENGINES = tuple(engines.ENGINES)
LIMIT = 30_000_000


class Rig:
    def __init__(
        self,
        image: Path | bytes,
        *,
        bios: Path | None = None,
        isa: str = "rv64gc",
        engine: str = "interpreter",
        **setup: object,
    ) -> None:
        self._make_engine = engines.engine(engine)
        self._waited_ns = 1_000_000_000
        self._hart: Hart | None = None
        self.output = bytearray()
        data = image if isinstance(image, bytes) else image.read_bytes()
        firmware = b"" if bios is None else bios.read_bytes()
        setup.setdefault("limit", LIMIT)
        self.setup = Setup(data, firmware, ISAS[isa], now_ns=self.now_ns, **setup)
        self.machine = Machine(self.setup, self._engine, self.output.extend)

    def _engine(self, hart: Hart) -> Engine:
        self._hart = hart
        return self._make_engine(hart)

    def now_ns(self) -> int:
        executed = self._hart.instret if self._hart is not None else 0
        return self._waited_ns + executed * INSTRUCTION_NS

    def turn(self) -> bool:
        """One slice; False once nothing will happen by itself."""
        due = self.machine.run()
        if due is None:
            return False
        self._waited_ns += max(due - self.now_ns(), 0)
        return True

    def run(self, typed: bytes = b"") -> tuple[bytes, int]:
        """To the end, or until it waits for what nobody types: what it printed, its status."""
        while self.machine.status is None:
            room = self.machine.room
            if typed and room:
                self.machine.receive(typed[:room])
                typed = typed[room:]
            elif not self.turn() and self.machine.status is None and not self.machine.room:
                break
        self.machine.close()
        status = self.machine.status
        return bytes(self.output), -1 if status is None else status
