"""What a hart is: register width and extensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EXTENSIONS: Final = frozenset("imafdcsu")


@dataclass(frozen=True)
class Isa:
    """Always with C, Zicsr, Zifencei and M mode: `Isa(32, "imac")` is a small lowRISC core."""

    xlen: int = 64
    extensions: str = "imafdcsu"

    def __post_init__(self) -> None:
        letters = set(self.extensions)
        if self.xlen not in (32, 64):
            raise ValueError(f"isa: xlen {self.xlen}")
        if not set("imc") <= letters <= EXTENSIONS:
            raise ValueError(f"isa: extensions {self.extensions!r}")
        if ("d" in letters and "f" not in letters) or ("s" in letters and "u" not in letters):
            raise ValueError(f"isa: {self.extensions!r} lacks what an extension of it needs")

    def has(self, letter: str) -> bool:
        return letter in self.extensions

    @property
    def mask(self) -> int:
        return (1 << self.xlen) - 1

    @property
    def misa(self) -> int:
        """3.1.1: MXL and a bit for each extension."""
        letters = sum(1 << ord(letter) - ord("a") for letter in set(self.extensions))
        return (2 if self.xlen == 64 else 1) << self.xlen - 2 | letters

    @property
    def name(self) -> str:
        """As in a device tree: rv64imafdc_zicsr_zifencei."""
        letters = "".join(letter for letter in "imafdc" if self.has(letter))
        return f"rv{self.xlen}{letters}_zicsr_zifencei"


RV64: Final = Isa()
