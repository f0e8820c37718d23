"""One tender played by five bidders, five custodians, agency, supervisor and station, with programs of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from trading.audit.demo_clock import jump
from trading.audit.queries import newest_h
from trading.audit.service import platform_ms, wait_witnessed
from trading.awards import service as awards
from trading.commands.procedure import signed_lots
from trading.custody import queries as custody_queries
from trading.custody import service as custody
from trading.demo import cast, people
from trading.demo.cast import Organisation
from trading.demo.people import Standing
from trading.demo.stage import Stage
from trading.evaluation import service as evaluation
from trading.kernel.errors import RuleBroken
from trading.kernel.money import Money, format_money
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.notices import drafting
from trading.notices import service as notices
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.procedures import queries as procedures
from trading.procedures import service as procedure_service

LOT: Final = ("1", "all")
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_DEADLINE_DAYS: Final = 30
_BEFORE_MS: Final = 3_000
_PATIENCE_S: Final = 60.0
_WINDOWS: Final = {
    "factor_window_ms": 1_800_000,
    "objection_ms": 600_000,
    "share_check_ms": 600_000,
    "release_window_ms": 900_000,
    "rescue_ms": 900_000,
}


class TooSlow(Exception):
    """Something that the play waits for did not happen in time."""


@dataclass(slots=True, kw_only=True)
class Play:
    """The state of the play. ``base_url`` is the platform's address; everybody else uses only that."""

    stage: Stage
    base_url: str
    shift_file: Path
    console: Console
    reference: str = ""
    standing: Standing = field(default_factory=Standing)
    procedure_id: int = 0

    def scene(self, zh: str, en: str) -> None:
        """Say what happens now."""
        self.console.print(f"[bold]▸[/bold] {zh} [dim]/ {en}[/dim]")

    @property
    def place(self) -> Place:
        """Return procedure, lot and stage."""
        return Place(procedure=self.reference, procedure_id=self.procedure_id, lot=LOT[0], stage=LOT[1])

    def play(self) -> None:
        """Play the whole tender; stop the custodians at the end, whatever happened."""
        try:
            self._custodians()
            self._publish()
            self._bid()
            self._close()
            self._open()
            self._award()
        finally:
            self.standing.stop()

    # ------------------------------------------------------------------ before the notice

    def _custodians(self) -> None:
        self.scene("五家保管方启动各自的程序", "five custodians start their own agents")
        trust = str(self.stage.trust_file)
        people.run_together(
            [self._custodian(each, "init", *self._identity(each), "--trust", trust) for each in cast.CUSTODIANS]
        )
        for each in cast.CUSTODIANS:
            log = self.stage.home(each) / "custodian.log"
            serve = ("serve", "--poll", self.base_url, "--interval", "0.5", "--auto-key", "--auto-release")
            self.standing.start(log, *self._custodian(each, *serve))

    def _custodian(self, organisation: Organisation, *words: str) -> list[str]:
        state = str(self.stage.home(organisation) / "custody")
        return ["custodian", "--state", state, "--shift-file", str(self.shift_file), *words]

    def _identity(self, organisation: Organisation) -> list[str]:
        key = str(self.stage.key_file(organisation, "custodian"))
        options = ["--name", organisation.name_zh, "--role", organisation.seat or "other", "--key", key]
        return [*options, "--no-passphrase", "--jobs-per-minute", "600"]

    def _publish(self) -> None:
        stage, ledger = self.stage, self.stage.runtime.ledger
        self.scene("采购中心编制项目，提交复核", "the agency drafts the tender and submits it for review")
        close = (self._now() + _DEADLINE_DAYS * _DAY_MS) // _HOUR_MS * _HOUR_MS
        specification = cast.specification(close=close, windows=_WINDOWS)
        self.reference = procedure_service.draft(ledger, stage.actors["drafter"], specification)
        with ledger.read() as conn:
            self.procedure_id = procedures.find(conn, self.reference).id
        procedure_service.submit_for_review(ledger, stage.actors["drafter"], self.reference)
        self.scene(
            "保管方为本项目生成份额密钥并证明持有", "custodians make share keys for this lot and prove possession"
        )
        for each in cast.CUSTODIANS:
            custody.ask_for_key(
                ledger,
                kid=stage.signers[(each.key, "custodian")].kid,
                procedure_id=self.procedure_id,
                tender=self.reference,
                lot=LOT[0],
                stage=LOT[1],
                titles=(specification["title_zh"], specification["title_en"]),
            )
        self._until(self._all_proved, "five proved custodian keys")
        self.scene(
            "签署公告、开标规则和时间表，由另一人发布",
            "notice, policy and schedule are signed; a second person publishes",
        )
        folder = self.stage.folder / "documents"
        self._write_documents(folder)
        self._sign(cast.AGENCY, "agency", *sorted(folder.glob("*.json")))
        notice = SignedDocument.from_wire((folder / "notice.signed.json").read_bytes())
        lots = signed_lots(folder, [LOT])
        notices.publish_tender(ledger, stage.actors["reviewer"], self.reference, notice, lots, demo=True)
        self._until(self._no_job_waits, "custodians that have admitted the policy")

    def _all_proved(self) -> bool:
        with self.stage.runtime.ledger.read() as conn:
            keys = custody_queries.keys_of_lot(conn, self.procedure_id, *LOT)
        return sum(key.state == "proved" for key in keys) == len(cast.CUSTODIANS)

    def _no_job_waits(self) -> bool:
        with self.stage.runtime.ledger.read() as conn:
            kids = [self.stage.signers[(each.key, "custodian")].kid for each in cast.CUSTODIANS]
            return not any(custody_queries.waiting(conn, kid, 0) for kid in kids)

    def _write_documents(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        with self.stage.runtime.ledger.read() as conn:
            drafted = drafting.tender_draft(conn, self.reference, at=platform_ms(conn), demo=True)
        (folder / "notice.json").write_bytes(drafted.notice)
        for lot in drafted.lots:
            (folder / f"policy-{lot.lot}-{lot.stage}.json").write_bytes(lot.policy)
            (folder / f"schedule-{lot.lot}-{lot.stage}.json").write_bytes(lot.schedule)

    def _sign(self, organisation: Organisation, role: str, *documents: Path) -> None:
        """Sign with ``mingbiao sign`` on the organisation's own machine; never by the server."""
        key = str(self.stage.key_file(organisation, role))
        people.run("sign", *map(str, documents), "--key", key, "--yes")

    # ------------------------------------------------------------------ bidding

    def _bid(self) -> None:
        self._jump(self._lot().close_at - _DAY_MS)
        self.scene("五家投标人在自己的计算机上密封投标", "five bidders seal their bids on their own machines")
        for bidder in cast.BIDDERS:
            self._bidder_files(bidder)
        self._each_bidder(self._start_words)
        self._each_bidder(lambda bidder: self._seal_words(bidder, cast.PRICES[bidder.key]))
        self.scene("提交，每家得到回执", "they submit, and each gets a receipt")
        self._each_bidder(lambda bidder: self._with_token(bidder, "submit"))
        first = cast.BIDDERS[0]
        self.scene(
            f"{first.name_zh}替换报价；{cast.BIDDERS[4].name_zh}撤回后重新投标",
            "one bidder replaces its bid, one withdraws and bids again",
        )
        people.run(*self._seal_words(first, cast.REPLACED_PRICE))
        people.run(*self._with_token(first, "submit"))
        last = cast.BIDDERS[4]
        people.run(*self._with_token(last, "withdraw"), "--key", self._key(last), "--yes")
        people.run(*self._seal_words(last, cast.PRICES[last.key]))
        people.run(*self._with_token(last, "submit"))

    def _bidder_files(self, bidder: Organisation) -> None:
        home = self.stage.home(bidder)
        _write_secret(home / "token", self.stage.tokens[bidder.key])
        _write_secret(home / "package-passphrase", f"demonstration of {bidder.key}")
        (home / "技术方案.txt").write_text(f"{bidder.name_zh}：课桌椅技术方案（演示文件）。\n", encoding="utf-8")

    def _key(self, bidder: Organisation) -> str:
        return str(self.stage.key_file(bidder, "bidder"))

    def _directory(self, bidder: Organisation) -> str:
        return str(self.stage.home(bidder) / "bid")

    def _each_bidder(self, words: Callable[[Organisation], list[str]]) -> None:
        people.run_together([words(bidder) for bidder in cast.BIDDERS])

    def _start_words(self, bidder: Organisation) -> list[str]:
        options = ["--tender", self.reference, "--lot", LOT[0], "--org", bidder.code]
        trust = str(self.stage.folder / "trust.json")
        return [*self._with_token(bidder, "start"), "--api", self.base_url, *options, "--trust", trust]

    def _seal_words(self, bidder: Organisation, amount: int) -> list[str]:
        home = self.stage.home(bidder)
        yuan = f"{amount // 100}.{amount % 100:02d}"
        phrase = ["--package-passphrase-file", str(home / "package-passphrase")]
        words = ["bid", "seal", "--dir", self._directory(bidder), "--key", self._key(bidder), "--amount", yuan]
        return [*words, "--file", str(home / "技术方案.txt"), *phrase]

    def _with_token(self, bidder: Organisation, act: str) -> list[str]:
        token = str(self.stage.home(bidder) / "token")
        return ["bid", act, "--dir", self._directory(bidder), "--token-file", token]

    # ------------------------------------------------------------------ close and opening

    def _close(self) -> None:
        self._jump(self._lot().close_at - _BEFORE_MS)
        self.scene(
            "截止时间到：见证方确认时刻，等待在途提交，截止",
            "the deadline: witnesses confirm the instant, the lot closes",
        )
        self._until(lambda: self._lot().phase == "closed", "a closed lot")

    def _open(self) -> None:
        for login in ("drafter", "supervisor"):
            _write_secret(self.stage.folder / f"{login}.token", self.stage.tokens[login])
        self.scene(
            "开标终端生成密钥，起草开标令，采购中心和财政局签署",
            "the station drafts the open order; agency and supervisor sign it",
        )
        trust = str(self.stage.folder / "trust.json")
        options = ["--api", self.base_url, "--tender", self.reference, "--lot", LOT[0], "--trust", trust]
        people.run(*self._station("init", *options, "--no-passphrase"))
        order = self.stage.folder / "order.json"
        self._until(lambda: self._station_done("order", "--out", str(order)), "a witnessed close")
        self._sign_both_and_submit(order)
        self.scene(
            "保管方核对份额；异议期结束后，投标人确认开启",
            "custodians check their shares; after the objection window bidders confirm",
        )
        self._until(lambda: self._answers("check") == len(cast.CUSTODIANS), "five share checks")
        self._jump_to_step(lambda row: row.first_ordered_at + _WINDOWS["objection_ms"])
        self._until(lambda: self._step() == "factor", "an open factor window")
        self._each_bidder(self._reveal_words)
        self._jump_to_step(lambda row: row.factor_ends_at or 0)
        factors = self.stage.folder / "factor-list.json"
        self._until(
            lambda: self._station_done("fetch", "--typ", "sb1.factor-list", "--out", str(factors)), "a factor list"
        )
        self.scene(
            "签署解密名单，保管方释放份额，终端合并后一次全部启封",
            "custodians release; the station combines all, then opens all",
        )
        self._sign_both_and_submit(factors)
        self._until(lambda: self._answers("release") == len(cast.CUSTODIANS), "five releases")
        self._until(lambda: self._station_done("collect"), "collected shares")
        self._until(lambda: self._step() == "release_closed", "the end of the release")
        people.run(*self._station("combine", *self._token("drafter")))
        output = people.run(*self._station("open", *self._token("drafter")))
        self.console.print(f"[dim]{output.strip()}[/dim]")
        key = str(self.stage.key_file(cast.CENTRE, "station-operator"))
        people.run(*self._station("transcript", *self._token("drafter"), "--key", key))
        for index in range(2):
            target = self.stage.folder / f"transcript-{index}.json"
            people.run(
                *self._station("fetch", *self._token("drafter"), "--typ", "sb1.transcript", "--out", str(target))
            )
            self._sign(cast.SUPERVISOR, "supervisor", target)
            people.run(*self._station("submit", *self._token("supervisor"), str(_signed(target))))
        self._until(lambda: self._step() == "completed", "a completed opening")

    def _reveal_words(self, bidder: Organisation) -> list[str]:
        phrase = str(self.stage.home(bidder) / "package-passphrase")
        return [*self._with_token(bidder, "reveal"), "--package-passphrase-file", phrase]

    def _station(self, act: str, *words: str) -> list[str]:
        return ["station", "--state", str(self.stage.home(cast.CENTRE) / "station"), act, *words]

    def _token(self, login: str) -> list[str]:
        return ["--token-file", str(self.stage.folder / f"{login}.token")]

    def _station_done(self, act: str, *words: str) -> bool:
        try:
            people.run(*self._station(act, *self._token("drafter"), *words))
        except people.ProgramRefused as refusal:
            if refusal.code == people.NOT_YET:
                return False
            raise
        return True

    def _sign_both_and_submit(self, document: Path) -> None:
        self._sign(cast.AGENCY, "agency", document)
        people.run(*self._station("submit", *self._token("drafter"), str(_signed(document))))
        self._sign(cast.SUPERVISOR, "supervisor", document)
        people.run(*self._station("submit", *self._token("supervisor"), str(_signed(document))))

    # ------------------------------------------------------------------ result

    def _award(self) -> None:
        stage, ledger = self.stage, self.stage.runtime.ledger
        self.scene(
            "按最低评标价排序，确定中标人，发布结果公告",
            "the bids are ranked, the award determined, the result published",
        )
        ranking, _ = evaluation.evaluate(ledger, stage.actors["drafter"], self.reference, *LOT)
        awards.determine(ledger, stage.actors["drafter"], self.reference, *LOT)
        target = stage.folder / "result.json"
        texts = {
            "text_zh": "本项目采用最低评标价法，结果如下。对结果有异议的供应商可以依法提出质疑。",
            "text_en": "Evaluated by the lowest evaluated price. Suppliers may challenge the result by law.",
        }
        with ledger.read() as conn:
            draft = drafting.closing_draft(conn, self.reference, at=platform_ms(conn), kind="result", texts=texts)
        target.write_bytes(draft)
        self._sign(cast.AGENCY, "agency", target)
        signed = SignedDocument.from_wire(_signed(target).read_bytes())
        notices.publish_result(ledger, stage.actors["reviewer"], self.reference, signed)
        names = {each.code: each.name_zh for each in cast.BIDDERS}
        for item in sorted(ranking.items, key=lambda item: (item.rank is None, item.rank or 0)):
            price = format_money(Money(minor=item.price, currency="CNY"))
            self.console.print(f"  {item.rank or '–'}  {names[item.bidder]}  {price}  {item.reason or ''}".rstrip())

    # ------------------------------------------------------------------ time and waiting

    def wait_witnessed(self) -> None:
        """Wait until the newest record stands in a witnessed checkpoint."""
        runtime = self.stage.runtime
        with runtime.ledger.read() as conn:
            newest = newest_h(conn)
        if newest is None or wait_witnessed(runtime, newest, _PATIENCE_S) is None:
            raise TooSlow("the newest record was not witnessed")

    def _now(self) -> int:
        with self.stage.runtime.ledger.read() as conn:
            return platform_ms(conn)

    def _lot(self) -> Any:  # noqa: ANN401 - a LotRow
        with self.stage.runtime.ledger.read() as conn:
            return procedures.find_lot(conn, self.procedure_id, *LOT)

    def _opening(self) -> openings.OpeningRow | None:
        with self.stage.runtime.ledger.read() as conn:
            return openings.opening_row(conn, self.place)

    def _step(self) -> str | None:
        row = self._opening()
        return None if row is None else row.step

    def _answers(self, kind: str) -> int:
        with self.stage.runtime.ledger.read() as conn:
            return len(openings.answers(conn, self.place, kind))

    def _jump_to_step(self, instant: Callable[[openings.OpeningRow], int]) -> None:
        row = self._opening()
        if row is not None:
            self._jump(instant(row) - _BEFORE_MS)

    def _jump(self, to_ms: int) -> None:
        """Move demonstration time on; what is due already is done first, by the platform's own worker."""
        self._until(lambda: to_ms <= self._now() or self._jumped(to_ms), "what is due before time is moved on")

    def _jumped(self, to_ms: int) -> bool:
        try:
            jump(self.stage.runtime, Actor.system("demo"), to_ms, shift_file=self.shift_file)
        except RuleBroken as refusal:
            if refusal.code == "demo.past_due":
                return False
            raise
        return True

    def _until(self, happened: Callable[[], bool], what: str) -> None:
        ends = time.monotonic() + _PATIENCE_S
        while not happened():
            if time.monotonic() >= ends:
                raise TooSlow(f"waited {_PATIENCE_S:.0f} s for {what}")
            time.sleep(0.2)


def _signed(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix('.json')}.signed.json")


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
