"""The cffi module `_core`: the C of this folder, with the pieces that write.py generates.

setup.py names `ffibuilder` (cffi_modules).
"""

from __future__ import annotations

import sys
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path("minion", "hart", "native")
HEADERS = sorted(str(FOLDER / path.name) for path in (ROOT / FOLDER).glob("*.[ch]"))
FLAGS = ["-std=gnu11", "-O2", "-fno-gcse", "-fno-math-errno", "-Wall", "-Wextra"]

if str(ROOT) not in sys.path:  # in pip's isolated build
    sys.path.insert(0, str(ROOT))
from minion.hart.native import write  # noqa: E402

declarations = (ROOT / FOLDER / "core.h").read_text()
pieces = write.source(64) + write.source(32)

ffibuilder = FFI()
ffibuilder.cdef(declarations)
ffibuilder.set_source(
    "minion.hart.native._core",
    f'#include <stdint.h>\n{declarations}\n{pieces}\n#include "core.c"\n',
    depends=HEADERS,
    include_dirs=[str(FOLDER)],
    libraries=["m"],
    extra_compile_args=FLAGS,
)
