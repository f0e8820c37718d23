"""The program that sets one page with typst and ends: inputs as JSON on standard input, the PDF on standard output.

A process of its own gives its memory back (in a worker typst keeps some 100 MB), and what goes wrong in foreign
code ends here and not in a web worker. It imports nothing of the platform and is told nothing but the page.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typst

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    """Set the page that standard input describes: ``{"date_s", "inputs": {"proof", "sheet"}}``."""
    told = json.load(sys.stdin.buffer)
    made = typst.compile(
        str(FOLDER / "sheet.typ"),
        root=str(FOLDER),
        font_paths=[str(FOLDER / "fonts")],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs=told["inputs"],
        pdf_standards=["a-3a", "ua-1"],
        timestamp=told["date_s"],
    )
    if not isinstance(made, bytes):
        raise TypeError("typst returned no document")
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
