"""A pool of experts, a draw with three contributors, calls by mail, seats: nobody knows the committee but itself."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import SMTP
from typing import Final

from trading.accounts import service as accounts
from trading.audit.service import platform_ms
from trading.crypto.contact import ContactKey
from trading.demo import cast, pool
from trading.demo.cast import Organisation
from trading.demo.play import Play
from trading.experts import queries as experts
from trading.experts.rules.identity import Identity
from trading.experts.rules.register import Act
from trading.experts.service import calls, committees, papers, register, seats
from trading.kernel.errors import NotFound
from trading.kernel.roles import Role

CONTRIBUTORS: Final = (cast.CENTRE, cast.AGENCY, cast.SUPERVISOR)
REPRESENTATIVE: Final = "representative"
_HOUR_MS: Final = 3_600_000
_NEEDS: Final = ((pool.EQUIPMENT, 2), (pool.FURNITURE, 2))
_AFTER_SEED: Final = frozenset({"seeded", "resulted"})
_CALL: Final = re.compile(r"/draws/call/([A-Za-z0-9_-]+)")
_SEAT: Final = re.compile(r"席位码：\s*([A-Za-z0-9_-]+)")


def admit_pool(play: Play) -> None:
    """Let the supervisor sign the pool into the register; names are sealed to the contact service at once."""
    play.scene(
        f"财政局签署 {pool.SIZE} 名评审专家入库；姓名只有联络服务能读",
        f"the supervisor signs {pool.SIZE} experts into the register; only the contact service can read their names",
    )
    stage, ledger = play.stage, play.stage.runtime.ledger
    contact = ContactKey.load(play.data_dir / "keys" / "contact.key")
    register.register_contact_key(ledger, stage.desk, contact.public, cast.CENTRE.code)
    items = [pool.item(number) for number in range(pool.SIZE)]
    identities = {
        pool.pool_number(number): pool.identity(number, _account(play, number)) for number in range(pool.SIZE)
    }
    with ledger.read() as conn:
        draft = register.draft_change(conn, Act.ADMITTED, items, platform_ms(conn))
    target = play.stage.folder / "register-change.json"
    target.write_bytes(draft)
    (signed,) = play.sign(cast.SUPERVISOR, "supervisor", target)
    register.change_register(ledger, stage.actors["supervisor"], play.read(signed), identities)


def _account(play: Play, number: int) -> str:
    roles, login = (Role.EXPERT,), pool.login_of(number)
    return accounts.create_account(play.stage.runtime.ledger, login=login, org_code=cast.CENTRE.code, roles=roles)


def start_contributors(play: Play) -> None:
    """Three organisations start their own programs, which will give one random number each."""
    keys = [_contributor(play, each, "key", *_contributor_words(play, each)) for each in CONTRIBUTORS]
    play.run_together(keys)
    trust = ("trust", "--file", str(play.stage.trust_file))
    play.run_together([_contributor(play, each, *trust) for each in CONTRIBUTORS])
    for each in CONTRIBUTORS:
        log = play.stage.home(each) / "contributor.log"
        play.standing.start(log, *_contributor(play, each, "serve", "--interval", "0.5", "--auto-commit"))


def draw(play: Play) -> None:
    """Plan, draw, call, seat."""
    stage, ledger = play.stage, play.stage.runtime.ledger
    play.scene(
        "采购中心编制评标委员会计划；交易中心开始抽取，三方各出一个随机数",
        "the committee is planned; the centre begins the draw, three parties give a random number each",
    )
    committees.plan_committee(ledger, stage.actors["drafter"], play.reference, _plan(play))
    start_contributors(play)
    kids = tuple(stage.signers[(each.key, "custodian")].kid for each in cast.CUSTODIANS)
    play.draw = committees.begin_draw(
        ledger, stage.actors["centre"], play.reference, holders=committees.Holders(custodians=kids)
    )
    play.until(lambda: _state(play) in _AFTER_SEED, "a seeded draw")
    play.scene(
        "按抽签顺序邮件联系专家；有人拒绝，依次顺延",
        "experts are called by mail in the order of the draw; one refuses, the next is called",
    )
    answered: set[str] = set()
    play.until(lambda: _answer(play, answered) or _is_drawn(play), "a drawn committee")
    _take_seats(play)


def _plan(play: Play) -> dict[str, object]:
    return {
        "evaluation_at": play.now() + 4 * _HOUR_MS,
        "large": False,
        "place_en": "Room 3, Linjiang Trading Centre",
        "place_zh": "临江公共资源交易中心三号评标室",
        "representatives": 1,
        "strata": [{"id": stratum, "need": need} for stratum, need in _NEEDS],
    }


def _contributor(play: Play, organisation: Organisation, *words: str) -> list[str]:
    state = str(play.stage.home(organisation) / "contributor")
    return ["contributor", "--state", state, "--shift-file", str(play.shift_file), *words]


def _contributor_words(play: Play, organisation: Organisation) -> list[str]:
    key = str(play.stage.key_file(organisation, "contributor"))
    return ["--api", play.base_url, "--name", organisation.name_zh, "--key", key, "--no-passphrase"]


def _state(play: Play) -> str | None:
    """Return how far the draw is; what waits for signatures of centre and supervisor is signed first."""
    _sign_papers(play)
    with play.stage.runtime.ledger.read() as conn:
        try:
            return experts.find_draw(conn, play.draw).state
        except NotFound:  # its policy is not signed yet
            return None


def _is_drawn(play: Play) -> bool:
    _sign_papers(play)
    with play.stage.runtime.ledger.read() as conn:
        committee = experts.committee_of(conn, play.procedure_id)
    return committee is not None and committee.state == "drawn"


def _sign_papers(play: Play) -> None:
    with play.stage.runtime.ledger.read() as conn:
        waiting = papers.pending(conn, play.draw)
    organisations = {"centre": cast.CENTRE, "supervisor": cast.SUPERVISOR}
    # The spec is agreed first: the keys of the pool are escrowed under it.
    for paper, needs in sorted(waiting, key=lambda each: each[0].typ == "ed1.escrow"):
        target = play.stage.folder / f"{paper.typ}-{paper.signed.sha256[:8]}.json"
        target.write_bytes(paper.doc)
        for role in needs:
            (signed,) = play.sign(organisations[role], role, target)
            papers.collect(play.stage.runtime.ledger, play.stage.actors[role], play.draw, play.read(signed))


def _mails(play: Play, mark: re.Pattern[str]) -> list[tuple[str, str]]:
    """Return (login, code) of the mails that hold a code of this kind, as their receivers read them."""
    found = []
    for path in sorted((play.data_dir / "mail").glob("*.eml")):
        message = message_from_bytes(path.read_bytes(), policy=SMTP)
        code = mark.search(message.get_content())
        if code is not None:
            found.append((str(message["To"]).partition("@")[0], code[1]))
    return found


def _answer(play: Play, answered: set[str]) -> bool:
    """Let every expert who was called answer: the first refuses, all others accept."""
    for _, code in _mails(play, _CALL):
        if code not in answered:
            choice, reason = (calls.ACCEPT, "") if answered else (calls.DECLINE, "busy")
            calls.answer(play.stage.runtime.ledger, code, choice, reason)
            answered.add(code)
    return False


def _take_seats(play: Play) -> None:
    stage, ledger = play.stage, play.stage.runtime.ledger
    play.scene("专家凭席位码签到，声明无需回避", "the members sign in with their seat codes and declare no conflict")
    needed = sum(need for _, need in _NEEDS)
    play.until(lambda: len(_mails(play, _SEAT)) >= needed, "seat codes")
    for login, code in _mails(play, _SEAT):
        with ledger.upkeep() as conn:
            who = accounts.actor_of(conn, login)
        seats.sign_in(ledger, who, code, promised=True)
        seats.declare(ledger, who, play.reference, seats.NONE)
        play.members.append(login)
    sitting = Identity(name="何思齐", mail="buyer@example.org", phone="", employer=cast.BUYER.name_zh, account=None)
    person = stage.actors[REPRESENTATIVE]
    committees.appoint_representative(ledger, stage.actors["drafter"], play.reference, person, sitting)
    seats.sign_in_representative(ledger, person, play.reference, promised=True)
