"""The device tree of the machine that machine code boots on, as QEMU's `virt` describes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hypercalls.bare import machine
from minion.boot.map import FINISHER
from minion.devices import clint, finisher, plic
from minion.fdt import EMPTY, Node, cells, strings, wide
from minion.hart.config import Isa
from minion.virt import UART_LENGTH

CPU: Final = 1
INTC: Final = 2
PLIC: Final = 3
TEST: Final = 4
"""Phandles."""
TIMEBASE_HZ: Final = 1_000_000_000 // machine.TICK_NS
UART_HZ: Final = 3_686_400
SOFTWARE, TIMER, SUPERVISOR, EXTERNAL = 3, 7, 9, 11
"""Causes of interrupts, as the CPU's interrupt controller numbers them."""
STDOUT: Final = f"/soc/serial@{machine.UART0:x}"


def board_tree(isa: Isa, ram_bytes: int, bootargs: str = "") -> Node:
    root = Node("", {
        "#address-cells": cells(2), "#size-cells": cells(2),
        "compatible": strings("riscv-virtio"), "model": strings("riscv-virtio,minion"),
    })  # fmt: skip
    chosen = root.child("chosen", {"stdout-path": strings(STDOUT)})
    if bootargs:
        chosen.properties["bootargs"] = strings(bootargs)
    memory = {"device_type": strings("memory"), "reg": wide(machine.RAM, ram_bytes)}
    root.child(f"memory@{machine.RAM:x}", memory)
    root.children += [cpus(isa), soc()]
    for name, value in (("poweroff", finisher.PASS), ("reboot", finisher.RESET)):
        root.child(name, {
            "compatible": strings(f"syscon-{name}"), "regmap": cells(TEST), "offset": cells(0),
            "value": cells(value),
        })  # fmt: skip
    return root


def cpus(isa: Isa) -> Node:
    node = Node("cpus", {
        "#address-cells": cells(1), "#size-cells": cells(0),
        "timebase-frequency": cells(TIMEBASE_HZ),
    })  # fmt: skip
    cpu = node.child("cpu@0", {
        "phandle": cells(CPU), "device_type": strings("cpu"), "reg": cells(0),
        "status": strings("okay"), "compatible": strings("riscv"),
        "riscv,isa": strings(isa.name), **extensions(isa),
    })  # fmt: skip
    if isa.has("s"):
        cpu.properties["mmu-type"] = strings("riscv,sv39" if isa.xlen == 64 else "riscv,sv32")
    cpu.child("interrupt-controller", {
        "phandle": cells(INTC), "compatible": strings("riscv,cpu-intc"),
        "interrupt-controller": EMPTY, "#interrupt-cells": cells(1),
    })  # fmt: skip
    cluster = node.child("cpu-map", {}).child("cluster0", {})
    cluster.child("core0", {"cpu": cells(CPU)})
    return node


def extensions(isa: Isa) -> Mapping[str, bytes]:
    """The newer properties that say what riscv,isa says."""
    letters, *named = isa.name.removeprefix(f"rv{isa.xlen}").split("_")
    return {
        "riscv,isa-base": strings(f"rv{isa.xlen}i"),
        "riscv,isa-extensions": strings(*letters, *named),
    }


def soc() -> Node:
    node = Node("soc", {
        "#address-cells": cells(2), "#size-cells": cells(2),
        "compatible": strings("simple-bus"), "ranges": EMPTY,
    })  # fmt: skip
    node.child(f"test@{FINISHER:x}", {
        "phandle": cells(TEST), "reg": wide(FINISHER, finisher.LENGTH),
        "compatible": strings("sifive,test1", "sifive,test0", "syscon"),
    })  # fmt: skip
    node.child(f"clint@{machine.CLINT:x}", {
        "reg": wide(machine.CLINT, clint.LENGTH),
        "compatible": strings("sifive,clint0", "riscv,clint0"),
        "interrupts-extended": cells(INTC, SOFTWARE, INTC, TIMER),
    })  # fmt: skip
    node.child(f"plic@{machine.PLIC:x}", {
        "phandle": cells(PLIC), "reg": wide(machine.PLIC, plic.LENGTH),
        "compatible": strings("sifive,plic-1.0.0", "riscv,plic0"),
        "interrupts-extended": cells(INTC, EXTERNAL, INTC, SUPERVISOR),
        "interrupt-controller": EMPTY, "#interrupt-cells": cells(1), "#address-cells": cells(0),
        "riscv,ndev": cells(plic.SOURCES),
    })  # fmt: skip
    node.child(f"serial@{machine.UART0:x}", {
        "reg": wide(machine.UART0, UART_LENGTH), "compatible": strings("ns16550a"),
        "clock-frequency": cells(UART_HZ), **interrupt(machine.UART0_IRQ),
    })  # fmt: skip
    for slot in range(machine.VIRTIO_SLOTS):
        base = machine.VIRTIO + slot * machine.VIRTIO_STRIDE
        node.child(f"virtio_mmio@{base:x}", {
            "reg": wide(base, machine.VIRTIO_STRIDE), "compatible": strings("virtio,mmio"),
            **interrupt(machine.VIRTIO_IRQ + slot),
        })  # fmt: skip
    return node


def interrupt(source: int) -> Mapping[str, bytes]:
    return {"interrupt-parent": cells(PLIC), "interrupts": cells(source)}
