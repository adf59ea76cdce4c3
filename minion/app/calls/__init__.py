"""System calls of apps, with Linux's riscv64 numbers, structures and errors."""
