"""Device trees: the format, and the board's own beside QEMU's."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minion.boot.tree import board_tree
from minion.fdt import EMPTY, Node, cells, emit, strings, wide
from minion.hart.config import Isa

GC = Isa(64, "imafdcsu")
Tree = dict[str, dict[str, bytes]]


def read(blob: bytes) -> Tree:
    """Every node's properties, by path: a reader that shares nothing with the writer."""
    magic, total, tree_at, names_at, reserved, version, compatible = struct.unpack_from(">7I", blob)
    assert (magic, total, version, compatible) == (0xD00DFEED, len(blob), 17, 16)
    assert reserved % 8 == 0
    assert blob[reserved : reserved + 16] == bytes(16)
    cpu, names_size, tree_size = struct.unpack_from(">3I", blob, 28)
    assert (cpu, names_at + names_size, tree_at + tree_size) == (0, total, names_at)
    names = blob[names_at:]
    tree: Tree = {}
    path: list[str] = []
    at = tree_at
    while True:
        (token,) = struct.unpack_from(">I", blob, at)
        at += 4
        if token == 1:
            end = blob.index(0, at)
            path.append(blob[at:end].decode())
            tree["/".join(path) or "/"] = {}
            at = end + 4 & ~3
        elif token == 2:
            path.pop()
        elif token == 3:
            length, name = struct.unpack_from(">II", blob, at)
            key = names[name : names.index(0, name)].decode()
            tree["/".join(path) or "/"][key] = blob[at + 8 : at + 8 + length]
            at = at + 8 + length + 3 & ~3
        else:
            assert token == 9
            assert at == names_at
            return tree


def test_golden_bytes() -> None:
    root = Node("", {"a": cells(1)})
    root.child("n", {"bc": strings("x", "y"), "a": EMPTY})
    blob = emit(root)
    header = "d00dfeed 00000085 00000038 00000080 00000028 00000011 00000010 00000000 00000005"
    nodes = (
        "00000001 00000000 00000003 00000004 00000000 00000001"
        "00000001 6e000000 00000003 00000004 00000002 78007900 00000003 00000000 00000000"
        "00000002 00000002 00000009"
    )
    assert (
        blob == bytes.fromhex(header + "00000048") + bytes(16) + bytes.fromhex(nodes) + b"a\0bc\0"
    )
    assert read(blob) == {"/": {"a": cells(1)}, "/n": {"bc": b"x\0y\0", "a": b""}}


values = st.binary(max_size=9)
properties = st.dictionaries(st.text("abc-#,", min_size=1, max_size=5), values, max_size=4)


@given(properties, st.lists(st.tuples(st.text("xyz@19", min_size=1), properties), max_size=5))
def test_what_was_written_is_read(top: dict[str, bytes], nodes: list[tuple[str, object]]) -> None:
    root = Node("", top)
    expected: Tree = {"/": top}
    for name, content in dict(nodes).items():
        root.child(name, content)
        expected[f"/{name}"] = content
    assert read(emit(root)) == expected
    assert emit(root) == emit(root)


def test_the_tree_of_the_board() -> None:
    tree = read(emit(board_tree(GC, 64 << 20, "console=ttyS0")))
    assert tree["/chosen"]["bootargs"] == b"console=ttyS0\0"
    path = tree["/chosen"]["stdout-path"].rstrip(b"\0").decode()
    assert tree[path]["compatible"] == b"ns16550a\0"
    assert tree["/memory@80000000"]["reg"] == wide(0x8000_0000, 64 << 20)
    cpu = tree["/cpus/cpu@0"]
    assert cpu["riscv,isa"] == b"rv64imafdc_zicsr_zifencei\0"
    assert cpu["riscv,isa-base"] == b"rv64i\0"
    assert cpu["riscv,isa-extensions"] == strings(*"imafdc", "zicsr", "zifencei")
    assert cpu["mmu-type"] == b"riscv,sv39\0"
    assert tree["/cpus"]["timebase-frequency"] == cells(10_000_000)
    phandle = tree["/soc/test@100000"]["phandle"]
    assert tree["/poweroff"]["regmap"] == tree["/reboot"]["regmap"] == phandle
    assert tree["/poweroff"]["value"] == cells(0x5555)
    assert "bootargs" not in read(emit(board_tree(GC, 64 << 20)))["/chosen"]


def test_a_small_hart_in_the_tree() -> None:
    tree = read(emit(board_tree(Isa(32, "imac"), 4 << 20)))
    cpu = tree["/cpus/cpu@0"]
    assert cpu["riscv,isa"] == b"rv32imac_zicsr_zifencei\0"
    assert "mmu-type" not in cpu


def properties_of(text: str) -> dict[str, dict[str, str]]:
    """dtc's output: property texts by node name."""
    nodes: dict[str, dict[str, str]] = {}
    path: list[str] = []
    for line in text.split("/dts-v1/;", 1)[1].splitlines():
        if match := re.fullmatch(r"\s*(\S+) \{", line):
            path.append(match[1])
            nodes["/".join(path)] = {}
        elif line.strip() == "};":
            path.pop()
        elif match := re.fullmatch(r"\s*(\S+)(?: = (.*))?;", line):
            nodes["/".join(path)][match[1]] = match[2] or ""
    return nodes


def decompile(blob: Path) -> dict[str, dict[str, str]]:
    command = ["dtc", "-q", "-I", "dtb", "-O", "dts", blob]
    return properties_of(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.needs("dtc", "qemu-system-riscv64")
def test_beside_qemus(tmp_path: Path) -> None:
    theirs_file, ours_file = tmp_path / "qemu.dtb", tmp_path / "minion.dtb"
    kernel = tmp_path / "kernel"
    kernel.write_bytes(bytes(64))
    machine = f"virt,dumpdtb={theirs_file}"
    subprocess.run(["qemu-system-riscv64", "-M", machine, "-m", "64", "-append", "x=y",
                    "-bios", "none", "-kernel", kernel, "-nographic"],
                   check=True, capture_output=True)  # fmt: skip
    ours_file.write_bytes(emit(board_tree(GC, 64 << 20, "x=y")))
    theirs, ours = decompile(theirs_file), decompile(ours_file)
    assert set(ours) <= set(theirs)
    own = {"compatible", "reg", "interrupts", "interrupts-extended", "riscv,ndev", "value",
           "offset", "bootargs", "stdout-path", "timebase-frequency", "device_type", "phandle",
           "regmap", "interrupt-parent", "clock-frequency", "ranges"}  # fmt: skip
    for name, content in ours.items():
        for key, value in content.items():
            if key in own or key.startswith("#"):
                assert theirs[name][key] == value, f"{name} {key}"
