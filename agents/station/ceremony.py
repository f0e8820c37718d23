"""What the platform says of a ceremony (``GET B`` of docs/opening-api.md), checked against the station's trust file.

Nothing is believed for having come from the platform: policy, orders, factor lists and adjudications need their
signatures, custodians' documents the keys that the policy names, envelopes their hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from trading.bids.rules.envelope import Envelope, parse_envelope, require_policy
from trading.bids.rules.policy import Policy, parse_policy, require_signature
from trading.bids.rules.schedule import Schedule, parse_schedule
from trading.bids.rules.trust import TrustFile
from trading.crypto.signatures import verify_es256, verify_signature
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import ShareCheck, parse_share_check
from trading.openings.rules.decisions import Adjudication, parse_adjudication
from trading.openings.rules.factors import FactorList, parse_factor_list
from trading.openings.rules.orders import ClosedLot, OmittedBid, OpenOrder, OrderedBid, parse_order
from trading.openings.rules.windows import Ceremony as Windows
from trading.openings.rules.windows import WindowLengths

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Tender, lot and stage."""

    tender: str
    lot: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BidderKey:
    """A bidder's key with the indices of its registration and revocation."""

    key: bytes
    org: str
    registered_n: int
    revoked_n: int | None


class Ceremony:
    """One snapshot. Properties raise ``InvalidInput`` or ``RuleBroken`` where what they return does not hold."""

    def __init__(self, place: Place, content: Mapping[str, Any], trust: TrustFile) -> None:
        self.place = place
        self._content = content
        self._trust = trust

    def _get(self, name: str, kind: type[T]) -> T:
        return member(self._content, name, kind)

    def _items(self, name: str) -> Iterator[Mapping[str, Any]]:
        for item in self._get(name, list):
            if not isinstance(item, dict):
                raise InvalidInput("station.bad_answer", name)
            yield item

    @property
    def checkpoint(self) -> str:
        """Return the newest witnessed note, unchecked."""
        return self._get("checkpoint", str)

    @property
    def continued(self) -> list[bytes]:
        """Return the receipts of ``log.continued`` that lead to the logs before it, the newest first, unchecked."""
        proofs = self._get("continued", list)
        if not all(isinstance(proof, str) for proof in proofs):
            raise InvalidInput("station.bad_answer", "continued")
        return [proof.encode() for proof in proofs]

    @cached_property
    def policy(self) -> Policy:
        """Return the policy of the lot, signed by a trusted agency."""
        signed = SignedDocument.from_wire(self._get("policy", dict))
        require_signature(signed, self._trust, "agency", verify_signature)
        policy = parse_policy(signed.doc)
        if policy.place != (self.place.tender, self.place.lot, self.place.stage):
            raise RuleBroken("order.policy", "SB1 S9.1", detail="the policy is of another lot")
        return policy

    @cached_property
    def schedule(self) -> Schedule:
        """Return the last schedule before the close; the order names it, and both signers saw the order."""
        return parse_schedule(SignedDocument.from_wire(self._get("schedule", dict)).doc)

    @cached_property
    def closed(self) -> ClosedLot:
        """Return what the close record fixes."""
        closed = self._get("closed", dict)
        body = member(closed, "body", dict)
        return ClosedLot(
            tender=self.place.tender,
            lot=self.place.lot,
            stage=self.place.stage,
            close=member(body, "close", int),
            bids_root=member(body, "bids_root", str),
            policy_sha256=member(body, "policy_sha256", str),
            schedule_sha256=member(body, "schedule_sha256", str),
            h=member(closed, "h", str),
            n=member(closed, "n", int),
        )

    @cached_property
    def bids(self) -> tuple[OrderedBid, ...]:
        """Return the bids to order: the manifest's heads and those that objections added."""
        return tuple(
            OrderedBid(
                bid=member(item, "bid", str),
                bidder=member(item, "bidder", str),
                envelope_sha256=member(item, "envelope_sha256", str),
                h=member(item, "h", str),
                n=member(item, "n", int),
                objection_h=member(item, "objection_h", str) if item.get("objection_h") is not None else None,
                seq=member(item, "seq", int),
            )
            for item in self._items("bids")
        )

    @cached_property
    def omitted(self) -> tuple[OmittedBid, ...]:
        """Return the bids rejected at the first stage (S9.10)."""
        names = ("bid", "envelope_sha256", "h", "rejected_h")
        return tuple(
            OmittedBid(seq=member(item, "seq", int), **{name: member(item, name, str) for name in names})
            for item in self._items("omitted")
        )

    @cached_property
    def orders(self) -> tuple[OpenOrder, ...]:
        """Return the logged orders, each signed by agency and supervisor, by ``seq``."""
        orders = []
        for item in self._items("orders"):
            signed = _signed(item)
            for role in ("agency", "supervisor"):
                require_signature(signed, self._trust, role, verify_signature)
            orders.append(parse_order(signed.doc))
        return tuple(sorted(orders, key=lambda order: order.seq))

    @property
    def order(self) -> OpenOrder:
        """Return the newest order.

        Raises:
            RuleBroken: ``station.no_order``.
        """
        if not self.orders:
            raise RuleBroken("station.no_order", "SB1 S9.1")
        return self.orders[-1]

    @cached_property
    def factor_list(self) -> FactorList | None:
        """Return the newest factor list, signed by agency and supervisor."""
        if self._content.get("factor_list") is None:
            return None
        signed = SignedDocument.from_wire(self._get("factor_list", dict))
        for role in ("agency", "supervisor"):
            require_signature(signed, self._trust, role, verify_signature)
        return parse_factor_list(signed.doc)

    @cached_property
    def share_checks(self) -> tuple[tuple[int, ShareCheck], ...]:
        """Return the share checks with their indices, in log order. Which came in time, ``checks_until`` says."""
        found = []
        for item in self._items("share_checks"):
            signed = _signed(item)
            check = parse_share_check(signed.doc)
            self.require_custodian(signed, check.custodian)
            found.append((member(item, "n", int), check))
        return tuple(sorted(found, key=lambda pair: pair[0]))

    def checks_until(self, first_release_n: int | None) -> tuple[ShareCheck, ...]:
        """Return the share checks that count: before ``factor.opened``, or with factor off before the first release."""
        limit = first_release_n
        if self.policy.bidder_factor:
            opened = self.step("factor_opened")
            limit = None if opened is None else member(opened, "n", int)
        return tuple(check for n, check in self.share_checks if limit is None or n < limit)

    @cached_property
    def adjudications(self) -> tuple[tuple[int, Adjudication], ...]:
        """Return the adjudications so far with their indices, signed by the supervisor, in log order."""
        found = []
        for item in self._items("adjudications"):
            signed = _signed(item)
            require_signature(signed, self._trust, "supervisor", verify_signature)
            found.append((member(item, "n", int), parse_adjudication(signed.doc)))
        return tuple(sorted(found, key=lambda pair: pair[0]))

    def is_early(self, n: int) -> bool:
        """Return whether a record came before ``release.closed``, when every share has its class (S10)."""
        closed = self.step("release_closed")
        return closed is None or n < member(closed, "n", int)

    def require_custodian(self, signed: SignedDocument, index: int) -> None:
        """Check that custodian ``index`` of the policy signed, by the key that the policy's ``kid`` names.

        Raises:
            InvalidInput: ``sig.missing``, ``sig.invalid`` or ``station.bad_answer``.
        """
        row = next((row for row in self.policy.custodians if row.i == index), None)
        key = self._custodian_keys.get(row.kid) if row is not None else None
        if row is None or key is None:
            raise InvalidInput("station.bad_answer", f"no key of custodian {index}")
        signature = next((sig for sig in signed.sigs if sig["kid"] == row.kid), None)
        if signature is None:
            raise InvalidInput("sig.missing", f"custodian {index} did not sign")
        verify_es256(key, signed.doc, signature)

    @cached_property
    def _custodian_keys(self) -> dict[str, bytes]:
        keys = (_bytes(item, "key") for item in self._items("custodians"))
        return {sha256_hex(key): key for key in keys}

    @cached_property
    def envelopes(self) -> dict[str, Envelope | None]:
        """Return the envelope of every bid; ``None`` where S10 row 1 applies."""
        keys = self._bidder_keys
        found: dict[str, Envelope | None] = {}
        for item, bid in zip(self._items("bids"), self.bids, strict=True):
            signed = SignedDocument.from_wire(member(item, "envelope", dict))
            if signed.sha256 != bid.envelope_sha256:
                raise InvalidInput("station.bad_answer", f"the envelope of {bid.bid} has another hash")
            found[bid.bid] = self._valid(signed, bid, keys)
        return found

    @cached_property
    def _bidder_keys(self) -> dict[str, BidderKey]:
        keys = {}
        for item in self._items("bidder_keys"):
            key = _bytes(item, "key")
            revoked = item.get("revoked_n")
            keys[sha256_hex(key)] = BidderKey(
                key=key,
                org=member(item, "org", str),
                registered_n=member(item, "registered_n", int),
                revoked_n=None if revoked is None else member(item, "revoked_n", int),
            )
        return keys

    def _valid(self, signed: SignedDocument, bid: OrderedBid, keys: Mapping[str, BidderKey]) -> Envelope | None:
        """Return the envelope if it passes S7.2 items 2 to 4 and its key was valid at the position of the bid."""
        try:
            envelope = parse_envelope(signed.doc)
            require_policy(envelope, self.policy)
        except InvalidInput:
            return None
        if (envelope.bid, envelope.bidder, envelope.seq) != (bid.bid, bid.bidder, bid.seq):
            return None
        key = keys.get(envelope.bidder_kid)
        if key is None or key.org != envelope.bidder or key.registered_n >= bid.n:
            return None
        if key.revoked_n is not None and key.revoked_n < bid.n:
            return None
        signature = next((sig for sig in signed.sigs if sig["kid"] == envelope.bidder_kid), None)
        try:
            verify_es256(key.key, signed.doc, signature or {})
        except InvalidInput:
            return None
        return envelope

    def step(self, name: str) -> Mapping[str, Any] | None:
        """Return a recorded step, or ``None`` while it is not recorded."""
        steps = self._get("steps", dict)
        return None if steps.get(name) is None else member(steps, name, dict)

    def windows(self, released: int) -> Windows:
        """Return the ceremony as the rules of windows see it; ``released`` custodians have released so far."""
        ordered = [(member(item, "n", int), member(item, "at", int)) for item in self._items("orders")]
        schedule, factor, gaps = self.schedule, self.step("factor_opened"), self.step("gaps")
        closed, released_closed = self.step("factor_closed"), self.step("release_closed")
        return Windows(
            lengths=WindowLengths(
                objection_ms=schedule.objection_ms,
                share_check_ms=schedule.share_check_ms,
                factor_window_ms=schedule.factor_window_ms,
                release_window_ms=schedule.release_window_ms,
                rescue_ms=schedule.rescue_ms,
            ),
            bidder_factor=self.policy.bidder_factor,
            first_ordered_at=min(ordered)[1],
            newest_ordered_at=max(ordered)[1],
            all_checked=len({check.custodian for _n, check in self.share_checks}) == self.policy.n,
            factor_ends_at=None if factor is None else member(factor, "ends_at", int),
            factor_closed_at=None if closed is None else member(closed, "at", int),
            all_released=released == self.policy.n,
            gaps_at=None if gaps is None else member(gaps, "at", int),
            gaps=() if gaps is None else tuple(member(gaps, "bids", list)),
            release_closed_at=None if released_closed is None else member(released_closed, "at", int),
            combined=self.step("combined") is not None,
        )

    @property
    def time(self) -> int:
        """Return the platform's time, ms."""
        return self._get("time", int)


def member(content: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Return a member of an answer.

    Raises:
        InvalidInput: ``station.bad_answer``: missing, or of another JSON type.
    """
    value = content.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidInput("station.bad_answer", f"{name} is missing or ill-typed")
    return value


def _signed(item: Mapping[str, Any]) -> SignedDocument:
    return SignedDocument.from_wire({"doc": item.get("doc"), "sigs": item.get("sigs")})


def _bytes(item: Mapping[str, Any], name: str) -> bytes:
    try:
        return b64u_decode(member(item, name, str))
    except ValueError as error:
        raise InvalidInput("station.bad_answer", f"{name} is not base64url") from error
