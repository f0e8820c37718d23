"""What ``contract.signed`` and ``contract.filed`` say of the contract's row (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.replay import Fold, Replayed, State
from trading.contracts.tables import contract

REPLAYED: Final = (Replayed(table=contract.name, key=("lot", "stage")),)


def _signed(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("contract", body["lot"], body["stage"]).update(
        bidder_code=body["bidder"],
        price=body["price"],
        sha256=bytes.fromhex(body["contract_sha256"]),
        signed_at=record["at"],
        filed_at=None,
        filing=None,
    )


def _filed(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("contract", body["lot"], body["stage"]).update(filed_at=record["at"], filing=body["filing"])


FOLDS: Final[Mapping[str, Fold]] = {"contract.signed": _signed, "contract.filed": _filed}
