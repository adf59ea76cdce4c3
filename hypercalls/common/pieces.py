"""How the host's kernel hands on a long write to an AF_UNIX stream: in pieces, each of which can be
read when the next is still missing (unix_stream_sendmsg: what fits into one page, and 32 KiB).
Where pages are of another size pieces are too, and none is recognised.
"""

from __future__ import annotations

from typing import Final

PIECE_BYTES: Final = 4096 - 320 + 32768
COPYING_NS: Final = 1_000_000
"""The kernel copies a piece in some microseconds, if the program is not interrupted there."""


def unfinished_ns(length: int) -> int:
    """How long the rest of a write may take of which length bytes have been seen."""
    return 0 if length % PIECE_BYTES else COPYING_NS
