"""Custody as recorded events (SB1 S3.2, S3.3, S12)."""

from __future__ import annotations

from trading.kernel.events import Event, EventKind

EVENTS = (
    EventKind(
        name="custodian.challenged",
        fields=frozenset({"challenge_sha256", "custodian_key_sha256"}),
        title_zh="保管方持钥质询",
        title_en="Custodian challenged",
    ),
    EventKind(
        name="custodian.proved",
        fields=frozenset({"challenge", "custodian_key_sha256"}),
        title_zh="保管方持钥证明",
        title_en="Possession proved",
    ),
    EventKind(
        name="custodian.key_destroyed",
        fields=frozenset({"custodian", "destroyed_sha256", "lot", "stage"}),
        title_zh="保管密钥销毁",
        title_en="Custodian key destroyed",
    ),
    EventKind(
        name="policy.fixed",
        fields=frozenset({"lot", "policy_sha256", "schedule_sha256", "stage"}),
        public=True,
        title_zh="开标密钥规则确定",
        title_en="Opening policy fixed",
    ),
)


def challenged(
    *, procedure: str, procedure_id: int, lot: str, custodian_key_sha256: str, challenge_sha256: str
) -> Event:
    """Return the event that a challenge was sealed to a share key."""
    body = {"challenge_sha256": challenge_sha256, "custodian_key_sha256": custodian_key_sha256}
    return _event("custodian.challenged", procedure, procedure_id, lot, body)


def proved(*, procedure: str, procedure_id: int, lot: str, custodian_key_sha256: str, challenge: str) -> Event:
    """Return the event that the holder opened it."""
    body = {"challenge": challenge, "custodian_key_sha256": custodian_key_sha256}
    return _event("custodian.proved", procedure, procedure_id, lot, body)


def policy_fixed(
    *, procedure: str, procedure_id: int, lot: str, stage: str, policy_sha256: str, schedule_sha256: str
) -> Event:
    """Return the event that fixes who keeps the shares of a lot and stage."""
    body = {"lot": lot, "policy_sha256": policy_sha256, "schedule_sha256": schedule_sha256, "stage": stage}
    return _event("policy.fixed", procedure, procedure_id, lot, body)


def _event(kind: str, procedure: str, procedure_id: int, lot: str, body: dict[str, str]) -> Event:
    return Event(
        kind=kind,
        subject=f"lot:{lot}",
        body=body,
        procedure=procedure,
        procedure_id=procedure_id,
        article="电子招标投标办法 30",
    )
