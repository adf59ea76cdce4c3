"""The cffi module `_core`: the C of this folder, with the pieces that write.py generates.

setup.py names `ffibuilder` (cffi_modules).  Executed by itself, it prints the source (make check).
"""

from __future__ import annotations

import sys
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path("minion", "hart", "native")
HEADERS = sorted(str(FOLDER / path.name) for path in (ROOT / FOLDER).glob("*.[ch]"))
FLAGS = ["-std=gnu11", "-O2", "-fno-gcse", "-ffp-contract=off", "-Wall", "-Wextra"]

if str(ROOT) not in sys.path:  # in pip's isolated build
    sys.path.insert(0, str(ROOT))
from minion.hart.fields import FS  # noqa: E402
from minion.hart.native import write  # noqa: E402

declarations = (ROOT / FOLDER / "core.h").read_text()
pieces = f"#define FS {FS:#x}\n" + write.source(64) + write.source(32)
source = f'#include <stdint.h>\n{declarations}\n{pieces}\n#include "core.c"\n'

ffibuilder = FFI()
ffibuilder.cdef(declarations)
ffibuilder.set_source(
    "minion.hart.native._core",
    source,
    depends=HEADERS,
    include_dirs=[str(FOLDER)],
    libraries=["m"],
    extra_compile_args=FLAGS,
    optional=True,  # without it the translator is the fastest engine
)

if __name__ == "__main__":
    print(source)
