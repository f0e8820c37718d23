"""Organisations and enrolment of signing keys (P6.2): what is allowed, and the event that records it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event, EventKind

EVENTS = (
    EventKind(
        name="organisation.registered",
        fields=frozenset({"code", "name_en", "name_zh", "roles"}),
        title_zh="主体注册",
        title_en="Organisation registered",
    ),
    EventKind(
        name="organisation.affiliation_stated",
        fields=frozenset({"affiliated", "codes", "ground"}),
        title_zh="登记关联关系",
        title_en="Affiliation stated",
    ),
    EventKind(
        name="key.registered",
        fields=frozenset({"alg", "approved_by", "kid", "org", "role", "second_factor", "spki_sha256"}),
        optional=frozenset({"enrol_sha256"}),  # keys of the platform and share keys have no enrolment document
        title_zh="密钥登记",
        title_en="Key registered",
    ),
    EventKind(
        name="key.revoked",
        fields=frozenset({"kid", "reason"}),
        optional=frozenset({"revoke_sha256"}),  # an act of the desk has no document
        title_zh="密钥吊销",
        title_en="Key revoked",
    ),
)

#: The one role of the platform's own organisations that play in practice tenders, and in nothing else (ADR 0061).
PRACTICE = "practice"
KEY_ROLES = frozenset(
    {
        "bidder",
        "agency",
        "supervisor",
        "custodian",
        "centre",
        "station-operator",
        "contributor",
        "ack",
        "log",
        "witness",
        "share",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A registered key: ``spki`` is DER for ES256, the raw public key for log, witness and share keys."""

    kid: str
    org_code: str
    role: str
    alg: str
    spki: bytes
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """The parsed ``mb.key-enrol`` document (P6.2), and its hash."""

    account: str
    alg: str
    challenge: bytes
    kid: str
    org: str
    role: str
    sha256: str
    spki: bytes


def register_organisation(*, code: str, name_zh: str, name_en: str, roles: tuple[str, ...]) -> Event:
    """Return the event that enters an organisation into the register, under the names that it has from then on."""
    body = {"code": code, "name_en": name_en, "name_zh": name_zh, "roles": sorted(roles)}
    return Event(kind="organisation.registered", subject=f"org:{code}", body=body)


def state_affiliation(first: str, second: str, *, affiliated: bool, ground: str) -> Event:
    """Return the event that two organisations are affiliated, or are not any more; the newest of a pair counts.

    Raises:
        RuleBroken: ``organisation.itself``.
    """
    if first == second:
        raise RuleBroken("organisation.itself", "SB1 S3.1", organisation=first)
    codes = sorted((first, second))
    body = {"affiliated": affiliated, "codes": codes, "ground": ground}
    return Event(kind="organisation.affiliation_stated", subject=f"org:{codes[0]}", body=body)


def affiliates(stated: Iterable[tuple[Sequence[str], bool]], codes: Iterable[str]) -> frozenset[str]:
    """Return ``codes`` and every organisation affiliated to one of them, also through others (SB1 S3.1 rule 1).

    Args:
        stated: Pairs of codes and whether they are affiliated, oldest first.
        codes: Where to begin.
    """
    pairs: dict[tuple[str, ...], bool] = {}
    for pair, affiliated in stated:
        pairs[tuple(pair)] = affiliated
    found = set(codes)
    while new := {code for pair, holds in pairs.items() if holds and found & set(pair) for code in pair} - found:
        found |= new
    return frozenset(found)


def enrol(
    enrolment: Enrolment, *, approvers: tuple[str, ...], existing: SigningKey | None, second_factor: bool
) -> Event:
    """Return the event that registers a key; P6.2 items 3 and 4.

    The desk act needs two different staff members; a further key may instead be vouched for by an active key of the
    same organisation, which stands as ``key:<kid>``. A kid is registered once and for one role.
    """
    if existing is not None:
        raise RuleBroken("key.known", "P6.2", kid=enrolment.kid)
    if enrolment.role not in KEY_ROLES:
        raise RuleBroken("key.role_unknown", "P6.2", role=enrolment.role)
    vouched = any(each.startswith("key:") for each in approvers)
    if len(set(approvers)) < 2 and not vouched:  # noqa: PLR2004 - "two staff members", P6.2 item 3
        raise RuleBroken("key.needs_two_people", "P6.2")
    return key_registered(
        kid=enrolment.kid,
        org=enrolment.org,
        role=enrolment.role,
        alg=enrolment.alg,
        spki_sha256=enrolment.kid,
        approvers=approvers,
        second_factor=second_factor,
        enrol_sha256=enrolment.sha256,
    )


def key_registered(
    *,
    kid: str,
    org: str,
    role: str,
    alg: str,
    spki_sha256: str,
    approvers: tuple[str, ...],
    second_factor: bool,
    enrol_sha256: str | None = None,
) -> Event:
    """Return ``key.registered``; log, witness and share keys are registered without an enrolment document."""
    body = {
        "alg": alg,
        "approved_by": sorted(set(approvers)),
        "kid": kid,
        "org": org,
        "role": role,
        "second_factor": second_factor,
        "spki_sha256": spki_sha256,
    }
    if enrol_sha256 is not None:
        body["enrol_sha256"] = enrol_sha256
    return Event(kind="key.registered", subject=f"key:{kid}", body=body)


def revoke(key: SigningKey, reason: str, revoke_sha256: str | None = None) -> Event:
    """Return the event that revokes ``key``, by the desk or by a document; a second revocation is refused."""
    if not key.active:
        raise RuleBroken("sig.key_revoked", "P6.2", kid=key.kid)
    body = {"kid": key.kid, "reason": reason}
    if revoke_sha256 is not None:
        body["revoke_sha256"] = revoke_sha256
    return Event(kind="key.revoked", subject=f"key:{key.kid}", body=body)
