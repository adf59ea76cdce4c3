"""On PYTHONPATH, with COUNT_CALLS=FILE: counts this process's calls of Python and of C functions.

FILE holds two 64-bit integers, which whoever reads it sees grow: no question, so no answer that
would count itself.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
from types import FrameType

FILE = os.environ.get("COUNT_CALLS")


def start(path: str) -> None:
    with open(path, "r+b") as file:
        counts = memoryview(mmap.mmap(file.fileno(), 16)).cast("Q")

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            counts[0] += 1
        elif event == "c_call":
            counts[1] += 1

    threading.setprofile(count)
    sys.setprofile(count)


if FILE:
    start(FILE)
