"""The stub's commands on a machine, and whatever a hostile client may send."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ElementTree

import pytest
from debugging import BASE, DATA, HANDLER, LOOP, PROGRAM, RAN, Session
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import ENGINES

from minion.gdb.packets import unescape
from minion.gdb.target import POINTS
from minion.hart.csr import MTVEC

PC = 32
END = 6 + RAN + 5
"""Instructions to the end: a store to the finisher ends the machine with the block it is in."""


class Debugger:
    def stopped(self) -> None:
        """Who sends commands here waits for the machine."""


@pytest.fixture(params=ENGINES)
def session(request: pytest.FixtureRequest) -> Session:
    return Session(engine=request.param)


def register(session: Session, number: int) -> int:
    return int.from_bytes(bytes.fromhex(session.send(f"p{number:x}")), "little")


# -- registers and memory


def test_registers(session: Session) -> None:
    assert register(session, PC) == 0x1000, "the boot ROM"
    session.to(LOOP)
    general = bytes.fromhex(session.send("g"))
    values = struct.unpack("<33Q", general)
    assert (values[0], values[10], values[12], values[PC]) == (0, DATA, 10, LOOP)
    assert session.send("P5=" + (77).to_bytes(8, "little").hex()) == "OK"
    assert session.hart.x[5] == 77
    assert session.send("P0=" + b"\xff".hex() * 8) == "OK"
    assert register(session, 0) == 0, "x0 stays 0"
    assert session.send("G" + general.hex()) == "OK"
    assert session.hart.x[5] == values[5]
    for bad in ("P5=00", "P5", "Pzz=00", "p999", "p", "p-1", "G00", "P999=" + "00" * 8):
        assert session.send(bad) == "E16", bad


def test_what_the_description_says_is_there(session: Session) -> None:
    text, offset = b"", 0
    while True:
        reply = session.send(f"qXfer:features:read:target.xml:{offset:x},80").encode("latin-1")
        piece = unescape(reply[1:])
        text += piece
        offset += len(piece)
        if reply[:1] == b"l":
            break
        assert piece
    root = ElementTree.fromstring(text)
    assert root.findtext("architecture") == "riscv:rv64"
    numbers = {reg.get("name"): int(reg.get("regnum", "")) for reg in root.iter("reg")}
    assert (numbers["zero"], numbers["pc"], numbers["ft0"], numbers["ft11"]) == (0, 32, 33, 64)
    assert {"fcsr", "mstatus", "mcause", "satp", "priv"} <= set(numbers)
    for name, number in numbers.items():
        assert session.send(f"p{number:x}"), name
    priv, mscratch = numbers["priv"], numbers["mscratch"]
    assert register(session, priv) == 3
    session.send(f"P{mscratch:x}=" + (5).to_bytes(8, "little").hex())
    assert register(session, mscratch) == 5
    assert session.send("qXfer:features:read:other.xml:0,80") == "E00"
    assert session.send("qXfer:memory-map:read::0,80") == ""


def test_memory(session: Session) -> None:
    assert session.send(f"m{BASE:x},4") == PROGRAM[0].to_bytes(4, "little").hex()
    assert session.send("m1000,2") == "9702", "the boot ROM"
    assert session.send(f"M{DATA:x},3:616263") == "OK"
    assert session.send(b"X%x,2:d}\x03" % (DATA + 3)) == "OK"
    assert bytes.fromhex(session.send(f"m{DATA:x},5")) == b"abcd#"
    assert session.send(f"X{DATA:x},0:") == "OK", "how GDB asks whether there is X"
    across = bytes.fromhex(session.send(f"m{DATA + 0xFFE:x},4"))
    assert across == bytes(4)
    assert session.send("m10000005,1") == "60", "the UART's LSR"
    assert (
        session.send("m200bff8,8") == session.machine.virt.clint.mtime().to_bytes(8, "little").hex()
    )
    assert session.send("M100000,4:00000000") == "OK"
    top = (BASE + (64 << 20) - 2, "m{:x},8")
    assert len(session.send(top[1].format(top[0]))) == 4, "as far as there is memory"
    for bad in ("m0,4", "mffffffffffffffff,ffff", "M0,1:00", "X50000000,1:a", "m40000000,4"):
        assert session.send(bad) == "E0e", bad
    for bad in ("m", "m1", "m1,", "m,1", "mx,1", "M80000000,2:00", "M80000000,1:0", "M1,1",
                "m11111111122222222,1"):  # fmt: skip
        assert session.send(bad) == "E16", bad
    assert session.send(f"m{BASE:x},0") == ""
    assert len(session.send(f"m{BASE:x},ffffffff")) <= 0x4000


# -- running


def test_a_breakpoint_is_precise(session: Session) -> None:
    assert session.send("?") == "T05thread:1;"
    session.to(LOOP)
    assert session.hart.x[11] == 0
    assert session.hart.instret == 6 + 4
    assert session.send(f"Z1,{LOOP:x},4") == "OK"
    for count in range(1, 10):
        assert session.send("c") == "T05thread:1;swbreak:;"
        assert (session.hart.pc, session.hart.x[11]) == (LOOP, count)
        assert session.hart.instret == 6 + 4 + 4 * count
    assert session.send("vCont;c") == "W00"
    assert session.hart.instret == END


def test_a_breakpoint_set_where_code_has_run(session: Session) -> None:
    session.to(LOOP)
    assert session.send("c") == "W00"
    session = Session()
    session.to(BASE + 0x1C)
    session.to(LOOP)
    assert session.hart.x[11] == 1


def test_breakpoints_and_watchpoints_in_hot_code(session: Session) -> None:
    session.to(LOOP)
    session.hart.x[12] = 5000
    session.to(BASE + 0x20)
    for packet, reply, stop in (
        (f"0,{LOOP + 8:x},4", "swbreak:;", LOOP + 8),
        (f"2,{DATA:x},4", f"watch:{DATA:x};", LOOP + 4),
    ):
        session.hart.pc, session.hart.x[11] = LOOP, 0
        assert session.send(f"Z{packet}") == "OK"
        for count in (1, 2, 3):
            assert session.send("c") == f"T05thread:1;{reply}"
            assert (session.hart.pc, session.hart.x[11]) == (stop, count)
        assert session.send(f"z{packet}") == "OK"
        session.to(BASE + 0x20)
        assert session.hart.x[11] == 5000


def test_steps(session: Session) -> None:
    session.to(LOOP)
    pcs = []
    for packet in ("s", "vCont;s:1", "S05", f"s{LOOP:x}", "vCont;s:1;c"):
        assert session.send(packet) == "T05thread:1;"
        pcs.append(session.hart.pc - LOOP)
    assert pcs == [4, 8, 12, 4, 8]
    assert session.hart.x[11] == 2
    assert session.send("Z0,%x,4" % (LOOP + 12)) == "OK"
    assert session.send("s") == "T05thread:1;"
    assert session.send("s") == "T05thread:1;", "from a breakpoint"
    assert session.hart.pc == LOOP


def test_code_that_is_written_is_what_runs(session: Session) -> None:
    session.to(LOOP)
    session.send("s")
    session.send("s")
    session.to(LOOP)
    addi_2 = (0x00258593).to_bytes(4, "little").hex()
    assert session.send(f"M{LOOP:x},4:{addi_2}") == "OK"
    before = session.hart.x[11]
    session.send("s")
    assert session.hart.x[11] == before + 2


@pytest.mark.parametrize(("kind", "addr", "at", "reply"), [
    (2, DATA, LOOP + 4, "watch"), (3, DATA + 8, LOOP + 8, "rwatch"),
    (4, DATA + 8, LOOP + 8, "awatch"), (4, DATA, LOOP + 4, "awatch"),
])  # fmt: skip
def test_watchpoints(session: Session, kind: int, addr: int, at: int, reply: str) -> None:
    assert session.send(f"Z{kind},{addr:x},4") == "OK"
    for count in (1, 2, 3):
        assert session.send("c") == f"T05thread:1;{reply}:{addr:x};"
        assert (session.hart.pc, session.hart.x[11]) == (at, count)
    assert session.machine.virt.ram.u32[0x1000 // 4] == 3 - (addr == DATA), "before the access"
    assert session.send("s") == "T05thread:1;"
    assert session.hart.pc == at + 4
    assert session.send(f"z{kind},{addr:x},4") == "OK"
    assert session.send("c") == "W00"
    assert session.hart.instret == END, "nothing was executed twice or left out"


def test_a_watchpoint_of_another_kind_or_place(session: Session) -> None:
    for packet in (f"Z3,{DATA:x},4", f"Z2,{DATA + 8:x},4", f"Z4,{DATA + 4:x},4"):
        assert session.send(packet) == "OK"
    assert session.send("c") == "W00"


def test_part_of_what_is_watched(session: Session) -> None:
    assert session.send(f"Z2,{DATA + 3:x},1") == "OK"
    assert session.send("c") == f"T05thread:1;watch:{DATA + 3:x};"


def test_traps_while_watching() -> None:
    """They go to their handler as if nobody watched; the handler is watched, too."""
    program = {
        0x00: 0x00000297,  # auipc t0, 0
        0x04: 0x04028293,  # addi t0, t0, 0x40
        0x08: 0x30529073,  # csrw mtvec, t0
        0x0C: 0x00001517,  # auipc a0, 1
        0x10: 0x00000073,  # ecall
        0x14: 0x00100737,  # lui a4, 0x100
        0x18: 0x000057B7,  # lui a5, 5
        0x1C: 0x55578793,  # addi a5, a5, 0x555
        0x20: 0x00F72023,  # sw a5, 0(a4)
        0x40: 0x00052023 | 5 << 20,  # sw t0, 0(a0)    HANDLER
        0x44: 0x341022F3,  # csrr t0, mepc
        0x48: 0x00428293,  # addi t0, t0, 4
        0x4C: 0x34129073,  # csrw mepc, t0
        0x50: 0x30200073,  # mret
    }
    session = Session(program)
    at = DATA + 0xC
    assert session.send(f"Z2,{at:x},4") == "OK"
    assert session.send("c") == f"T05thread:1;watch:{at:x};"
    assert session.hart.pc == HANDLER
    assert session.send("c") == "W00", "on from a watchpoint that is still there"


def test_a_step_takes_no_interrupt() -> None:
    program = {
        0x00: 0x00000297,  # auipc t0, 0
        0x04: 0x04028293,  # addi t0, t0, 0x40
        0x08: 0x30529073,  # csrw mtvec, t0
        0x0C: 0x30446073,  # csrsi mie, 8
        0x10: 0x30046073,  # csrsi mstatus, 8
        0x14: 0x00000013,  # nop
        0x18: 0x0000006F,  # j .
        0x40: 0x0000006F,  # j .              HANDLER
    }
    session = Session(program)
    session.to(BASE + 0x14)
    session.machine.virt.bus.write(0x0200_0000, 4, 1)
    session.send("s")
    assert session.hart.pc == BASE + 0x18
    assert session.send(f"Z0,{HANDLER:x},4") == "OK"
    assert session.send("c") == "T05thread:1;swbreak:;", "going on does"


def test_interrupting_an_endless_loop(session: Session) -> None:
    session.to(BASE + 0x20)
    assert session.stub.command(b"c%x" % (BASE + 0x30)) is None
    for _ in range(5):
        session.rig.turn()
    session.target.pause()
    assert session.wait() == "T02thread:1;"
    assert session.hart.pc == BASE + 0x30


def test_wfi_is_left_by_a_step_and_by_an_interruption() -> None:
    session = Session({0x00: 0x10500073, 0x04: 0x10500073, 0x08: 0x0000006F})
    session.to(BASE)
    session.send("s")
    assert session.hart.pc == BASE + 4
    assert session.stub.command(b"c") is None
    assert not session.rig.turn(), "waits"
    session.target.pause()
    assert session.wait() == "T02thread:1;"
    session.send("s")
    session.send("s")
    assert session.hart.pc == BASE + 8


def test_a_reset_by_the_monitor(session: Session) -> None:
    session.to(LOOP)
    session.send(f"Z0,{LOOP:x},4")
    assert session.send("qRcmd," + b"reset".hex()) == "OK"
    assert session.hart.pc == 0x1000
    assert session.send("c") == "T05thread:1;swbreak:;", "breakpoints outlive a reset"
    assert bytes.fromhex(session.send("qRcmd," + b"help".hex())).startswith(b"monitor knows")
    assert session.send("qRcmd,zz") == "E16"
    assert session.send("qRcmd," + b"quit".hex()) == "OK"


def test_a_step_into_a_handler() -> None:
    """Also the first one, which the machine sees; and again, where there is none."""
    session = Session(PROGRAM | {0x0C: 0x00000073})
    session.to(BASE + 0x0C)
    session.hart.csr.write(MTVEC, HANDLER)
    assert session.send("s") == "T05thread:1;"
    assert session.hart.pc == HANDLER
    session = Session(PROGRAM | {0x0C: 0x00000073})
    session.machine.debugger = Debugger()
    session.to(BASE + 0x0C)
    for packet in ("s", "c", "s"):
        assert session.send(packet) == "T05thread:1;"
        assert session.hart.pc == BASE + 0x0C
        assert "machine ecall at 0x8000000c" in session.machine.fault


def test_going_away(session: Session) -> None:
    session.to(LOOP)
    session.send(f"Z0,{LOOP:x},4")
    assert session.send("D") == "OK"
    assert session.stub.detached
    assert session.wait() == "W00", "without breakpoints"
    session = Session()
    assert session.send("k") == "W00"
    session = Session()
    assert session.send("vKill;1") == "OK"
    assert session.machine.status == 0


# -- the rest of the protocol


@pytest.mark.parametrize(("packet", "reply"), [
    ("Hg0", "OK"), ("Hc-1", "OK"), ("T1", "OK"), ("qC", "QC1"), ("qAttached", "1"),
    ("qfThreadInfo", "m1"), ("qsThreadInfo", "l"), ("vCont?", "vCont;c;C;s;S"),
    ("QStartNoAckMode", "OK"), ("vMustReplyEmpty", ""), ("qTStatus", ""), ("!", ""), ("", ""),
    ("Qnonsense", ""), ("Z9,0,1", ""), ("z9,0,1", ""), ("Z0", "E16"), ("Z0,1", "E16"),
    ("vCont;", "E16"), ("vCont;x", "E16"), ("vAttach;1", ""), ("\xff\xff", ""),
])  # fmt: skip
def test_small_commands(session: Session, packet: str, reply: str) -> None:
    assert session.send(packet.encode("latin-1")) == reply


def test_what_is_supported(session: Session) -> None:
    supported = session.send("qSupported:multiprocess+;swbreak+").split(";")
    assert {"PacketSize=4000", "QStartNoAckMode+", "qXfer:features:read+"} <= set(supported)


def test_too_many_breakpoints(session: Session) -> None:
    for n in range(POINTS):
        assert session.send(f"Z0,{BASE + 2 * n:x},2") == "OK"
        assert session.send(f"Z2,{DATA + n:x},1") == "OK"
    assert session.send(f"Z0,{BASE:x},2") == "OK", "which is there already"
    assert session.send(f"Z0,{DATA:x},2") == "E1c"
    assert session.send("Z2,0,1") == "E1c"
    assert session.send(f"Z2,{DATA:x},ffffffff") == "E1c"
    assert session.send("Z2,0,0") == "E1c"


packets = st.one_of(
    st.binary(max_size=40),
    st.from_regex(rb"[mMXpPZzgGqvHcsCSDT?][0-9a-f,:;=]{0,24}", fullmatch=True),
    st.from_regex(rb"(Z|z)[0-4],[0-9a-f]{1,9},[0-9a-f]{1,2}", fullmatch=True),
    st.from_regex(rb"m(8000|10|c0|2)[0-9a-f]{1,6},[0-9a-f]{1,3}", fullmatch=True),
    st.sampled_from([b"c", b"s", b"vCont;c", b"vCont;s", b"k", b"D"]),
)


@settings(max_examples=60)
@given(st.lists(packets, max_size=12))
def test_no_packet_is_more_than_an_error(sequence: list[bytes]) -> None:
    session = Session()
    for packet in sequence:
        reply = session.stub.command(packet)
        assert reply is None or len(reply) <= 0x8000
        for _ in range(3):
            session.rig.turn()
        session.target.pause()
        session.rig.turn()
