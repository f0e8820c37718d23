"""What the agent tells its person before it signs: plain words in the reader's language (SB1 S13.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeAlias

from agents.custodian.evidence import Evidence
from agents.custodian.orders import Question
from agents.custodian.state import Place
from agents.words import instant, words
from trading.experts.rules.checks import CheckCode
from trading.experts.rules.spec import Spec
from trading.openings.rules.verdicts import Check

#: Told the words; raises to stop the signature.
Confirm: TypeAlias = Callable[[str], None]


def _head(zh: str, en: str, place: Place) -> list[str]:
    if place.is_draw:
        about = words(f"  专家抽取 {place.tender}", f"  draw of experts {place.tender}")
        return [words(f"即将签署：{zh}", f"About to sign: {en}"), about]
    return [
        words(f"即将签署：{zh}", f"About to sign: {en}"),
        words(
            f"  项目 {place.tender}，标段 {place.lot}，阶段 {place.stage}",
            f"  tender {place.tender}, lot {place.lot}, stage {place.stage}",
        ),
    ]


def _order(question: Question, evidence: Evidence) -> list[str]:
    order, witnessed = question.order, instant(evidence.witnessed.low_ms)
    return [
        words(f"  截止时间 {instant(order.close)}", f"  deadline {instant(order.close)}"),
        words(f"  见证时间 {witnessed}", f"  witnessed at {witnessed}"),
        words(f"  开标令 {order.sha256}（第 {order.seq} 号）", f"  order {order.sha256} (seq {order.seq})"),
    ]


def of_check(question: Question, evidence: Evidence, codes: Mapping[str, Check]) -> str:
    """Describe a share check."""
    count = len(question.order.bids)
    found = ", ".join(f"{code} {number}" for code, number in sorted(Counter(map(str, codes.values())).items()))
    lines = _head("份额核对", "share check", question.place)
    lines.append(words(f"  投标 {count} 份（{found or '无'}）", f"  {count} bids ({found or 'none'})"))
    return "\n".join([*lines, *_order(question, evidence)])


def of_release(question: Question, evidence: Evidence, *, releasing: int, factor_list: str | None) -> str:
    """Describe a release: after it, the shares are out of this agent's hands."""
    count = len(question.order.bids)
    lines = _head("份额释放", "share release", question.place)
    lines.append(words(f"  释放 {count} 份投标中的 {releasing} 份", f"  shares of {releasing} of {count} bids"))
    lines += _order(question, evidence)
    if factor_list is not None:
        lines.append(words(f"  解密名单 {factor_list}", f"  factor list {factor_list}"))
    return "\n".join(lines)


def of_key(place: Place, title_zh: str, title_en: str) -> str:
    """Describe a new share key."""
    return "\n".join([*_head("新保管密钥", "a new share key", place), f"  {words(title_zh, title_en)}"])


def of_proof(place: Place) -> str:
    """Describe a proof of possession: no share can be opened by it."""
    return "\n".join(_head("持钥证明", "proof of possession of the share key", place))


def of_non_release(place: Place, envelopes: int) -> str:
    """Describe a statement of non-release."""
    lines = _head("未释放声明", "statement of non-release", place)
    lines.append(
        words(
            f"  {envelopes} 个投标信封：本方从未、今后也不会释放其份额",
            f"  {envelopes} envelopes: no share of them was or will be released",
        )
    )
    return "\n".join(lines)


def of_destruction(place: Place, *, released: bool) -> str:
    """Describe a destruction, which cannot be undone."""
    lines = _head("销毁保管密钥，不可恢复", "destruction of the share key, which is final", place)
    last = ("  份额已释放", "  shares were released") if released else ("  从未释放份额", "  no share was released")
    lines.append(words(*last))
    return "\n".join(lines)


def of_disclosure(place: Place, auditor: str) -> str:
    """Describe a disclosure of the seed to an auditor."""
    lines = _head("向审计方披露保管密钥", "disclosure of the share key to an auditor", place)
    return "\n".join([*lines, words(f"  审计方 {auditor}", f"  auditor {auditor}")])


def of_factor_ack(bid: str) -> str:
    """Describe the acknowledgement of a bidder's factor."""
    return words(f"即将签署：收到投标 {bid} 的投标人因子", f"About to sign: the factor of bid {bid} was received")


def _draw(zh: str, en: str, spec: Spec) -> list[str]:
    return [
        *_head(zh, en, Place.of_draw(spec.draw)),
        words(f"  第 {spec.attempt} 次，方案 {spec.sha256}", f"  attempt {spec.attempt}, spec {spec.sha256}"),
    ]


def of_draw_check(spec: Spec, codes: Mapping[str, CheckCode]) -> str:
    """Describe a share check of a draw."""
    found = ", ".join(f"{code} {number}" for code, number in sorted(Counter(map(str, codes.values())).items()))
    lines = _draw("抽取份额核对", "share check of a draw", spec)
    return "\n".join([*lines, words(f"  文件 {len(codes)} 份（{found}）", f"  {len(codes)} documents ({found})")])


def of_recovery(spec: Spec, parties: list[str]) -> str:
    """Describe a recovery: after it, the shares are public."""
    lines = _draw("公开未公布随机数的份额", "shares of numbers that were not revealed", spec)
    named = ", ".join(parties)
    return "\n".join([*lines, words(f"  参与方 {named}", f"  contributors {named}")])


def of_key_release(spec: Spec, use: str) -> str:
    """Describe a key release to the auditor."""
    lines = _draw("向审计方交出密钥份额", "share of a key for the auditor", spec)
    return "\n".join([*lines, f"  {use}"])


def of_draw_disclosure(spec: Spec, auditor: str, left: int) -> str:
    """Describe a disclosure of the seed of a draw's share key, and how many the auditor may know in all."""
    lines = _draw("向审计方披露保管密钥", "disclosure of the share key to an auditor", spec)
    bound = words(
        f"  审计方 {auditor}；本次抽取中各方向其披露的密钥合计不得超过 {left} 个，请先核实",
        f"  auditor {auditor}; all custodians together may disclose {left} keys of this draw to it: ask first",
    )
    return "\n".join([*lines, bound])
