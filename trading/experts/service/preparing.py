"""Policy, pool, exclusions and spec of a draw: everything that is fixed before any randomness exists (ED1 D2 to D6).

The keys of pool and exclusions live in one transaction of one process; what stays is sealed to the contact service and
dealt to the custodians. Nobody who serves pages can tell afterwards who stands at an index. Once an earlier attempt has
seated somebody, that process is the contact service, which alone may know whom: see docs/adr/0037-who-is-seated.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.ledger import UnitOfWork
from trading.crypto.keys import hpke_seal, share_info
from trading.crypto.shares import deal
from trading.experts import queries, store
from trading.experts.model import REGISTER_KINDS
from trading.experts.queries import CommitteeRow, DrawRow
from trading.experts.rules import exclusions
from trading.experts.rules.contributions import make_escrow
from trading.experts.rules.exclusions import Grounds
from trading.experts.rules.fields import EXCLUSION_KEY, POOL_KEY
from trading.experts.rules.plan import Plan
from trading.experts.rules.policy import Policy, parse_custodian_key, parse_policy, write_policy
from trading.experts.rules.pool import (
    Entrant,
    Pool,
    Stratum,
    excluded_counts,
    exclusion_key_commit,
    exclusion_root,
    make_pool,
    pool_key_commit,
    procedure_commit,
)
from trading.experts.rules.register import fold
from trading.experts.rules.request import DrawRequest
from trading.experts.rules.spec import PERSON, UNIT, default_min_valid, parse_spec, write_spec
from trading.experts.service.committees import LEAST_TIMES, plan_and_procedure, request_of
from trading.experts.service.open_seats import (
    ESCROW,
    HANDOVER,
    SHORTFALL,
    SPEC,
    open_needs,
    previous_of,
    seated_experts,
)
from trading.experts.service.register import settled_size
from trading.kernel.calendar import CHINA, WorkCalendar
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import EXPERTS_DRAW_HANDOVER, EXPERTS_DRAW_KEYS
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import RuleBroken
from trading.kernel.signed import SignedDocument
from trading.parties.tables import organisation, signing_key
from trading.procedures.queries import ProcedureRow
from trading.procedures.service import edition_of
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

_SUITE: Final = "SB1-XWING-AGE"
_YEAR_MS: Final = 366 * 24 * 3_600_000
_MOST_BYTES: Final = 64 * 1024 * 1024


def draft_policy(conn: Connection, committee: CommitteeRow, *, demo: bool) -> SignedDocument | None:
    """Return the policy to be signed once every institution that was asked has proved its key; None before."""
    request = request_of(conn, committee)
    keys = [key for key in queries.share_keys(conn, request.draw) if key.kid in request.custodians]
    if len(keys) < len(request.custodians) or any(key.state != "proved" for key in keys):
        return None
    rows = []
    for i, key in enumerate(keys, 1):
        document = parse_custodian_key(queries.signed_document(conn, key.doc_sha256).doc)
        rows.append({"hpke_pk": b64u(document.hpke_pk), "i": i, "kid": key.kid, "name": key.name, "role": key.role})
    raw = write_policy(
        {"custodians": rows, "demo": demo, "draw": request.draw, "k": request.k, "suite": _SUITE, "supersedes": None}
    )
    return SignedDocument(raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """All that a spec needs and that names nobody who is seated.

    Attributes:
        fixed: Fields of the spec that depend neither on the pool nor on its keys.
        needs: Experts wanted, by stratum.
        grounds: What the rules of exclusion look at, but for those who are seated.
    """

    fixed: Mapping[str, Any]
    needs: Mapping[str, int]
    grounds: Grounds

    def encode(self) -> bytes:
        """Return it as canonical JSON."""
        found = {name: value if isinstance(value, str) else sorted(value) for name, value in _fields(self.grounds)}
        needs = [{"id": stratum, "need": self.needs[stratum]} for stratum in sorted(self.needs)]
        return dumps({"fixed": dict(self.fixed), "grounds": found, "needs": needs})

    @classmethod
    def decode(cls, raw: bytes) -> Preparation:
        """Return what ``encode`` wrote."""
        content = loads_object(raw, _MOST_BYTES)
        found: dict[str, Any] = {
            name: value if isinstance(value, str) else frozenset(value) for name, value in content["grounds"].items()
        }
        needs = {item["id"]: item["need"] for item in content["needs"]}
        return cls(fixed=content["fixed"], needs=needs, grounds=Grounds(**found))


def _fields(grounds: Grounds) -> list[tuple[str, Any]]:
    return list(asdict(grounds).items())


def prepare(uow: UnitOfWork, row: DrawRow) -> None:
    """Freeze pool and exclusions of an attempt, or hand that to the contact service if somebody is seated already.

    The draw row is locked.

    Raises:
        NotYet: The newest change of the register is not in the log yet.
        RuleBroken: ``draw.attempt_hidden``, ``draw.no_stratum``, ``contact.no_key``.
    """
    conn = uow.connection
    prepared = gather(conn, row, uow.at)
    if prepared.fixed["committee"]["seated"]:
        sealed = hpke_seal(queries.contact_public(conn), handover_info(row.draw, row.attempt), prepared.encode())
        paper = SignedDocument(dumps({"sealed": b64u(sealed), "typ": HANDOVER}))
        store.add_paper(conn, row.draw, row.attempt, HANDOVER, paper, uow.at)
    else:
        freeze(conn, row, prepared, uow.at)


def gather(conn: Connection, row: DrawRow, at: int) -> Preparation:
    """Return what an attempt is prepared from, as the records have it at ``at`` (ms)."""
    committee = queries.committee_of_draw(conn, row.draw)
    plan, procedure = plan_and_procedure(conn, committee)
    request, size = request_of(conn, committee), settled_size(conn)
    policy = parse_policy(queries.signed_document(conn, row.policy_sha256).doc)
    seated = seated_experts(conn, procedure.id)
    parties = _parties(conn, request, procedure, policy)
    suspended = fold(queries.changes_before(conn, size, REGISTER_KINDS)).suspended
    return Preparation(
        fixed={
            **_fixed(row, request),
            "committee": {"appointed": 0, "representatives": plan.representatives, "seated": len(seated)},
            "min_valid": default_min_valid(len(parties)),
            "parties": parties,
            "previous": previous_of(conn, row),
            "procedure_commit": procedure_commit(row.salt, procedure.reference).hex(),
            "register_size": size,
        },
        needs=open_needs(plan, seated),
        grounds=grounds_of(conn, procedure, plan, at, suspended=suspended),
    )


def freeze(conn: Connection, row: DrawRow, prepared: Preparation, at: int, seated: Collection[Entrant] = ()) -> None:
    """Draw both keys, compute pool and exclusions, and put spec and escrows before their signers.

    A stratum with fewer than twice as many eligible experts as it needs is told as a shortfall instead: the agency
    widens it, or the regulator admits more experts, and the attempt is prepared again (D5).

    Args:
        conn: Of the unit of work that holds the draw row.
        row: The attempt.
        prepared: What it is prepared from.
        at: Instant, ms.
        seated: Who is seated by earlier attempts; nobody but the contact service can say.

    Raises:
        RuleBroken: ``draw.no_stratum``.
    """
    register = fold(queries.changes_before(conn, prepared.fixed["register_size"], REGISTER_KINDS))
    k_draw, k_x = secrets.token_bytes(32), secrets.token_bytes(32)
    pool = make_pool(k_draw, register.entrants(prepared.needs))
    if {entrant.stratum for entrant in pool.entrants} != set(prepared.needs):
        raise RuleBroken("draw.no_stratum", "EXP-10")
    strata = pool.strata(prepared.needs)
    reasons = exclusions.reasons(pool.entrants, _with_seated(prepared.grounds, seated))
    short = _too_small(strata, reasons)
    if short:
        told = SignedDocument(dumps({"created": at, "strata": short, "typ": SHORTFALL}))
        store.add_paper(conn, row.draw, row.attempt, SHORTFALL, told, at)
        return
    body = {**prepared.fixed, **_pool_fields(row, pool, strata, reasons, k_draw, k_x)}
    spec = parse_spec(write_spec(body))
    policy = parse_policy(queries.signed_document(conn, row.policy_sha256).doc)
    store.put_key(conn, row.draw, row.attempt, seal_keys(conn, row, k_draw, k_x, reasons))
    store.add_paper(conn, row.draw, row.attempt, SPEC, SignedDocument(spec.raw), at)
    for use, key in ((POOL_KEY, k_draw), (EXCLUSION_KEY, k_x)):
        escrow = make_escrow(spec, policy, use, key, deal=deal, seal=seal_share)
        store.add_paper(conn, row.draw, row.attempt, ESCROW, SignedDocument(escrow), at)


def _with_seated(grounds: Grounds, seated: Collection[Entrant]) -> Grounds:
    units = frozenset(each.unit for each in seated if each.unit)
    return replace(grounds, seated=frozenset(each.id for each in seated), seated_units=units)


def handover_info(draw: str, attempt: int) -> bytes:
    """Return what the sealing of a handover binds to."""
    return EXPERTS_DRAW_HANDOVER.encode() + b"\0" + f"{draw}\0{attempt}".encode("ascii")


def open_handover(doc: bytes) -> bytes:
    """Return the sealed bytes of a handover."""
    return b64u_decode(loads_object(doc, _MOST_BYTES)["sealed"])


def seal_share(public_key: bytes, i: int, ctx: bytes, share: bytes) -> bytes:
    """Encrypt a share to its custodian (SB1 S4.2)."""
    return hpke_seal(public_key, share_info(i, ctx), share)


def _fixed(row: DrawRow, request: DrawRequest) -> dict[str, Any]:
    return {
        "attempt": row.attempt,
        "beacon": None,
        "call_ms": request.call_ms,
        "commit_ms": request.commit_ms,
        "draw": row.draw,
        "limits": [PERSON, UNIT],
        "policy_sha256": row.policy_sha256,
        "reveal_ms": request.reveal_ms,
        "rule_version": exclusions.RULE_VERSION,
    }


def _pool_fields(
    row: DrawRow, pool: Pool, strata: tuple[Stratum, ...], reasons: Mapping[int, str], k_draw: bytes, k_x: bytes
) -> dict[str, Any]:
    told = excluded_counts(strata, reasons)
    return {
        "excl_root": exclusion_root(k_x, len(pool.entrants), reasons).hex(),
        "excluded": [{"count": told[name], "id": name} for name in sorted(told)],
        "exclusion_key_commit": exclusion_key_commit(row.draw, row.attempt, k_x).hex(),
        "pool_key_commit": pool_key_commit(row.draw, row.attempt, k_draw).hex(),
        "pool_root": pool.root.hex(),
        "pool_size": len(pool.entrants),
        "strata": strata,
    }


def _too_small(strata: tuple[Stratum, ...], reasons: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the strata that must be widened before a spec may be signed (D5)."""
    told = excluded_counts(strata, reasons)
    sizes = ((item, item.b - item.a - told[item.id]) for item in strata)
    return [
        {"eligible": eligible, "id": item.id, "need": item.need}
        for item, eligible in sizes
        if eligible < LEAST_TIMES * item.need
    ]


def _parties(conn: Connection, request: DrawRequest, procedure: ProcedureRow, policy: Policy) -> list[dict[str, str]]:
    """Return the contributors by id; the id says what the organisation is in this draw."""
    seats = {custodian.kid: custodian.role for custodian in policy.custodians}
    roles = {
        org: seats[kid]
        for kid, org in conn.execute(
            select(signing_key.c.kid, signing_key.c.org_code).where(signing_key.c.kid.in_(list(seats)))
        )
    }
    query = (
        select(signing_key.c.kid, signing_key.c.org_code, organisation.c.roles)
        .join(organisation, organisation.c.code == signing_key.c.org_code)
        .where(signing_key.c.kid.in_(request.parties))
    )
    found: dict[str, str] = {}
    for kid, org, org_roles in conn.execute(query.order_by(signing_key.c.org_code)):
        name = _party_name(org, procedure, roles.get(org), org_roles)
        found[name if name not in found else f"{name}-{org[-6:].lower()}"] = kid
    return [{"id": name, "kid": found[name]} for name in sorted(found)]


def _party_name(org: str, procedure: ProcedureRow, seat: str | None, org_roles: list[str]) -> str:
    if org == procedure.supervisor_code:
        return "supervisor"
    if org == procedure.agency_code:
        return "agency"
    if "centre" in org_roles:
        return "centre"
    return seat or f"org-{org[-6:].lower()}"


def keys_info(draw: str, attempt: int) -> bytes:
    """Return what the sealing of a draw's keys binds to."""
    return EXPERTS_DRAW_KEYS.encode() + b"\0" + f"{draw}\0{attempt}".encode("ascii")


def seal_keys(conn: Connection, row: DrawRow, k_draw: bytes, k_x: bytes, reasons: Mapping[int, str]) -> bytes:
    """Seal both keys and the reasons to the contact service."""
    listed = [{"index": index, "reason": reasons[index]} for index in sorted(reasons)]
    content = dumps({"k_draw": k_draw.hex(), "k_x": k_x.hex(), "reasons": listed})
    return hpke_seal(queries.contact_public(conn), keys_info(row.draw, row.attempt), content)


def grounds_of(conn: Connection, procedure: ProcedureRow, plan: Plan, at: int, *, suspended: frozenset[str]) -> Grounds:
    """Return what the rules of exclusion look at, as the records have it now (D4)."""
    bidders = queries.known_bidders(conn, procedure.id)
    declared = declared_by(conn, plan, bidders | {procedure.buyer_code, procedure.agency_code})
    return Grounds(
        buyer=procedure.buyer_code,
        agency=procedure.agency_code,
        supervisor=procedure.supervisor_code,
        bidders=bidders,
        suspended=suspended | queries.lapsed(conn),
        worked=_worked(conn, procedure, edition_of(conn, procedure, at), at),
        conflicts=declared.conflicts,
        unavailable=declared.unavailable,
    )


def declared_by(conn: Connection, plan: Plan, organisations: Collection[str]) -> queries.Bound:
    """Return whom his own file binds to some organisations, and who is away on the day of a plan's evaluation."""
    day = WorkCalendar(zone=CHINA, workdays={}).date_of(plan.evaluation_at)
    return queries.bound(conn, organisations, day)


def _worked(conn: Connection, procedure: ProcedureRow, edition: Edition, at: int) -> frozenset[str]:
    """Return the experts who have evaluated for the agency as often as the rules allow, by published panels alone."""
    regime = Regime(procedure.regime)
    since = at - edition.count(Key.WORKED_PERIOD, regime) * _YEAR_MS
    seen: dict[str, int] = {}
    for leaf in queries.published_leaves(conn, procedure.agency_code, since):
        expert = str(loads_object(leaf)["id"])
        seen[expert] = seen.get(expert, 0) + 1
    # One more must still be allowed.
    return frozenset(expert for expert, count in seen.items() if not edition.allows(Key.WORKED_MOST, regime, count + 1))
