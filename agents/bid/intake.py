"""Handing an envelope to the supervisor's intake, when the platform refuses it or does not answer (SB1 S7.6).

The same signed bytes go there, with what lets the intake check them without the platform. What the intake answers is
verified against the key that the schedule names and the witnesses of the trust file before it is called received.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from agents.bid.platform import Answer, Refused, Unreachable
from agents.bid.workdir import INTAKE_RECEIPT, Version, WorkDir
from agents.http import require_base
from trading.audit.rules.policy import parse_policy
from trading.bids.rules.envelope import Envelope
from trading.bids.rules.intake import Taken, intake_policy, read_receipt
from trading.bids.rules.schedule import Intake
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import Es256Signer
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput, NotFound

_MAX_ANSWER: Final = 8 * 1024 * 1024
_CALL_S: Final = 60.0
_STORING_S: Final = 3_600.0  # a large part is answered when it is stored


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """What the intake's receipt proves, whether a quorum has witnessed it, and where the receipt is kept."""

    taken: Taken
    file: Path

    @property
    def n(self) -> int:
        """Return the place of the envelope in the intake's log."""
        return self.taken.verified.receipt.entry.n

    @property
    def is_witnessed(self) -> bool:
        """Return whether the receipt proves when the envelope existed."""
        return self.taken.verified.state.is_witnessed


def intake_of(work: WorkDir) -> Intake:
    """Return the intake that the schedule names.

    Raises:
        NotFound: It names none.
    """
    named = work.package().schedule.intake
    if named is None:
        raise NotFound("the schedule of this tender names no intake of the supervisor")
    return named


def address_of(named: Intake, given: str | None) -> str:
    """Return the address of an intake: the one that was given, or its own."""
    return require_base(given or named.address)


def hand_over(work: WorkDir, version: Version, signer: Es256Signer, base: str, held: Sequence[str] = ()) -> HandedOver:
    """Hand over a sealed version, send the parts that are asked for, verify the receipt: then the version stands.

    Args:
        work: The directory of the bid.
        version: The sealed envelope.
        signer: The bidder's key, of which the public half goes along: the intake has no register.
        base: Address of the intake.
        held: Names of parts that the platform has stored before its deadline.

    Raises:
        Refused: The intake refuses it.
        Unreachable: No answer; the same bytes may be sent again.
        InvalidInput: The answer does not verify.
    """
    document, signed = version.document, version.signed
    if not isinstance(document, Envelope):
        raise InvalidInput("intake.malformed", "the intake takes envelopes; a withdrawal goes to the platform")
    package = loads_object((work.path / "package.json").read_bytes())
    body = {"envelope": signed.wire(), "held": sorted(held), "key": b64u(signer.spki), "package": package}
    request = dumps(body)
    try:
        answer = _call("POST", f"{base}/envelopes", request)
    except Refused as error:
        missing = error.body.get("missing")
        if error.status != HTTPStatus.CONFLICT or not isinstance(missing, list):
            raise
        _send_parts(version, document, base, missing)
        answer = _call("POST", f"{base}/envelopes", request)
    result = _checked(work, version, answer)
    version.mark("accepted", h=result.taken.verified.receipt.entry.h.hex())
    return result


def _send_parts(version: Version, envelope: Envelope, base: str, missing: Sequence[object]) -> None:
    for part in envelope.parts:
        if part.name in missing:
            path = version.part(part.name)
            with path.open("rb") as file:
                headers = {"Content-Length": str(path.stat().st_size)}
                _call("PUT", f"{base}/parts/{part.sha256}", file, headers, timeout_s=_STORING_S)


def _checked(work: WorkDir, version: Version, answer: Answer) -> HandedOver:
    """Keep the receipt, whatever it is, and verify it."""
    text = answer.body.get("receipt")
    if not isinstance(text, str):
        raise InvalidInput("intake.malformed", "the intake answered without a receipt")
    file = version.keep(INTAKE_RECEIPT, text.encode())
    return HandedOver(taken=check_receipt(work, version, text.encode()), file=file)


def check_receipt(work: WorkDir, version: Version, receipt: bytes) -> Taken:
    """Verify a receipt of the intake that the schedule names.

    Raises:
        InvalidInput: It does not prove that the intake has received this version.
    """
    policy = intake_policy(intake_of(work), parse_policy(work.trust.log_policy))
    return read_receipt(receipt, version.signed, work.name.tender, policy, verify_note_signature)


def _call(
    method: str,
    url: str,
    body: bytes | BinaryIO,
    headers: Mapping[str, str] | None = None,
    *,
    timeout_s: float = _CALL_S,
) -> Answer:
    sent = {"Content-Type": "application/octet-stream", **(headers or {})}
    request = Request(url, data=body, headers=sent, method=method)  # noqa: S310 - require_base allows http(s) only
    try:
        with build_opener().open(request, timeout=timeout_s) as answer:
            return Answer(status=answer.status, body=_object(answer.read(_MAX_ANSWER)))
    except HTTPError as error:
        with error:
            raise Refused(error.code, _object(error.read(_MAX_ANSWER))) from error
    except (URLError, OSError) as error:
        raise Unreachable(f"{urlsplit(url).netloc} does not answer") from error


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
