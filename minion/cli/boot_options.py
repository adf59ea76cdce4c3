"""The options of `minion boot`; names after QEMU's where QEMU has one."""

from __future__ import annotations

import argparse
from typing import Final

from minion.cli.engines import ENGINES
from minion.cli.options import PUBLICATION
from minion.hart.config import Isa
from minion.hart.cost import COSTS, DEFAULT

ISAS: Final = {
    "rv64gc": Isa(64, "imafdcsu"),
    "rv64imac": Isa(64, "imacsu"),
    "rv32imac": Isa(32, "imacu"),
}


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser("boot", help="boot a RISC-V program, firmware or kernel on the board")
    add = parser.add_argument
    add("image", nargs="?", metavar="IMAGE",
        help="ELF file, or raw binary for 0x80000000")  # fmt: skip
    add("--bios", metavar="FILE",
        help="firmware (e.g. OpenSBI) that starts first; IMAGE is its next stage")  # fmt: skip
    add("--append", default="", metavar="ARGS", help="bootargs in the device tree")
    group = parser.add_argument_group("the machine")
    add = group.add_argument
    add("--ram", type=int, default=64, metavar="MIB", dest="ram_mib", help="default: 64")
    add("--isa", choices=ISAS, default="rv64gc", help="default: rv64gc")
    add("--cpu", choices=COSTS, default=DEFAULT.name,
        help="what instructions cost, in cycles (default: 1 each)")  # fmt: skip
    add("--engine", default="", choices=("", *ENGINES), metavar="|".join(ENGINES),
        help="how machine code is executed (default: the fastest)")  # fmt: skip
    add("--netdev", default="user", metavar="user|tap:NAME[,HOST/LEN]|none",
        help="what the NIC is plugged into (default: user)")  # fmt: skip
    add("-p", "--publish", action="append", default=[], metavar=PUBLICATION,
        help="let a host port lead to a port of the machine")  # fmt: skip
    add("--disk", action="append", default=[], metavar="FILE[,ro]", help="a virtio disk")
    add("--console", choices=("uart", "virtio"), default="uart",
        help="who gets what is typed (default: uart); both write to the terminal")  # fmt: skip
    group = parser.add_argument_group("looking at it")
    add = group.add_argument
    add("--limit", type=int, metavar="N", help="end after N instructions (exit status 124)")
    add("--gdb", type=int, metavar="PORT", help="wait for gdb: target remote :PORT")
    add("--trace", metavar="FILE", help="log of every instruction, as Spike writes it")
    add("--profile", action="store_true", help="instructions by function, at the end")
    add("--dump-dtb", metavar="FILE", help="write the device tree and end")
