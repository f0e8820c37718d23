"""``python -m benchmarks NAME [options]``: run one measurement; without a name, list them."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks


def main(argv: list[str]) -> int:
    """Run the measurement called ``argv[0]`` with the other arguments."""
    found = pkgutil.iter_modules(benchmarks.__path__)
    names = sorted(each.name for each in found if not each.ispkg and each.name != "__main__")
    if not argv or argv[0] not in names:
        print(f"bench NAME, one of: {', '.join(names)}", file=sys.stderr)
        return 2
    code: int = importlib.import_module(f"benchmarks.{argv[0]}").main(argv[1:])
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
