"""Masked bidders: members see letters until the last sheet is signed, and nothing on their pages tells more (暗标)."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from sqlalchemy import select

from tests.support.market import LOT
from tests.support.sitting import PRICES, SEATS, Sitting
from tests.usecases.evaluation.test_pages import CODE, Room, qualify, room  # noqa: F401 - a fixture
from trading.audit.tables import audit_entry
from trading.demo import cast
from trading.evaluation import service, store
from trading.evaluation.queries import OpenedFile
from trading.evaluation.rules.examination import Step
from trading.evaluation.rules.masks import commitment, draw
from trading.evaluation.service import state as lot_state
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import NotFound
from trading.kernel.roles import Actor

NAMES = {each.key: each for each in cast.BIDDERS if each.key in PRICES}
LETTERS = "ABCDE"


@pytest.fixture
def masked(room: Room, monkeypatch: pytest.MonkeyPatch) -> Room:  # noqa: F811 - the one of the fixture
    """A room before a lot whose documents mask the bidders; file names tell them, and one file does inside."""
    monkeypatch.setattr(lot_state, "is_masked", lambda _row, _lot: True)
    with room.sitting.ledger.begin(Actor.system("worker")) as uow:
        for key, bid in room.sitting.bids.items():
            text = f"编制单位：{NAMES[key].name_zh}" if key == "songtao" else "本方案符合要求。"
            path, digest = f"{NAMES[key].name_en}/技术方案.TXT", sha256_hex(key.encode())
            found = OpenedFile(path=path, sha256=digest, size=9, kind="text", findings=(), preview=text)
            store.add_files(uow, bid, [found])
    qualify(room)
    room.do("drafter", "/start")
    return room


def bodies(sitting: Sitting, kind: str) -> list[dict[str, object]]:
    with sitting.ledger.read() as conn:
        query = select(audit_entry.c.record).where(audit_entry.c.kind == kind).order_by(audit_entry.c.id)
        return [loads_object(bytes(raw))["body"] for raw in conn.execute(query).scalars()]


def letters(sitting: Sitting) -> dict[str, str]:
    """Return the letter of each bidder, as only the platform knows it before the scores are in."""
    with sitting.ledger.read() as conn:
        kept = store.masking_of(conn, sitting.state().place)
    assert kept is not None
    drawn = draw(kept.seed, sitting.state().place, kept.bids)
    return {key: drawn[bid] for key, bid in sitting.bids.items()}


def told_of(sitting: Sitting, key: str) -> tuple[str, ...]:
    """Return what tells whose bid it is: names, code, reference, price, the name of its file."""
    price = f"{PRICES[key] // 100:,}"
    return (NAMES[key].name_zh, NAMES[key].name_en, NAMES[key].code, sitting.bids[key], price, "技术方案")


def addresses(key: str, letter: str, other: str) -> tuple[str, ...]:
    file = f"/lots/{LOT}/bids/{letter}/files/{sha256_hex(key.encode())}"
    return (
        *(f"/lots/{LOT}/bids/{letter}{more}" for more in ("", "/pages", "/pages?q=方案")),
        *(f"{file}{more}" for more in ("", "/text")),
        *(f"/lots/{LOT}/sheet/{letter}{more}" for more in ("", f"/beside/{other}")),
    )


def seen(room: Room, who: str) -> dict[str, str]:  # noqa: F811
    """Return every page of the evaluation that a member can open, with its headers."""
    known = letters(room.sitting)
    paths = ["", f"/lots/{LOT}/sign", "/report"]
    for key, letter in known.items():
        paths += addresses(key, letter, known["bolin" if key != "bolin" else "mingde"])
    answers = {path: room.get(who, path) for path in paths}
    return {
        path: answer.text + str(answer.headers)
        for path, answer in answers.items()
        if answer.status_code == HTTPStatus.OK
    }


def vote_all(room: Room) -> None:  # noqa: F811
    for letter in LETTERS:
        for seat in SEATS:
            room.do(seat, f"/lots/{LOT}/bids/{letter}", outcome="conforming", grants="y")


def score_all(room: Room, seats: tuple[str, ...] = SEATS) -> None:  # noqa: F811
    for seat in seats:
        for letter in LETTERS:
            points = {"points_warranty": "5", "points_plan": "30", "comment_plan": "as described"}
            room.do(seat, f"/lots/{LOT}/sheet/{letter}", **points)
        room.do(seat, f"/lots/{LOT}/sign", code=CODE)


def test_members_see_letters_until_the_last_has_signed(masked: Room) -> None:
    sitting, everything = masked.sitting, [word for key in PRICES for word in told_of(masked.sitting, key)]
    assert sorted(letters(sitting).values()) == list(LETTERS)
    vote_all(masked)
    masked.do("drafter", masked.of("songtao", "explanation"), words="Own forest, own saw mill.")
    score_all(masked, SEATS[:4])
    told = seen(masked, "m-a1")
    assert len(told) > 4 * len(LETTERS)
    own = letters(sitting)["songtao"]
    naming = f"/lots/{LOT}/bids/{own}"
    for path, page in told.items():
        found = {word for word in everything if word in page}
        # Only what the bidder wrote into its own masked part is there, and the committee is told of it.
        shows = path != naming and own in path.partition("?")[0].split("/")
        assert found <= ({NAMES["songtao"].name_zh} if shows else set()), path
    assert "This masked part names its bidder" in told[naming]
    assert "File 1.txt" in told[naming]
    assert sum("This masked part names its bidder" in page for path, page in told.items() if "/sheet/" not in path) == 1
    # Control: the agency, who qualified the bidders, sees their names, and no letter.
    agency = masked.get("drafter", f"/lots/{LOT}/qualification").text
    assert NAMES["bolin"].name_en in agency
    score_all(masked, SEATS[4:])
    assert NAMES["bolin"].name_en in masked.get("m-a1", f"/lots/{LOT}/bids/{sitting.bids['bolin']}").text
    (revealed,) = bodies(sitting, "masks.revealed")
    (committed,) = bodies(sitting, "masks.committed")
    seed = bytes.fromhex(str(revealed["seed"]))
    assert committed["commit"] == commitment(seed, sitting.state().place)
    drawn = draw(seed, sitting.state().place, sitting.bids.values())
    assert revealed["masks"] == [{"bid": bid, "mask": drawn[bid]} for bid in sorted(drawn)]
    assert revealed["named"] == [sitting.bids["songtao"]]


def test_neither_side_asks_by_the_name_of_the_other(masked: Room) -> None:
    sitting = masked.sitting
    file = sha256_hex(b"bolin")
    for path in (f"/lots/{LOT}/bids/{sitting.bids['bolin']}", f"/lots/{LOT}/bids/{sitting.bids['bolin']}/pages"):
        assert masked.get("m-a1", path).status_code == HTTPStatus.NOT_FOUND
    letter = letters(sitting)["bolin"]
    for who, path in (
        ("drafter", f"/lots/{LOT}/bids/{letter}/pages"),
        ("drafter", f"/lots/{LOT}/qualification/{letter}"),
        ("m-a1", f"/lots/{LOT}/bids/{letter}/files/{file}"),  # a saved file tells who made it
        ("m-a1", f"/lots/{LOT}/bids/F"),
        ("idle", f"/lots/{LOT}/bids/{letter}"),
    ):
        assert masked.get(who, path).status_code == HTTPStatus.NOT_FOUND, path
    masked.do("m-a1", f"/lots/{LOT}/bids/{letter}", outcome="invalid", reason="No timetable.")
    (vote,) = bodies(sitting, "bid.voted")
    assert (vote["bid"], vote["outcome"]) == (sitting.bids["bolin"], "invalid")


def test_a_doubted_price_waits_for_the_scores(masked: Room) -> None:
    """Prices were read out with names: whoever votes on one knows whose it is."""
    sitting = masked.sitting
    vote_all(masked)
    masked.do("drafter", masked.of("songtao", "explanation"), words="Own forest, own saw mill.")
    with pytest.raises(NotFound):
        sitting.vote("m-a1", "songtao", Step.PRICE)
    score_all(masked)
    for seat in SEATS:
        sitting.vote(seat, "songtao", Step.PRICE)
    sitting.sign_report()
    ranking, _ = service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    assert {item.bid for item in ranking.items if item.rank is not None} == set(sitting.bids.values())


def test_without_masking_nothing_is_drawn(sitting: Sitting) -> None:
    sitting.examine()
    sitting.score()
    assert bodies(sitting, "masks.committed") == bodies(sitting, "masks.revealed") == []
