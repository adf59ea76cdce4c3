"""A machine under the stub, without a socket: a program in machine code, commands, replies."""

from __future__ import annotations

import struct

from elves import BASE, Elf, Load
from rig import Rig

from minion.gdb.stub import Stub
from minion.gdb.target import HartTarget

LOOP = BASE + 0x10
DATA = BASE + 0x1000
HANDLER = BASE + 0x40
PROGRAM = {
    0x00: 0x00001517,  # auipc a0, 1        a0 = DATA
    0x04: 0x00000593,  # li a1, 0
    0x08: 0x00A00613,  # li a2, 10
    0x0C: 0x00000013,  # nop
    0x10: 0x00158593,  # addi a1, a1, 1     LOOP
    0x14: 0x00B52023,  # sw a1, 0(a0)
    0x18: 0x00852683,  # lw a3, 8(a0)
    0x1C: 0xFEC5CAE3,  # blt a1, a2, LOOP
    0x20: 0x00100737,  # lui a4, 0x100
    0x24: 0x000057B7,  # lui a5, 5
    0x28: 0x55578793,  # addi a5, a5, 0x555
    0x2C: 0x00F72023,  # sw a5, 0(a4)       pass
    0x30: 0x0000006F,  # j .
    0x40: 0x30200073,  # mret               HANDLER
}
RAN = 4 + 10 * 4
"""Instructions up to 0x20, without the boot ROM's six."""


def image(program: dict[int, int] = PROGRAM) -> bytes:
    code = bytearray(max(program) + 4)
    for at, word in program.items():
        struct.pack_into("<I", code, at, word)
    loads = [Load(data=bytes(code), flags=7), Load(DATA, b"", 0x1000, flags=6)]
    return Elf(loads=loads).bytes()


class Session:
    """Commands as GDB sends them; running ones return the stop reply."""

    def __init__(self, program: dict[int, int] = PROGRAM, engine: str = "interpreter") -> None:
        self.rig = Rig(image(program), engine=engine)
        machine = self.machine = self.rig.machine
        self.hart = machine.hart
        ram = machine.virt.ram
        self.target = HartTarget(machine.hart, machine.engine, machine, machine.virt.bus, ram)
        self.stub = Stub(self.target)
        machine.engine, machine.paused = self.target, True

    def send(self, packet: str | bytes) -> str:
        data = packet.encode() if isinstance(packet, str) else packet
        reply = self.stub.command(data)
        return self.wait() if reply is None else reply.decode("latin-1")

    def wait(self) -> str:
        """Until the hart stops or the machine ends."""
        while not self.machine.paused and self.machine.status is None:
            self.rig.turn()
        if self.machine.status is not None:
            return f"W{self.machine.status:02x}"
        return self.target.reason()

    def to(self, addr: int) -> None:
        """Run to an address."""
        assert self.send(f"Z0,{addr:x},4") == "OK"
        assert self.send("c") == "T05thread:1;swbreak:;"
        assert self.send(f"z0,{addr:x},4") == "OK"
        assert self.hart.pc == addr
