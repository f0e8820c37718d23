"""What differs between two versions of a specification, field by field, for whoever reads the newer one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field with both values as texts; "" stands for no value. ``field`` is a path such as ``lots.0.ceiling``."""

    field: str
    old: str
    new: str

    @property
    def is_text(self) -> bool:
        """Whether it is prose whose changed words are shown, not a value that is replaced as a whole."""
        return self.field.rsplit(".", 1)[-1].startswith("text_") and bool(self.old) and bool(self.new)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Return every field that differs, in the order of the fields."""
    return list(_walk(old, new, ""))


def _walk(old: Any, new: Any, path: str) -> Iterator[Difference]:  # noqa: ANN401 - JSON values
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from _walk(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            before = old[place] if place < len(old) else None
            after = new[place] if place < len(new) else None
            yield from _walk(before, after, f"{path}.{place}")
    elif old != new:
        yield Difference(field=path, old=_shown(path, old), new=_shown(path, new))


def _shown(path: str, value: Any) -> str:  # noqa: ANN401 - JSON values
    if isinstance(value, Mapping) and path.startswith("documents."):
        return f"{value['name']} ({value['size']} bytes, SHA-256 {value['sha256']})"
    return _text(value)


def _text(value: Any) -> str:  # noqa: ANN401 - JSON values
    match value:
        case None:
            return ""
        case Mapping():
            return "; ".join(f"{name}: {_text(item)}" for name, item in sorted(value.items()))
        case list():
            return ", ".join(_text(item) for item in value)
        case _:
            return str(value)
