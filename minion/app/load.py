"""From an ELF image to an app that can start: segments, stack, arguments, auxiliary vector."""

from __future__ import annotations

from collections.abc import Sequence
from errno import ENOMEM
from typing import Final

from minion.app.space import EXEC, READ, TOP, WRITE, AddressSpace, rounded
from minion.elf.image import ElfError, Image
from minion.elf.structs import PF_R, PF_W, PF_X

STACK_TOP: Final = TOP - (1 << 16)
STACK_BYTES: Final = 8 << 20
PIE_BASE: Final = 0x2A_0000_0000
"""Where position-independent executables go: Linux's two thirds, made round."""
ARGUMENTS_MAX: Final = 128 << 10

AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_ENTRY = 0, 3, 4, 5, 6, 7, 9
AT_UID, AT_EUID, AT_GID, AT_EGID, AT_HWCAP, AT_CLKTCK = 11, 12, 13, 14, 16, 17
AT_SECURE, AT_RANDOM, AT_EXECFN = 23, 25, 31
HWCAP: Final = sum(1 << ord(letter) - ord("A") for letter in "IMAFDC")


def load(space: AddressSpace, image: Image) -> tuple[int, int, int]:
    """Map the segments.  (entry, end of the data: where the heap begins, load bias).

    ElfError: not for this hart, or not for user addresses; OSError(ENOMEM).
    """
    if image.xlen != 64:
        raise ElfError("a 32-bit program: apps are riscv64")
    if not image.entry:
        raise ElfError("it names no entry point")
    if not image.executable(image.entry):
        raise ElfError(f"entry point {image.entry:#x} lies in no executable segment")
    bias = PIE_BASE if image.pie else 0
    if image.end + bias > STACK_TOP - STACK_BYTES:
        raise ElfError("it wants addresses that no user program has")
    for segment in image.segments:
        prot = (
            (READ if segment.flags & PF_R else 0)
            | (WRITE if segment.flags & PF_W else 0)
            | (EXEC if segment.flags & PF_X else 0)
        )
        start = segment.vaddr + bias & -4096
        end = segment.end + bias
        try:
            add(space, start, rounded(end - start), prot)
        except OSError as error:
            if error.errno == ENOMEM:
                raise ElfError("it wants addresses that no user program has") from None
            raise
        space.write(segment.vaddr + bias, segment.data, force=True)
    return image.entry + bias, rounded(image.end + bias), bias


def add(space: AddressSpace, start: int, length: int, prot: int) -> None:
    """Map pages; one that two segments share gets the rights of both."""
    shared = space.find(start)
    if shared is not None:
        space.protect(start, 4096, shared.prot | prot)
        start += 4096
        length -= 4096
    if length > 0:
        space.map(start, length, prot, "image")


def make_stack(
    space: AddressSpace,
    image: Image,
    bias: int,
    argv: Sequence[bytes],
    environ: Sequence[bytes],
    random: bytes,
) -> int:
    """Map and fill the stack (psABI): the stack pointer.  ElfError: too many arguments."""
    space.map(STACK_TOP - STACK_BYTES, STACK_BYTES, READ | WRITE, "stack")
    strings = [*argv, *environ]
    blob = b"".join(text + b"\0" for text in strings) + random
    if len(blob) + 8 * len(strings) > ARGUMENTS_MAX:
        raise ElfError("too many arguments")
    base = STACK_TOP - len(blob) & -16
    space.write(base, blob)
    addresses = []
    at = base
    for text in strings:
        addresses.append(at)
        at += len(text) + 1
    phdr = image.phdr_addr
    auxv = [
        (AT_PHDR, phdr + bias if phdr is not None else 0),
        (AT_PHENT, image.phentsize),
        (AT_PHNUM, image.phnum if phdr is not None else 0),
        (AT_PAGESZ, 4096), (AT_BASE, 0), (AT_ENTRY, image.entry + bias),
        (AT_UID, 0), (AT_EUID, 0), (AT_GID, 0), (AT_EGID, 0),
        (AT_HWCAP, HWCAP), (AT_CLKTCK, 100), (AT_SECURE, 0), (AT_RANDOM, at),
        (AT_EXECFN, addresses[0] if argv else 0), (AT_NULL, 0),
    ]  # fmt: skip
    count = len(argv)
    words = [count, *addresses[:count], 0, *addresses[count:], 0]
    words += [word for pair in auxv for word in pair]
    sp = base - 8 * len(words) & -16
    space.write(sp, b"".join(word.to_bytes(8, "little") for word in words))
    return sp
