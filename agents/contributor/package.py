"""The package of an attempt as it arrives: policy, custodian keys, spec, judged by the own trust file (ED1 D1, D5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.contributor.desk import Desk
from agents.history import verify_logged
from trading.audit.rules.proof import ReceiptState
from trading.crypto.signatures import verify_signature
from trading.experts.rules.policy import Policy, check_policy
from trading.experts.rules.spec import Party, Spec, check_spec
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument

_MAX_CUSTODIANS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A checked package; ``party`` is this contributor's own row in the spec."""

    policy: Policy
    policy_wire: bytes
    spec: Spec
    spec_wire: bytes
    party: Party


def read_package(desk: Desk, body: Mapping[str, Any]) -> Package:
    """Check a package: every signature and pinned key, the rules of D1, and that both documents are in the log.

    Raises:
        InvalidInput: ``doc.…``, ``sig.…``, ``policy.…``, ``receipt.…``.
        RuleBroken: ``policy.…``, ``draw.…``; ``draw.not_a_party``; ``draw.not_logged``: not witnessed yet.
    """
    signed_policy, signed_spec = _signed(body, "policy"), _signed(body, "spec")
    keys = body.get("custodian_keys")
    if not isinstance(keys, list) or len(keys) > _MAX_CUSTODIANS:
        raise InvalidInput("doc.bad_field", "package: custodian_keys")
    spec = check_spec(signed_spec, desk.trust, verify_signature)
    wires = [SignedDocument.from_wire(item) for item in keys]
    policy = check_policy(signed_policy, wires, desk.trust, verify_signature)
    if (spec.policy_sha256, spec.draw) != (policy.sha256, policy.draw):
        raise InvalidInput("policy.mismatch", "the spec names another policy")
    party = next((item for item in spec.parties if item.kid == desk.signer.kid), None)
    if party is None:
        raise RuleBroken("draw.not_a_party", "ED1 D5", kid=desk.signer.kid)
    _require_logged(desk, body.get("policy_proof"), "draw.policy_fixed", "policy_sha256", policy.sha256)
    _require_logged(desk, body.get("spec_proof"), "draw.specified", "spec_sha256", spec.sha256)
    return Package(
        policy=policy,
        policy_wire=signed_policy.wire_bytes(),
        spec=spec,
        spec_wire=signed_spec.wire_bytes(),
        party=party,
    )


def _signed(body: Mapping[str, Any], name: str) -> SignedDocument:
    value = body.get(name)
    if not isinstance(value, Mapping):
        raise InvalidInput("doc.bad_field", f"package: {name}")
    return SignedDocument.from_wire(value)


def _require_logged(desk: Desk, proof: object, kind: str, field: str, sha256: str) -> None:
    if not isinstance(proof, str):
        raise RuleBroken("draw.not_logged", "ED1 D2", kind=kind)
    verified = verify_logged(desk.trust, proof.encode())
    record = verified.record
    if (record["kind"], record["body"].get(field)) != (kind, sha256):
        raise InvalidInput("receipt.other_record", f"the receipt is not of {kind} with this document")
    if verified.state is not ReceiptState.WITNESSED:
        raise RuleBroken("draw.not_logged", "ED1 D2", kind=kind)
