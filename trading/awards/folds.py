"""What ``award.determined`` says of the award's row (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.replay import Fold, Replayed, State
from trading.awards.tables import award

REPLAYED: Final = (Replayed(table=award.name, key=("lot", "stage")),)


def _determined(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("award", body["lot"], body["stage"]).update(
        bid_reference=body["bid"],
        bidder_code=body["bidder"],
        price=body["price"],
        ranked_h=bytes.fromhex(body["ranked_h"]),
    )


FOLDS: Final[Mapping[str, Fold]] = {"award.determined": _determined}
