"""What records about organisations and keys say of their rows (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.replay import Fold, Replayed, State
from trading.parties.tables import organisation, signing_key

REPLAYED: Final = (Replayed(table=organisation.name, key=("code",)), Replayed(table=signing_key.name, key=("kid",)))


def _organisation(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("organisation", body["code"]).update(roles=sorted(body["roles"]))


def _registered(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    if body["role"] != "share":  # share keys stand in custody, under their procedure
        state.row("signing_key", body["kid"]).update(
            org_code=body["org"], role=body["role"], alg=body["alg"], status="active"
        )


def _revoked(state: State, record: Mapping[str, Any]) -> None:
    state.row("signing_key", record["body"]["kid"]).update(status="revoked")


FOLDS: Final[Mapping[str, Fold]] = {
    "organisation.registered": _organisation,
    "key.registered": _registered,
    "key.revoked": _revoked,
}
