"""The program that draws pages of one file: the file on standard input, pages on standard output (ADR 0067).

It is told its kind, where to begin and how many pages to draw. As the program that looks, it imports everything before
it gives up its rights, and says nothing but what it drew; whoever started it knows from a missing end that it broke.
"""

from __future__ import annotations

import io
import sys

from trading.inspection.drawing import Undrawable, count, draw, prepare
from trading.inspection.limits import Limits, confine
from trading.inspection.pages import MOST_PAGES, begin_line, end_line, lines_of


def main() -> None:
    """Draw: ``program KIND FIRST HOW_MANY MEMORY CPU_S``."""
    kind, (first, many, memory, cpu_s) = sys.argv[1], map(int, sys.argv[2:6])
    file, out = io.BufferedReader(io.FileIO(0, closefd=False), 64 * 1024), sys.stdout.buffer
    prepare()
    held = confine(Limits(memory=memory, cpu_s=cpu_s))
    try:
        pages = min(count(file, kind), MOST_PAGES)
        out.write(begin_line(pages, held))
        out.flush()
        for page in draw(file, kind, range(first, min(pages, first + many - 1) + 1)):
            out.writelines(lines_of(page))
            out.flush()
        out.write(end_line())
        out.flush()
    except (Undrawable, MemoryError):
        return


if __name__ == "__main__":
    main()
