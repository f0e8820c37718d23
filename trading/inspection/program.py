"""The program that looks at one file: the file on standard input, its name as the only word, the answer as JSON.

It is told no secret and no path. Everything it needs is imported before it gives up its rights; what goes wrong in it
is an answer as well.
"""

from __future__ import annotations

import codecs
import io
import json
import sys
from typing import Final

from trading.inspection.findings import Found, Inspection
from trading.inspection.limits import Limits, confine
from trading.inspection.looking import look

#: Codecs are modules, which could not be loaded later.
_ENCODINGS: Final = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "latin-1", "ascii")
_READ: Final = 64 * 1024


def main() -> None:
    """Look at standard input: ``program NAME MEMORY CPU_S``."""
    name, memory, cpu_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    file = io.BufferedReader(io.FileIO(0, closefd=False), _READ)
    held = confine(Limits(memory=memory, cpu_s=cpu_s))
    try:
        found = look(file, name)
    except MemoryError:
        found = Inspection(kind="unknown", findings=(Found.LIMIT_MEMORY,))
    except Exception:  # noqa: BLE001 - the edge of this process: whatever a file breaks is said of the file
        found = Inspection(kind="unknown", findings=(Found.FAILED,))
    told = {"findings": list(found.findings), "held": held, "kind": found.kind, "preview": found.preview}
    sys.stdout.buffer.write(json.dumps(told).encode())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
