"""JSON whose numbers are exact decimals: OCDS wants numbers where the profile of the protocols has none (P3).

An amount is never a float: it is read as ``Decimal`` and written with the digits that it has.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any


def dumps(value: object) -> bytes:
    """Return UTF-8 JSON without spaces; members stand as they stand in ``value``.

    Raises:
        ValueError: A float, or a type that JSON does not have.
    """
    return _text(value).encode()


def _text(value: object) -> str:
    match value:
        case Decimal():
            if not value.is_finite():
                raise ValueError(f"{value} is no number of JSON")
            return format(value, "f")
        case bool() | int() | str() | None:
            return json.dumps(value, ensure_ascii=False)
        case dict():
            return "{" + ",".join(f"{_text(str(name))}:{_text(item)}" for name, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_text, value)) + "]"
        case _:
            raise ValueError(f"{type(value).__name__} has no exact form in JSON")


def loads(data: bytes) -> Any:  # noqa: ANN401 - whatever the JSON holds
    """Read JSON; a number with a fraction becomes a ``Decimal`` with all its digits."""
    return json.loads(data, parse_float=Decimal)
