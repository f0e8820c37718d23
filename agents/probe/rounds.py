"""One round of a synthetic bidder: seal, send, check the receipt, as every bidder does; then tell how it went (TE1 T6).

A round is good when a LOGGED receipt of its own envelope verifies within 30 s. It knows no other way into the platform
than the public address, and nothing of how the platform fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from agents.bid.platform import Answer, Platform, Refused, Unreachable
from agents.probe.state import Head, ProbeState
from agents.sealing import SealedBid, seal_bid
from trading.audit.rules.policy import parse_policy as parse_log_policy
from trading.audit.rules.proof import verify_receipt
from trading.bids.rules.context import BidContext
from trading.bids.rules.envelope import parse_envelope
from trading.bids.rules.hidden import LOT, STAGE
from trading.bids.rules.policy import Policy, parse_policy
from trading.bids.rules.price import build_price, pad_price
from trading.bids.rules.probing import LONGEST_MS, LONGEST_REASON, ROUND_MS, Round
from trading.crypto.notes import verify_note_signature
from trading.kernel.clock import Clock
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument

CALL_S: Final = 10.0
_AGAIN_S: Final = 1.0
_CONFLICT: Final = "bid.version_conflict"


def code_of(text: str) -> str:
    """Return a code as it may be told, whatever stands between the platform and here has put into its place."""
    return text.encode("ascii", "replace").decode()[:LONGEST_REASON] or "unnamed"


class _Failed(Exception):
    """The round has failed; the text is the reason that is told."""


@dataclass(slots=True)
class Prober:
    """The synthetic bidder of one folder, at one public address.

    Args:
        state: Its folder.
        base: The public address of the platform.
        clock: Of the vantage point; its instants are told.
        monotonic: Measures, in seconds.
        pause: Waits between two looks for a receipt, in seconds.
    """

    state: ProbeState
    base: str
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    _policy: Policy = field(init=False)

    def __post_init__(self) -> None:
        """Read the policy once: it is the same for every round."""
        self._policy = parse_policy(b64u_decode(self.state.identity.policy))

    def round(self) -> Round:
        """Run one round and keep its result."""
        start, began = self.clock.now_ms(), self.monotonic()
        reason = self._failure(began)
        ms = round((self.monotonic() - began) * 1000)
        if reason is None and ms > ROUND_MS:
            reason = "too_slow"
        result = Round(start=start, ms=min(ms, LONGEST_MS), ok=reason is None, reason=reason)
        self.state.found(result)
        return result

    def _failure(self, began: float) -> str | None:
        """Submit, and return why a bidder is not served, or None."""
        try:
            self._submit(began)
        except _Failed as error:
            return str(error)
        except Unreachable as error:
            return code_of(error.__cause__.code) if isinstance(error.__cause__, Refused) else "unreachable"
        except (Refused, InvalidInput) as error:  # the latter: what came back does not verify
            return code_of(error.code)
        except (KeyError, TypeError, ValueError):
            return "answer.malformed"
        return None

    def tell(self) -> bool:
        """Tell what was not told yet; return whether the platform has taken it. What it does not take is kept."""
        while rounds := self.state.untold():
            try:
                self._platform().tell_rounds(rounds)
            except (Refused, Unreachable):
                return False
            self.state.told(rounds)
        return True

    def _platform(self) -> Platform:
        return Platform(self.base, self.state.token, attempts=1, timeout_s=CALL_S)

    def _submit(self, began: float) -> None:
        platform = self._platform()
        sealed, answer = self._send(platform)
        while "receipt" not in answer.body:
            if self.monotonic() - began > ROUND_MS / 1000:
                raise _Failed("receipt.missing")
            self.pause(_AGAIN_S)
            answer = platform.receipt(str(answer.body.get("h", "")))
        self._require_own(str(answer.body["receipt"]).encode(), sealed.envelope.sha256)

    def _send(self, platform: Platform) -> tuple[SealedBid, Answer]:
        """Send the next version; if another stands than is known, because an answer was lost, the one after that."""
        try:
            return self._send_next(platform)
        except Refused as error:
            standing = error.body.get("stands")
            if error.code != _CONFLICT or not isinstance(standing, dict):
                raise
            self.state.stands(Head(seq=int(standing["seq"]), sha256=str(standing["sha256"])))
            return self._send_next(platform)

    def _send_next(self, platform: Platform) -> tuple[SealedBid, Answer]:
        sealed, bid = self._seal(), self.state.identity.bid
        (ciphertext,) = sealed.parts.values()
        self.state.part.write_bytes(ciphertext)
        platform.put_part(bid, "price", self.state.part, self._sha256_of_part(sealed.envelope))
        answer = platform.post(bid, "envelope", sealed.envelope.wire())
        self.state.stands(Head(seq=sealed.context.seq, sha256=sealed.envelope.sha256))
        return sealed, answer

    def _seal(self) -> SealedBid:
        own, head = self.state.identity, self.state.head
        context = BidContext(
            bid=own.bid,
            bidder=own.bidder,
            bidder_kid=self.state.signer.kid,
            lot=LOT,
            policy_sha256=self._policy.sha256,
            seq=head.seq + 1,
            stage=STAGE,
            tender=own.tender,
        )
        price = pad_price(build_price(context, currency="CNY", total=1), self._policy.price_bytes or 0)
        return seal_bid(
            context=context,
            policy=self._policy,
            parts={"price": price},
            signer=self.state.signer,
            created=self.clock.now_ms(),
            supersedes=head.sha256,
        )

    @staticmethod
    def _sha256_of_part(envelope: SignedDocument) -> str:
        (part,) = parse_envelope(envelope.doc).parts
        return part.sha256

    def _require_own(self, receipt: bytes, envelope_sha256: str) -> None:
        own = self.state.identity
        policy = parse_log_policy(own.log_policy)
        verified = verify_receipt(receipt, origin=own.origin, policy=policy, verify=verify_note_signature)
        body: dict[str, Any] = verified.record["body"]
        told = (verified.record["kind"], body.get("bid"), body.get("envelope_sha256"))
        if told != ("bid.received", own.bid, envelope_sha256):
            raise _Failed("receipt.other_record")
