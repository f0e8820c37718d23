"""The register, draws and committees as recorded events (ED1 D14). Records of draws name no procedure (D5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.experts.rules.register import Act
from trading.kernel.digests import EXPERTS_HOLDER, sha256_hex, tuple_hash
from trading.kernel.errors import Conflict
from trading.kernel.events import Event, EventKind
from trading.kernel.ids import random_name

REGISTER_KINDS: Final = tuple(f"expert.{act.value}" for act in Act)
_REGISTER_TITLES: Final = {
    Act.ADMITTED: ("专家入库", "Experts admitted"),
    Act.CHANGED: ("专家信息变更", "Experts changed"),
    Act.SUSPENDED: ("专家暂停", "Experts suspended"),
    Act.RESUMED: ("专家恢复", "Experts resumed"),
    Act.REMOVED: ("专家退库", "Experts removed"),
}
ARTICLE: Final = "政府采购评审专家管理办法 12"


class NotYet(Conflict):
    """A step whose condition has not come: a record is not witnessed, or a part of the draw is still missing."""

    code = "not_yet"


def _draw(name: str, fields: str, zh: str, en: str, *, optional: str = "") -> EventKind:
    return EventKind(
        name=f"draw.{name}",
        fields=frozenset({"attempt", "draw", *fields.split()}),
        optional=frozenset(optional.split()),
        title_zh=zh,
        title_en=en,
    )


def _of_procedure(name: str, fields: str, zh: str, en: str) -> EventKind:
    return EventKind(name=name, fields=frozenset(fields.split()), title_zh=zh, title_en=en)


EVENTS: Final[tuple[EventKind, ...]] = (
    *(
        EventKind(name=f"expert.{act.value}", fields=frozenset({"change_sha256"}), title_zh=zh, title_en=en)
        for act, (zh, en) in _REGISTER_TITLES.items()
    ),
    EventKind(
        name="expert.identities_kept",
        fields=frozenset({"kept"}),
        title_zh="专家身份加密存入",
        title_en="Identities kept, encrypted",
    ),
    EventKind(
        name="pool.snapshot",
        fields=frozenset({"key_commit", "register_size", "root", "seq", "size"}),
        title_zh="专家库快照",
        title_en="Snapshot of the pool",
    ),
    # The commitment to the procedure stands here already, as the spec repeats it (D5; ADR 0045).
    _draw("policy_fixed", "policy_sha256", "抽取密钥规则确定", "Policy of the draw fixed", optional="procedure_commit"),
    _draw("specified", "spec_sha256", "抽取方案确定", "Draw specified"),
    _draw("escrowed", "escrow_sha256 use", "抽取密钥托管", "Key of the draw escrowed"),
    _draw("committed", "contribution_sha256 party via", "随机数承诺", "Contribution committed"),
    _draw("share_checked", "check_sha256 custodian", "份额核对", "Shares checked"),
    _draw("adjudicated", "adjudication_sha256 custodian", "份额争议裁定", "Share adjudicated"),
    _draw("waived", "waiver_sha256", "免除核对", "Check waived"),
    _draw("sealed", "contributions left_out spec_sha256", "承诺清单封存", "Contributions sealed"),
    _draw("revealed", "party reveal_sha256 via", "随机数公开", "Contribution revealed"),
    _draw("recovered", "custodian party recovery_sha256 via", "随机数恢复", "Contribution recovered"),
    _draw("seeded", "beacon final_sha256 seed void", "种子确定", "Seed determined"),
    _draw("called", "index stratum", "邀请专家", "Expert called"),
    _draw("disposed", "index reason_commit state stratum", "邀请结果", "Outcome of a call"),
    _draw("contested", "index statement_commit stratum", "专家提出异议", "Record contested"),
    _draw("contest_decided", "index stratum upheld", "异议决定", "Contest decided"),
    _draw("result", "result_sha256", "抽取结果", "Result of the draw"),
    _draw("key_ordered", "order_sha256", "要求交出抽取密钥", "Key of the draw ordered"),
    _draw("cancelled", "cancel_sha256", "抽取取消", "Attempt cancelled"),
    _draw("disclosed", "procedure salt", "抽取公开", "Draw disclosed"),
    _of_procedure("committee.planned", "plan_sha256", "评标委员会组建方案", "Committee planned"),
    _of_procedure("committee.drawing", "draw request_sha256", "开始抽取专家", "Draw begun"),
    _of_procedure("committee.appointed", "holder_commit seat", "指派采购人代表", "Representative appointed"),
    _of_procedure("committee.formed", "attempt draw seats state", "评标委员会组成", "Committee formed"),
    EventKind(
        name="seat.signed_in",
        fields=frozenset({"holder_commit", "seat", "second_factor"}),
        optional=frozenset({"promise_sha256"}),  # the words of discipline.py; absent from older records
        title_zh="评委签到",
        title_en="Member signed in",
    ),
    _of_procedure("seat.declared", "declaration seat", "回避声明", "Declaration of interests"),
    _of_procedure("seat.left", "reason_commit seat state", "评委退出", "Member left"),
    _of_procedure("panel.disclosed", "members", "公布评委名单", "Members' names published"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Which attempt of which draw."""

    draw: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Which account holds a seat; ``salt`` is 32 random bytes, fresh for each."""

    seat: str
    account: str
    salt: bytes

    @property
    def commit(self) -> str:
        """Return what the record says of it: nothing, to whoever does not have the salt (ADR 0045).

        The view ``record.held_seat`` computes the same from the stored row.
        """
        return tuple_hash(EXPERTS_HOLDER, self.salt, self.seat.encode(), self.account.encode()).hex()


def new_draw_id() -> str:
    """Return a random name of a draw, one per committee (D5)."""
    return f"D-{random_name(12)}"


def new_seat() -> str:
    """Return a random name of a seat: it tells nothing of the person or the order of calls."""
    return f"m-{random_name(12)}"


def representative_number(seat: str) -> str:
    """Return the name under which a representative's sealed identity is kept; it is no pool number."""
    return f"REP-{seat.removeprefix('m-').upper()}"


def draw_event(kind: str, attempt: Attempt, **body: object) -> Event:
    """Return an event of a draw; it belongs to no procedure until ``draw.disclosed`` says which."""
    return Event(
        kind=f"draw.{kind}",
        subject=f"draw:{attempt.draw}",
        body={"attempt": attempt.number, "draw": attempt.draw, **body},
        article=ARTICLE,
    )


def committee_event(kind: str, reference: str, procedure_id: int, **body: object) -> Event:
    """Return an event of the committee of a procedure."""
    return Event(
        kind=kind,
        subject=f"procedure:{reference}",
        body=body,
        procedure=reference,
        procedure_id=procedure_id,
        article=ARTICLE,
    )


def register_changed(act: Act, change_sha256: str) -> Event:
    """Return the event of a signed change of the register."""
    return Event(kind=f"expert.{act.value}", subject="register:experts", body={"change_sha256": change_sha256})


def identities_kept(sealed: Mapping[str, bytes]) -> Event:
    """Return the event that names the sealed identities stored with a change, by number and hash.

    The hash tells nothing of the person: the sealing is encrypted under a fresh key each time.
    """
    kept = [{"expert": name, "sealed_sha256": sha256_hex(sealed[name])} for name in sorted(sealed)]
    return Event(kind="expert.identities_kept", subject="register:experts", body={"kept": kept})


def snapshot(body: Mapping[str, Any]) -> Event:
    """Return the nightly commitment to the whole register (D3)."""
    return Event(kind="pool.snapshot", subject="register:experts", body=dict(body))


def identity_read(what: str) -> Event:
    """Return the event that somebody's identity was opened; the auditor sees every access (security 12)."""
    return Event(kind="admin.read", subject="register:experts", body={"what": what})
