"""``mingbiao verify``: the package's verifier, identified by the hash of the single file it would make."""

from __future__ import annotations

import sys

from verifier.build import single_file_source
from verifier.command import run


def main(argv: list[str]) -> int:
    """Verify as the arguments say and return the exit code of AL1 L12.3."""
    return run(argv, single_file_source())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
