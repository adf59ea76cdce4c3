/* Runs records (see hart_records.py) one after the other.

   A record says which mode to enter and where; its registers are loaded, its code runs, every trap
   is logged and the instruction skipped, until the code reaches its end (an ebreak) or is lost.
   Then its registers are stored and the next one starts.  The end is the test finisher. */

#if __riscv_xlen == 64
#define REG_S sd
#define REG_L ld
#else
#define REG_S sw
#define REG_L lw
#endif

#define INIT     0
#define RESULT   256
#define F_INIT   512
#define F_RESULT 768
#define FCSR     1024
#define F_FCSR   1032
#define ENTRY    1040
#define END      1048
#define SETUP    1056
#define CLEANUP  1064
#define WITH_FP  1072
#define COUNT    1080
#define SCRATCH  1088
#define LOG      1152
#define LOG_MAX  56
#define STRIDE   16384
#define RECORDS  0x80100000
#define TABLE    0x80008000
#define FINISHER 0x100000
#define MTIMECMP 0x2004000

.macro each_x op, at, base, from=1, to=31
    .set n, \from
    .rept \to - \from + 1
    each_one \op, \at, \base, %n
    .set n, n + 1
    .endr
.endm
.altmacro
.macro each_one op, at, base, number
    \op x\number, (\at + 8 * \number)(\base)
.endm
.macro each_f op, at, base
    .set n, 0
    .rept 32
    each_fone \op, \at, \base, %n
    .set n, n + 1
    .endr
.endm
.macro each_fone op, at, base, number
    \op f\number, (\at + 8 * \number)(\base)
.endm

.globl _start
_start:
    lla t0, on_m_trap
    csrw mtvec, t0
    li tp, RECORDS
    li t0, MTIMECMP                 /* QEMU starts with 0 in it, and the interrupt pending */
    li t1, -1
    sw t1, 4(t0)
    sw t1, 0(t0)
    li t0, TABLE
    lw s0, 0(t0)
next:
    sw s0, 8(t0)
    beqz s0, done
    csrw mscratch, tp
    REG_L t0, CLEANUP(tp)
    jalr t0
    REG_L t0, SETUP(tp)
    jalr t0
    REG_L t0, INIT(tp)
    csrw mstatus, t0
    REG_L t0, ENTRY(tp)
    csrw mepc, t0
    lw t0, WITH_FP(tp)
    beqz t0, 1f
#ifdef __riscv_flen
    li t0, 0x6000
    csrs mstatus, t0
    lw t0, FCSR(tp)
    csrw fcsr, t0
    each_f fld, F_INIT, tp
#endif
1:  each_x REG_L, INIT, tp, 1, 3
    each_x REG_L, INIT, tp, 5, 31
    REG_L tp, INIT + 32(tp)
    mret

done:
    li t0, FINISHER
    li t1, 0x5555
    sw t1, 0(t0)
    j .

.macro handler prefix, lost
    csrrw t6, \prefix\()scratch, t6
    REG_S t3, SCRATCH(t6)
    REG_S t4, SCRATCH + 8(t6)
    REG_S t5, SCRATCH + 16(t6)
    lw t5, COUNT(t6)
    li t4, LOG_MAX
    bgeu t5, t4, \lost
    slli t4, t5, 5
    add t4, t4, t6
    csrr t3, \prefix\()cause
    REG_S t3, LOG(t4)
    csrr t3, \prefix\()epc
    REG_S t3, LOG + 8(t4)
    csrr t3, \prefix\()tval
    REG_S t3, LOG + 16(t4)
    csrr t3, \prefix\()status
    REG_S t3, LOG + 24(t4)
    addi t5, t5, 1
    sw t5, COUNT(t6)
    csrr t3, \prefix\()cause
    bltz t3, \lost
    csrr t4, \prefix\()epc
    REG_L t5, END(t6)
    bgeu t4, t5, 8f
    REG_L t5, ENTRY(t6)
    bltu t4, t5, 8f
    lhu t5, 0(t4)                   /* skip the instruction */
    andi t5, t5, 3
    addi t4, t4, 2
    li t3, 3
    bne t5, t3, 9f
    addi t4, t4, 2
    j 9f
8:  beqz t3, 7f                     /* a jump to where nothing can be fetched: return from it */
    addi t3, t3, -1
    beqz t3, 7f
    addi t3, t3, -11
    bnez t3, \lost
7:  mv t4, ra
    REG_L t5, END(t6)
    bgeu t4, t5, \lost
    REG_L t5, ENTRY(t6)
    bltu t4, t5, \lost
9:  csrw \prefix\()epc, t4
    REG_L t3, SCRATCH(t6)
    REG_L t4, SCRATCH + 8(t6)
    REG_L t5, SCRATCH + 16(t6)
    csrrw t6, \prefix\()scratch, t6
    \prefix\()ret
.endm

.balign 4
on_m_trap:
    handler m, m_lost
m_lost:
    REG_L t3, SCRATCH(t6)
    REG_L t4, SCRATCH + 8(t6)
    REG_L t5, SCRATCH + 16(t6)
    each_x REG_S, RESULT, t6, 1, 30
    csrr t5, mscratch
    REG_S t5, RESULT + 248(t6)
    mv tp, t6
    lw t0, WITH_FP(tp)
    beqz t0, 1f
#ifdef __riscv_flen
    li t0, 0x6000
    csrs mstatus, t0
    csrr t0, fcsr
    sw t0, F_FCSR(tp)
    each_f fsd, F_RESULT, tp
#endif
1:  REG_L t0, CLEANUP(tp)
    jalr t0
    li t0, STRIDE
    add tp, tp, t0
    li t0, TABLE
    lw s0, 8(t0)
    addi s0, s0, -1
    j next

.balign 4
.globl on_s_trap
on_s_trap:
    handler s, s_lost
s_lost:
    REG_L t3, SCRATCH(t6)
    REG_L t4, SCRATCH + 8(t6)
    REG_L t5, SCRATCH + 16(t6)
    csrrw t6, sscratch, t6
    ecall
