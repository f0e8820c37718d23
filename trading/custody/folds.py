"""What records about custodian keys say of their rows (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.replay import Fold, Replayed, State
from trading.custody.tables import custodian_key

REPLAYED: Final = (Replayed(table=custodian_key.name, key=("doc_sha256",)),)


def _challenged(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("custodian_key", bytes.fromhex(body["custodian_key_sha256"])).update(
        challenge_sha256=bytes.fromhex(body["challenge_sha256"]), state="challenged"
    )


def _proved(state: State, record: Mapping[str, Any]) -> None:
    state.row("custodian_key", bytes.fromhex(record["body"]["custodian_key_sha256"])).update(state="proved")


FOLDS: Final[Mapping[str, Fold]] = {"custodian.challenged": _challenged, "custodian.proved": _proved}
