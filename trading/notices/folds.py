"""What records say of notices (AL1 L11.3): each is named by its hash, by one act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256
from trading.notices.tables import notice

REPLAYED: Final = (Replayed(table=notice.name, key=("sha256",)),)


def _named(state: State, record: Mapping[str, Any]) -> None:
    digest = bytes.fromhex(record["body"]["notice_sha256"])
    if state.known("notice", digest) is None:  # an act about several lots names its notice in each record
        state.row("notice", digest).update(published_at=record["at"])


_KINDS: Final = ("tender.published", "tender.changed", "procedure.cancelled", "result.published")
FOLDS: Final[Mapping[str, Fold]] = dict.fromkeys(_KINDS, _named)


def compare_notices(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every notice whose bytes are not those of its hash, or whose columns differ from its content."""
    query = select(notice).where(notice.c.procedure_id == state.procedure_id)
    for row in conn.execute(query) if state.procedure_id is not None else ():
        if sha256(bytes(row.bytes)) != bytes(row.sha256):
            expected = bytes(row.sha256).hex()
            yield Mismatch(table="notice", id=row.id, column="bytes", stored="other bytes", expected=expected)
            continue
        content = loads_object(bytes(row.bytes))
        for column in ("kind", "number"):
            if row._mapping[column] != content[column]:
                stored = row._mapping[column]
                yield Mismatch(table="notice", id=row.id, column=column, stored=stored, expected=content[column])


COMPARE: Final[tuple[Compare, ...]] = (compare_notices,)
