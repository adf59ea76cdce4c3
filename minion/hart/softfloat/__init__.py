"""IEEE 754-2019 binary32 and binary64 on integers, the way RISC-V's F and D extensions want them.

A number is its bit pattern.  Operations take an environment, whose `fflags` they OR exceptions
into, then the operands, then the rounding mode where they round.
"""
