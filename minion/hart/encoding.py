"""The instruction table: mnemonic, operands, mask and match, class.

Operands name the fields of decode.FIELDS in the order of the assembler's text (and of the
semantics' parameters).  Sections are extensions; a section of RV64 only ends in "64".
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple


class Kind(IntEnum):
    """What an instruction costs, and whether a block of straight code ends with it."""

    ALU = 0
    LOAD = 1
    STORE = 2
    MUL = 3
    DIV = 4
    AMO = 5
    FMOVE = 6
    FADD = 7
    FMUL = 8
    FDIV = 9
    FSQRT = 10
    BRANCH = 11
    JUMP = 12
    SYSTEM = 13
    """Reads or changes more than registers and memory: needs pc and counters in the hart."""


class Encoding(NamedTuple):
    name: str
    operands: tuple[str, ...]
    mask: int
    match: int
    kind: Kind
    fp: bool
    """Illegal while mstatus.FS is off."""
    rounds: bool


BASE: Final = """
lui      rd,upper         0000007f 00000037 ALU
auipc    rd,pcupper       0000007f 00000017 ALU
jal      rd,jtarget,link  0000007f 0000006f JUMP
jalr     rd,rs1,imm,link  0000707f 00000067 JUMP
beq      rs1,rs2,btarget  0000707f 00000063 BRANCH
bne      rs1,rs2,btarget  0000707f 00001063 BRANCH
blt      rs1,rs2,btarget  0000707f 00004063 BRANCH
bge      rs1,rs2,btarget  0000707f 00005063 BRANCH
bltu     rs1,rs2,btarget  0000707f 00006063 BRANCH
bgeu     rs1,rs2,btarget  0000707f 00007063 BRANCH
lb       rd,rs1,imm       0000707f 00000003 LOAD
lh       rd,rs1,imm       0000707f 00001003 LOAD
lw       rd,rs1,imm       0000707f 00002003 LOAD
lbu      rd,rs1,imm       0000707f 00004003 LOAD
lhu      rd,rs1,imm       0000707f 00005003 LOAD
sb       rs2,rs1,simm     0000707f 00000023 STORE
sh       rs2,rs1,simm     0000707f 00001023 STORE
sw       rs2,rs1,simm     0000707f 00002023 STORE
addi     rd,rs1,imm       0000707f 00000013 ALU
slti     rd,rs1,imm       0000707f 00002013 ALU
sltiu    rd,rs1,imm       0000707f 00003013 ALU
xori     rd,rs1,imm       0000707f 00004013 ALU
ori      rd,rs1,imm       0000707f 00006013 ALU
andi     rd,rs1,imm       0000707f 00007013 ALU
add      rd,rs1,rs2       fe00707f 00000033 ALU
sub      rd,rs1,rs2       fe00707f 40000033 ALU
sll      rd,rs1,rs2       fe00707f 00001033 ALU
slt      rd,rs1,rs2       fe00707f 00002033 ALU
sltu     rd,rs1,rs2       fe00707f 00003033 ALU
xor      rd,rs1,rs2       fe00707f 00004033 ALU
srl      rd,rs1,rs2       fe00707f 00005033 ALU
sra      rd,rs1,rs2       fe00707f 40005033 ALU
or       rd,rs1,rs2       fe00707f 00006033 ALU
and      rd,rs1,rs2       fe00707f 00007033 ALU
fence    -                0000707f 0000000f ALU
fence.i  -                0000707f 0000100f SYSTEM
ecall    -                ffffffff 00000073 SYSTEM
ebreak   -                ffffffff 00100073 SYSTEM
mret     -                ffffffff 30200073 SYSTEM
wfi      -                ffffffff 10500073 SYSTEM
csrrw    rd,csr,rs1       0000707f 00001073 SYSTEM
csrrs    rd,csr,rs1       0000707f 00002073 SYSTEM
csrrc    rd,csr,rs1       0000707f 00003073 SYSTEM
csrrwi   rd,csr,uimm      0000707f 00005073 SYSTEM
csrrsi   rd,csr,uimm      0000707f 00006073 SYSTEM
csrrci   rd,csr,uimm      0000707f 00007073 SYSTEM
"""
SUPERVISOR: Final = """
sret        -        ffffffff 10200073 SYSTEM
sfence.vma  rs1,rs2  fe007fff 12000073 SYSTEM
"""
BASE32: Final = """
slli  rd,rs1,shamt  fe00707f 00001013 ALU
srli  rd,rs1,shamt  fe00707f 00005013 ALU
srai  rd,rs1,shamt  fe00707f 40005013 ALU
"""
BASE64: Final = """
slli   rd,rs1,shamt  fc00707f 00001013 ALU
srli   rd,rs1,shamt  fc00707f 00005013 ALU
srai   rd,rs1,shamt  fc00707f 40005013 ALU
lwu    rd,rs1,imm    0000707f 00006003 LOAD
ld     rd,rs1,imm    0000707f 00003003 LOAD
sd     rs2,rs1,simm  0000707f 00003023 STORE
addiw  rd,rs1,imm    0000707f 0000001b ALU
slliw  rd,rs1,shamt  fe00707f 0000101b ALU
srliw  rd,rs1,shamt  fe00707f 0000501b ALU
sraiw  rd,rs1,shamt  fe00707f 4000501b ALU
addw   rd,rs1,rs2    fe00707f 0000003b ALU
subw   rd,rs1,rs2    fe00707f 4000003b ALU
sllw   rd,rs1,rs2    fe00707f 0000103b ALU
srlw   rd,rs1,rs2    fe00707f 0000503b ALU
sraw   rd,rs1,rs2    fe00707f 4000503b ALU
"""
MULTIPLY: Final = """
mul     rd,rs1,rs2  fe00707f 02000033 MUL
mulh    rd,rs1,rs2  fe00707f 02001033 MUL
mulhsu  rd,rs1,rs2  fe00707f 02002033 MUL
mulhu   rd,rs1,rs2  fe00707f 02003033 MUL
div     rd,rs1,rs2  fe00707f 02004033 DIV
divu    rd,rs1,rs2  fe00707f 02005033 DIV
rem     rd,rs1,rs2  fe00707f 02006033 DIV
remu    rd,rs1,rs2  fe00707f 02007033 DIV
"""
MULTIPLY64: Final = """
mulw   rd,rs1,rs2  fe00707f 0200003b MUL
divw   rd,rs1,rs2  fe00707f 0200403b DIV
divuw  rd,rs1,rs2  fe00707f 0200503b DIV
remw   rd,rs1,rs2  fe00707f 0200603b DIV
remuw  rd,rs1,rs2  fe00707f 0200703b DIV
"""
ATOMIC: Final = """
lr.w       rd,rs1      f9f0707f 1000202f AMO
sc.w       rd,rs2,rs1  f800707f 1800202f AMO
amoswap.w  rd,rs2,rs1  f800707f 0800202f AMO
amoadd.w   rd,rs2,rs1  f800707f 0000202f AMO
amoxor.w   rd,rs2,rs1  f800707f 2000202f AMO
amoand.w   rd,rs2,rs1  f800707f 6000202f AMO
amoor.w    rd,rs2,rs1  f800707f 4000202f AMO
amomin.w   rd,rs2,rs1  f800707f 8000202f AMO
amomax.w   rd,rs2,rs1  f800707f a000202f AMO
amominu.w  rd,rs2,rs1  f800707f c000202f AMO
amomaxu.w  rd,rs2,rs1  f800707f e000202f AMO
"""
ATOMIC64: Final = """
lr.d       rd,rs1      f9f0707f 1000302f AMO
sc.d       rd,rs2,rs1  f800707f 1800302f AMO
amoswap.d  rd,rs2,rs1  f800707f 0800302f AMO
amoadd.d   rd,rs2,rs1  f800707f 0000302f AMO
amoxor.d   rd,rs2,rs1  f800707f 2000302f AMO
amoand.d   rd,rs2,rs1  f800707f 6000302f AMO
amoor.d    rd,rs2,rs1  f800707f 4000302f AMO
amomin.d   rd,rs2,rs1  f800707f 8000302f AMO
amomax.d   rd,rs2,rs1  f800707f a000302f AMO
amominu.d  rd,rs2,rs1  f800707f c000302f AMO
amomaxu.d  rd,rs2,rs1  f800707f e000302f AMO
"""
SINGLE: Final = """
flw        fd,rs1,imm         0000707f 00002007 LOAD
fsw        fs2,rs1,simm       0000707f 00002027 STORE
fmadd.s    fd,fs1,fs2,fs3,rm  0600007f 00000043 FMUL
fmsub.s    fd,fs1,fs2,fs3,rm  0600007f 00000047 FMUL
fnmsub.s   fd,fs1,fs2,fs3,rm  0600007f 0000004b FMUL
fnmadd.s   fd,fs1,fs2,fs3,rm  0600007f 0000004f FMUL
fadd.s     fd,fs1,fs2,rm      fe00007f 00000053 FADD
fsub.s     fd,fs1,fs2,rm      fe00007f 08000053 FADD
fmul.s     fd,fs1,fs2,rm      fe00007f 10000053 FMUL
fdiv.s     fd,fs1,fs2,rm      fe00007f 18000053 FDIV
fsqrt.s    fd,fs1,rm          fff0007f 58000053 FSQRT
fsgnj.s    fd,fs1,fs2         fe00707f 20000053 FMOVE
fsgnjn.s   fd,fs1,fs2         fe00707f 20001053 FMOVE
fsgnjx.s   fd,fs1,fs2         fe00707f 20002053 FMOVE
fmin.s     fd,fs1,fs2         fe00707f 28000053 FMOVE
fmax.s     fd,fs1,fs2         fe00707f 28001053 FMOVE
fcvt.w.s   rd,fs1,rm          fff0007f c0000053 FADD
fcvt.wu.s  rd,fs1,rm          fff0007f c0100053 FADD
fmv.x.w    rd,fs1             fff0707f e0000053 FMOVE
feq.s      rd,fs1,fs2         fe00707f a0002053 FMOVE
flt.s      rd,fs1,fs2         fe00707f a0001053 FMOVE
fle.s      rd,fs1,fs2         fe00707f a0000053 FMOVE
fclass.s   rd,fs1             fff0707f e0001053 FMOVE
fcvt.s.w   fd,rs1,rm          fff0007f d0000053 FADD
fcvt.s.wu  fd,rs1,rm          fff0007f d0100053 FADD
fmv.w.x    fd,rs1             fff0707f f0000053 FMOVE
"""
SINGLE64: Final = """
fcvt.l.s   rd,fs1,rm  fff0007f c0200053 FADD
fcvt.lu.s  rd,fs1,rm  fff0007f c0300053 FADD
fcvt.s.l   fd,rs1,rm  fff0007f d0200053 FADD
fcvt.s.lu  fd,rs1,rm  fff0007f d0300053 FADD
"""
DOUBLE: Final = """
fld        fd,rs1,imm         0000707f 00003007 LOAD
fsd        fs2,rs1,simm       0000707f 00003027 STORE
fmadd.d    fd,fs1,fs2,fs3,rm  0600007f 02000043 FMUL
fmsub.d    fd,fs1,fs2,fs3,rm  0600007f 02000047 FMUL
fnmsub.d   fd,fs1,fs2,fs3,rm  0600007f 0200004b FMUL
fnmadd.d   fd,fs1,fs2,fs3,rm  0600007f 0200004f FMUL
fadd.d     fd,fs1,fs2,rm      fe00007f 02000053 FADD
fsub.d     fd,fs1,fs2,rm      fe00007f 0a000053 FADD
fmul.d     fd,fs1,fs2,rm      fe00007f 12000053 FMUL
fdiv.d     fd,fs1,fs2,rm      fe00007f 1a000053 FDIV
fsqrt.d    fd,fs1,rm          fff0007f 5a000053 FSQRT
fsgnj.d    fd,fs1,fs2         fe00707f 22000053 FMOVE
fsgnjn.d   fd,fs1,fs2         fe00707f 22001053 FMOVE
fsgnjx.d   fd,fs1,fs2         fe00707f 22002053 FMOVE
fmin.d     fd,fs1,fs2         fe00707f 2a000053 FMOVE
fmax.d     fd,fs1,fs2         fe00707f 2a001053 FMOVE
fcvt.s.d   fd,fs1,rm          fff0007f 40100053 FADD
fcvt.d.s   fd,fs1,rm          fff0007f 42000053 FADD
feq.d      rd,fs1,fs2         fe00707f a2002053 FMOVE
flt.d      rd,fs1,fs2         fe00707f a2001053 FMOVE
fle.d      rd,fs1,fs2         fe00707f a2000053 FMOVE
fclass.d   rd,fs1             fff0707f e2001053 FMOVE
fcvt.w.d   rd,fs1,rm          fff0007f c2000053 FADD
fcvt.wu.d  rd,fs1,rm          fff0007f c2100053 FADD
fcvt.d.w   fd,rs1,rm          fff0007f d2000053 FADD
fcvt.d.wu  fd,rs1,rm          fff0007f d2100053 FADD
"""
DOUBLE64: Final = """
fcvt.l.d   rd,fs1,rm  fff0007f c2200053 FADD
fcvt.lu.d  rd,fs1,rm  fff0007f c2300053 FADD
fcvt.d.l   fd,rs1,rm  fff0007f d2200053 FADD
fcvt.d.lu  fd,rs1,rm  fff0007f d2300053 FADD
fmv.x.d    rd,fs1     fff0707f e2000053 FMOVE
fmv.d.x    fd,rs1     fff0707f f2000053 FMOVE
"""

SECTIONS: Final = {
    "i": BASE,
    "i32": BASE32,
    "i64": BASE64,
    "s": SUPERVISOR,
    "m": MULTIPLY,
    "m64": MULTIPLY64,
    "a": ATOMIC,
    "a64": ATOMIC64,
    "f": SINGLE,
    "f64": SINGLE64,
    "d": DOUBLE,
    "d64": DOUBLE64,
}


def encodings(section: str) -> list[Encoding]:
    rows = []
    for line in SECTIONS.get(section, "").split("\n"):
        if line:
            name, operands, mask, match, kind = line.split()
            fields = () if operands == "-" else tuple(operands.split(","))
            numbers = int(mask, 16), int(match, 16)
            fp = section[0] in "fd"
            rows.append(Encoding(name, fields, *numbers, Kind[kind], fp, "rm" in fields))
    return rows
