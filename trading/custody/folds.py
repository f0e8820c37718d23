"""What records about custodian keys and the key documents say of their rows (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State
from trading.custody.tables import custodian_key
from trading.documents.folds import content_of, signer_of
from trading.documents.tables import document

REPLAYED: Final = (Replayed(table=custodian_key.name, key=("doc_sha256",)),)


def _challenged(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    if state.procedure_id is None:
        return  # a key for a draw of experts, which stands in the draw's own table
    state.row("custodian_key", bytes.fromhex(body["custodian_key_sha256"])).update(
        challenge_sha256=bytes.fromhex(body["challenge_sha256"]), state="challenged"
    )


def _proved(state: State, record: Mapping[str, Any]) -> None:
    if state.procedure_id is None:
        return
    state.row("custodian_key", bytes.fromhex(record["body"]["custodian_key_sha256"])).update(state="proved")


FOLDS: Final[Mapping[str, Fold]] = {"custodian.challenged": _challenged, "custodian.proved": _proved}


def compare_keys(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every share key whose columns are not those of its document and its signer."""
    joined = select(custodian_key, document.c.bytes, document.c.sigs).join(
        document,
        (document.c.sha256 == custodian_key.c.doc_sha256) & (document.c.procedure_id == custodian_key.c.procedure_id),
    )
    for row in conn.execute(joined.where(custodian_key.c.procedure_id == state.procedure_id)).mappings():
        content = content_of(bytes(row["bytes"]), bytes(row["doc_sha256"]))
        if content is None:
            continue
        expected = {name: content[name] for name in ("lot", "stage", "name", "role")}
        expected["kid"] = signer_of(bytes(row["bytes"]), bytes(row["sigs"]))
        for column, value in expected.items():
            if row[column] != value:
                yield Mismatch(table="custodian_key", id=row["id"], column=column, stored=row[column], expected=value)


COMPARE: Final[tuple[Compare, ...]] = (compare_keys,)
