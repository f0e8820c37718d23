"""The deadline and the opening of every lot: order, share check, factors, release, all bids opened together."""

from __future__ import annotations

from pathlib import Path

from trading.demo import cast, people
from trading.demo.play import BEFORE_MS, Play, at_once, write_secret
from trading.demo.scenes import bidding
from trading.demo.tender import FURNITURE, LOTS, WINDOWS, Lot
from trading.openings.queries import OpeningRow


def close(play: Play) -> None:
    """Wait for the deadline: witnesses confirm the instant, what is under way is waited for."""
    play.jump(play.close_at(FURNITURE) - BEFORE_MS)
    play.scene("截止时间到：见证方确认时刻，等待在途提交，截止", "the deadline: witnesses confirm it, the lots close")
    play.until(lambda: all(play.lot(lot).phase == "closed" for lot in LOTS), "closed lots")


def open_bids(play: Play) -> None:
    """Open every lot; the two ceremonies keep step, because time is moved on for both."""
    for login in ("drafter", "supervisor"):
        write_secret(play.stage.folder / f"{login}.token", play.stage.tokens[login])
    _order(play)
    _factors(play)
    _release(play)
    _transcripts(play)


def _order(play: Play) -> None:
    play.scene(
        "开标终端生成密钥，起草开标令，采购中心和财政局签署",
        "the station drafts the open order; agency and supervisor sign it",
    )
    trust = str(play.stage.folder / "trust.json")
    options = ("--api", play.base_url, "--tender", play.reference, "--trust", trust, "--no-passphrase")
    play.run_together([_station(play, lot, "init", "--lot", lot.number, *options) for lot in LOTS])
    orders = {lot: _folder(play, lot) / "order.json" for lot in LOTS}
    for lot, order in orders.items():
        play.until(lambda lot=lot, order=order: _done(play, lot, "order", "--out", str(order)), "a witnessed close")  # type: ignore[misc]  # bound now
    _sign_and_submit(play, orders)


def _factors(play: Play) -> None:
    play.scene(
        "保管方核对份额；异议期结束后，投标人确认开启",
        "custodians check their shares; after the objection window bidders confirm",
    )
    play.until(lambda: all(play.answers(lot, "check") == len(cast.CUSTODIANS) for lot in LOTS), "share checks")
    play.jump(max(_row(play, lot).first_ordered_at for lot in LOTS) + WINDOWS["objection_ms"] - BEFORE_MS)
    play.until(lambda: all(play.step(lot) == "factor" for lot in LOTS), "open factor windows")
    confirming = [(lot, each) for lot in LOTS for each in lot.bidders if each.key not in lot.silent]
    play.run_together([bidding.reveal(play, lot, bidder) for lot, bidder in confirming])
    play.jump(max(_row(play, lot).factor_ends_at or 0 for lot in LOTS) - BEFORE_MS)
    lists = {lot: _folder(play, lot) / "factor-list.json" for lot in LOTS}
    for lot, path in lists.items():
        words = ("fetch", "--typ", "sb1.factor-list", "--out", str(path))
        play.until(lambda lot=lot, words=words: _done(play, lot, *words), "a factor list")  # type: ignore[misc]  # bound now
    play.scene(
        "签署解密名单，保管方释放份额，终端合并后一次全部启封",
        "custodians release; the station combines all, then opens all",
    )
    _sign_and_submit(play, lists)


def _release(play: Play) -> None:
    play.until(lambda: all(play.answers(lot, "release") == len(cast.CUSTODIANS) for lot in LOTS), "releases")
    for lot in LOTS:
        play.until(lambda lot=lot: _done(play, lot, "collect"), "collected shares")  # type: ignore[misc]  # bound now
    play.until(lambda: all(play.step(lot) == "release_closed" for lot in LOTS), "the end of the release")
    for act in ("combine", "open"):  # the station waits for witnesses of what the platform tells it
        at_once([lambda lot=lot, act=act: play.until(lambda: _done(play, lot, act), act) for lot in LOTS])  # type: ignore[misc]  # bound now


def _transcripts(play: Play) -> None:
    key = str(play.stage.key_file(cast.CENTRE, "station-operator"))
    play.run_together([_station(play, lot, "transcript", *_token(play, "drafter"), "--key", key) for lot in LOTS])
    at_once([lambda lot=lot: _confirm(play, lot) for lot in LOTS])  # type: ignore[misc]  # bound now
    play.until(lambda: all(play.step(lot) == "completed" for lot in LOTS), "completed openings")


def _confirm(play: Play, lot: Lot) -> None:
    for number in range(2):
        target = _folder(play, lot) / f"transcript-{number}.json"
        play.run(
            *_station(play, lot, "fetch", *_token(play, "drafter"), "--typ", "sb1.transcript", "--out", str(target))
        )
        (signed,) = play.sign(cast.SUPERVISOR, "supervisor", target)
        play.run(*_station(play, lot, "submit", *_token(play, "supervisor"), str(signed)))


def _sign_and_submit(play: Play, documents: dict[Lot, Path]) -> None:
    """Let agency and then supervisor sign one document of each lot and hand it in."""
    for organisation, role, login in (
        (cast.AGENCY, "agency", "drafter"),
        (cast.SUPERVISOR, "supervisor", "supervisor"),
    ):
        signed = play.sign(organisation, role, *documents.values())
        play.run_together(
            [
                _station(play, lot, "submit", *_token(play, login), str(path))
                for lot, path in zip(documents, signed, strict=True)
            ]
        )


def _row(play: Play, lot: Lot) -> OpeningRow:
    row = play.opening(lot)
    if row is None:
        raise ValueError(f"lot {lot.number} has no opening")
    return row


def _folder(play: Play, lot: Lot) -> Path:
    folder = play.stage.folder / f"lot-{lot.number}"
    folder.mkdir(exist_ok=True)
    return folder


def station_home(play: Play, lot: Lot) -> Path:
    """Return the folder of the station that opens a lot."""
    return play.stage.home(cast.CENTRE) / f"station-{lot.number}"


def _station(play: Play, lot: Lot, act: str, *words: str) -> list[str]:
    return ["station", "--state", str(station_home(play, lot)), act, *words]


def _token(play: Play, login: str) -> list[str]:
    return ["--token-file", str(play.stage.folder / f"{login}.token")]


def _done(play: Play, lot: Lot, act: str, *words: str) -> bool:
    try:
        play.run(*_station(play, lot, act, *_token(play, "drafter"), *words))
    except people.ProgramRefused as refusal:
        if refusal.code == people.NOT_YET:
            return False
        raise
    return True
