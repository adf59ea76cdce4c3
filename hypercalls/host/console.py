"""The console: a text stream, standard error by default."""

from __future__ import annotations

import sys
from typing import TextIO


class StreamConsole:
    """api.Console."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        stream = self._stream or sys.stderr
        stream.write(text)
        stream.flush()
