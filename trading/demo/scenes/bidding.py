"""Bidders seal on their own machines and keep their receipts; one replaces its bid, one withdraws and bids again."""

from __future__ import annotations

import json
from typing import Final

from trading.demo import cast
from trading.demo.cast import Organisation
from trading.demo.play import Play, write_secret
from trading.demo.tender import FURNITURE, LOTS, STAGE, Lot

_DAY_MS: Final = 86_400_000


def bid(play: Play) -> None:
    """Let everybody bid for every lot that it wants, a day before the deadline."""
    play.jump(play.close_at(FURNITURE) - _DAY_MS)
    play.scene("五家投标人在自己的计算机上密封投标", "five bidders seal their bids on their own machines")
    for bidder in cast.BIDDERS:
        _files(play, bidder)
    wanted = [(lot, bidder) for lot in LOTS for bidder in lot.bidders]
    play.run_together([_start(play, lot, bidder) for lot, bidder in wanted])
    play.run_together([_seal(play, lot, bidder) for lot, bidder in wanted])
    play.scene("提交，每家得到回执", "they submit, and each gets a receipt")
    play.run_together([with_token(play, lot, bidder, "submit") for lot, bidder in wanted])
    _change(play)


def _change(play: Play) -> None:
    first, last = cast.BIDDERS[0], cast.BIDDERS[4]
    play.scene(
        f"{first.name_zh}替换报价；{last.name_zh}撤回后重新投标",
        "one bidder replaces its bid, one withdraws and bids again",
    )
    key = str(play.stage.key_file(last, "bidder"))
    play.run_together(
        [
            _seal(play, FURNITURE, first, replaced=True),
            [*with_token(play, FURNITURE, last, "withdraw"), "--key", key, "--yes"],
        ]
    )
    play.run_together([with_token(play, FURNITURE, first, "submit"), _seal(play, FURNITURE, last)])
    play.run(*with_token(play, FURNITURE, last, "submit"))


def _files(play: Play, bidder: Organisation) -> None:
    home = play.stage.home(bidder)
    write_secret(home / "token", play.stage.tokens[bidder.key])
    write_secret(home / "package-passphrase", f"demonstration of {bidder.key}")
    for lot in LOTS:
        text = f"{bidder.name_zh}：{lot.title_zh}技术方案（演示文件）。\n"
        (home / f"技术方案-{lot.number}.txt").write_text(text, encoding="utf-8")


def _start(play: Play, lot: Lot, bidder: Organisation) -> list[str]:
    options = ["--tender", play.reference, "--lot", lot.number, "--stage", STAGE, "--org", bidder.code]
    trust = str(play.stage.folder / "trust.json")
    return [*with_token(play, lot, bidder, "start"), "--api", play.base_url, *options, "--trust", trust]


def _seal(play: Play, lot: Lot, bidder: Organisation, *, replaced: bool = False) -> list[str]:
    home = play.stage.home(bidder)
    price = write_secret(home / f"price-{lot.number}.json", json.dumps(lot.price(bidder.key, replaced=replaced)))
    words = ["bid", "seal", "--dir", _directory(play, lot, bidder), "--key", str(play.stage.key_file(bidder, "bidder"))]
    phrase = ["--package-passphrase-file", str(home / "package-passphrase")]
    return [*words, "--price-file", str(price), "--file", str(home / f"技术方案-{lot.number}.txt"), *phrase]


def reveal(play: Play, lot: Lot, bidder: Organisation) -> list[str]:
    """Return the command that reveals a bidder's factor."""
    phrase = str(play.stage.home(bidder) / "package-passphrase")
    return [*with_token(play, lot, bidder, "reveal"), "--package-passphrase-file", phrase]


def with_token(play: Play, lot: Lot, bidder: Organisation, act: str) -> list[str]:
    """Return a command of the bidder's client that shows its token."""
    token = str(play.stage.home(bidder) / "token")
    return ["bid", act, "--dir", _directory(play, lot, bidder), "--token-file", token]


def _directory(play: Play, lot: Lot, bidder: Organisation) -> str:
    return str(play.stage.home(bidder) / f"bid-{lot.number}")
