"""What records about memberships say of their rows (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.accounts.tables import membership
from trading.audit.replay import Fold, Replayed, State

REPLAYED: Final = (Replayed(table=membership.name, key=("account_id", "role", "jurisdiction")),)


def _granted(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("membership", body["account"], body["role"], body["jurisdiction"]).update(
        person=body["person"], org_code=body["org"], status="active"
    )


def _ended(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("membership", body["account"], body["role"], body["jurisdiction"]).update(status="ended")


FOLDS: Final[Mapping[str, Fold]] = {"membership.granted": _granted, "membership.ended": _ended}
