"""The index of the documents of a draw: type, its parser, and which roles must have signed it (ED1 D14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from trading.experts.rules import checks, contributions, finals, keys, policy, register, results, reveals, spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type: its names for people, ``parse`` admits its bytes, ``signers`` are roles of P6.2."""

    zh: str
    en: str
    parse: Callable[[bytes], object]
    signers: frozenset[str]


_BOTH: Final = frozenset(policy.SIGNERS)
_CENTRE: Final = frozenset({"centre"})
_PARTY: Final = frozenset({"contributor"})
_CUSTODIAN: Final = frozenset({"custodian"})
_SUPERVISOR: Final = frozenset({"supervisor"})
# ed1.ack is signed by a supervisor or a custodian: either one is enough, so it stands in neither group.
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "ed1.ack": Kind(zh="抽取文件收妥回执", en="hand-in receipt", parse=checks.parse_ack, signers=frozenset()),
        "ed1.adjudication": Kind(
            zh="抽取份额裁定", en="adjudication of a draw", parse=checks.parse_adjudication, signers=_SUPERVISOR
        ),
        "ed1.cancel": Kind(zh="抽取取消", en="cancellation of a draw", parse=results.parse_cancel, signers=_BOTH),
        "ed1.contribution": Kind(
            zh="抽取随机数承诺", en="contribution to a draw", parse=contributions.parse_contribution, signers=_PARTY
        ),
        "ed1.custodian-key": Kind(
            zh="抽取保管密钥", en="share key of a draw", parse=policy.parse_custodian_key, signers=_CUSTODIAN
        ),
        "ed1.escrow": Kind(zh="抽取密钥托管", en="escrow of a draw", parse=contributions.parse_escrow, signers=_CENTRE),
        "ed1.final": Kind(zh="抽取定稿", en="final document of a draw", parse=finals.parse_final, signers=frozenset()),
        "ed1.key-disclosure": Kind(
            zh="抽取密钥披露", en="key disclosure in a draw", parse=checks.parse_disclosure, signers=_CUSTODIAN
        ),
        "ed1.key-order": Kind(
            zh="抽取密钥调取令", en="key order of a draw", parse=keys.parse_key_order, signers=_SUPERVISOR
        ),
        "ed1.key-release": Kind(
            zh="抽取密钥份额", en="key release of a draw", parse=keys.parse_key_release, signers=_CUSTODIAN
        ),
        "ed1.policy": Kind(zh="抽取密钥方案", en="policy of a draw", parse=policy.parse_policy, signers=_BOTH),
        "ed1.recovery": Kind(
            zh="随机数恢复份额", en="recovery in a draw", parse=reveals.parse_recovery, signers=_CUSTODIAN
        ),
        "ed1.register-change": Kind(
            zh="专家库变更",
            en="change of the expert register",
            parse=register.parse_register_change,
            signers=_SUPERVISOR,
        ),
        "ed1.result": Kind(zh="抽取结果", en="result of a draw", parse=results.parse_result, signers=_BOTH),
        "ed1.reveal": Kind(zh="随机数公开", en="reveal in a draw", parse=reveals.parse_reveal, signers=_PARTY),
        "ed1.share-check": Kind(
            zh="抽取份额核对", en="share check of a draw", parse=checks.parse_share_check, signers=_CUSTODIAN
        ),
        "ed1.spec": Kind(zh="抽取方案", en="spec of a draw", parse=spec.parse_spec, signers=_BOTH),
        "ed1.waiver": Kind(zh="份额核对豁免", en="waiver in a draw", parse=checks.parse_waiver, signers=_BOTH),
    }
)
