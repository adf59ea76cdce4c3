"""bench/hart.py: every engine of the table does the same work, ours and others'."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import hart, peers
from bench.peers import FEW, PEERS, Peer, Work
from bench.programs import build, with_rounds
from minion.cli.engines import ENGINES
from minion.elf.image import parse

needs_compiler = pytest.mark.needs("riscv64-linux-gnu-gcc")


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bench"), "checksum")


def checksums(rounds: int) -> int:
    """What work() in checksum.c returns."""
    buffer = bytearray((n * 7 + 3) & 0xFF for n in range(1500))
    total = 0
    for n in range(rounds):
        buffer[n] = (buffer[n] + 1) & 0xFF
        total += 0xFFFF - (int.from_bytes(buffer, "little") % 0xFFFF or 0xFFFF)
    return total & 0xFFFF_FFFF


@needs_compiler
@pytest.mark.parametrize("name", hart.TARGETS)
def test_our_engines_do_the_same_work(elf: Path, name: str) -> None:
    makes, absent = hart.engines()
    if name not in makes:
        pytest.skip(next(line for line in absent if name in line))
    image = parse(elf.read_bytes())
    instructions, result = hart.Program(image, FEW, makes[name]).finish()
    assert result == checksums(FEW)
    assert instructions == hart.Program(image, FEW, makes["interpreter"]).finish()[0]


@needs_compiler
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_the_engines_of_others_do_the_same_work(elf: Path, peer: Peer) -> None:
    if not peer.installed:
        pytest.skip(f"{peer.name} is not installed")
    result = peer.run(with_rounds(elf, FEW))
    assert result == (None if peer.name == "qemu" else checksums(FEW))


@needs_compiler
def test_what_others_are_measured_by(elf: Path) -> None:
    work = hart.known(elf)
    assert work.result == checksums(FEW)
    image = parse(elf.read_bytes())
    one, two = (hart.Program(image, n, hart.engine("interpreter")).finish()[0] for n in (1, 2))
    assert work.instructions == two - one  # each of its rounds takes as long


@needs_compiler
def test_what_a_peer_needs_to_start_costs_nothing(
    elf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: list[str] = []

    def run(path: Path) -> int:
        files.append(path.name)
        return 7

    ticks = iter([0, 5, 10, 17])  # 5 s for two rounds, 7 s for 100 more
    monkeypatch.setattr(peers, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    work = Work(elf, 10.0, 7)
    assert peers.mips(Peer("tortoise", run, 1000, True), work) == 1000 / 2 / 1e6
    assert files == ["checksum-2", "checksum-102"]


@needs_compiler
def test_a_peer_with_another_result_is_not_measured(elf: Path) -> None:
    with pytest.raises(SystemExit, match="7 by hare, 8 by us"):
        peers.mips(Peer("hare", lambda _path: 7, 1000, True), Work(elf, 10.0, 8))


def test_an_engine_that_is_absent_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hart.TARGETS, "elsewhere", 1.0)
    monkeypatch.setitem(hart.TARGETS, "unbuilt", 1.0)
    monkeypatch.setitem(ENGINES, "unbuilt", "minion.hart.nowhere:Nothing")
    makes, absent = hart.engines()
    assert {"interpreter", "translator"} <= set(makes)
    assert {line.split(":")[0] for line in absent} >= {
        "no column for elsewhere", "no column for unbuilt",
    }  # fmt: skip
