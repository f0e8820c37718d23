from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from trading.kernel import digests

ROOT = Path(__file__).parents[3]
LABELS = [value for name, value in vars(digests).items() if name.isupper() and isinstance(value, str) and "/" in value]


def test_every_label_is_unique_ascii_and_ours() -> None:
    assert [label for label, count in Counter(LABELS).items() if count > 1] == []
    for label in LABELS:
        assert re.fullmatch(r"mingbiao/[a-z0-9]+/[a-z0-9-]+/?", label)
    # No label is the beginning of another, except the one that a part's name follows.
    for one in LABELS:
        others = [label for label in LABELS if label != one and label.startswith(one) and one.endswith("/")]
        assert others == []


def test_labels_stand_in_one_file() -> None:
    spelled = re.compile(r'"mingbiao/(?:sb1|ed1|al1|rank)/')
    strays = [
        str(path.relative_to(ROOT))
        for folder in ("trading", "agents")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "digests.py" and spelled.search(path.read_text())
    ]
    assert strays == []
    assert spelled.search((ROOT / "trading" / "kernel" / "digests.py").read_text())  # the control
