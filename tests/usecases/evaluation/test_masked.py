"""Masked bidders: members see letters until the last sheet is signed, and nothing on their pages tells more (暗标)."""

from __future__ import annotations

import json
import re
from html import unescape
from http import HTTPStatus
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select

from tests.support.market import LOT
from tests.support.sitting import PRICES, SEATS, Sitting
from tests.usecases.evaluation.test_pages import CODE, Room, fill, qualify, room, sign  # noqa: F401 - a fixture
from trading.audit.tables import audit_entry
from trading.demo import cast
from trading.documents import queries as documents
from trading.evaluation import queries, service, store
from trading.evaluation.queries import OpenedFile
from trading.evaluation.rules.commitment import Heading, require_lawful
from trading.evaluation.rules.documents import SHEET
from trading.evaluation.rules.examination import Step
from trading.evaluation.rules.masks import commitment, draw
from trading.evaluation.service import state as lot_state
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor

FILES = [sha256_hex(key.encode()) for key in PRICES]
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
    paths = ["", f"/lots/{LOT}/sign", f"/lots/{LOT}/handing", "/report"]
    for key, letter in known.items():
        paths += addresses(key, letter, known["bolin" if key != "bolin" else "mingde"])
    answers = {path: room.get(who, path) for path in paths}
    known_as = {path: f"{answer.text}\n{answer.headers}" for path, answer in answers.items()}
    missing = {path for path, answer in answers.items() if answer.status_code != HTTPStatus.OK}
    assert missing <= {"/report", *(path for path in known_as if path.endswith(tuple(FILES)))}, missing
    return {**known_as, **refused(room, who, known["bolin"])}


def refused(room: Room, who: str, letter: str) -> dict[str, str]:  # noqa: F811
    """Return what is said to a member about what is wrong: an empty reason, another letter, another sheet."""
    wrong = {
        "vote": room.post(who, f"/lots/{LOT}/bids/{letter}", outcome="invalid"),
        "letter": room.post(who, f"/lots/{LOT}/bids/Z", outcome="conforming"),
        "sign": room.post(who, f"/lots/{LOT}/sign", code=CODE, commit="none", version="1"),
        "hand-in": room.clients[who].post(
            f"/evaluation/{room.sitting.reference}/lots/{LOT}/hand-in", data={"sheet": (BytesIO(b"{}"), "sheet.json")}
        ),
    }
    refusals = [answer.status_code for name, answer in wrong.items() if name != "vote"]
    assert all(status >= HTTPStatus.BAD_REQUEST for status in refusals)
    return {name: f"{answer.text}\n{answer.headers}" for name, answer in wrong.items()}


def vote_all(room: Room) -> None:  # noqa: F811
    for letter in LETTERS:
        for seat in SEATS:
            room.do(seat, f"/lots/{LOT}/bids/{letter}", outcome="conforming", grants="y")


def sign_all(room: Room, seats: tuple[str, ...] = SEATS) -> None:  # noqa: F811
    for seat in seats:
        fill(room, seat)
        sign(room, seat)


def score_all(room: Room) -> None:  # noqa: F811
    sign_all(room)
    room.sitting.hand_in()


def test_members_see_letters_until_the_last_has_signed(masked: Room) -> None:
    sitting, everything = masked.sitting, [word for key in PRICES for word in told_of(masked.sitting, key)]
    assert sorted(letters(sitting).values()) == list(LETTERS)
    vote_all(masked)
    masked.do("drafter", masked.of("songtao", "explanation"), words="Own forest, own saw mill.")
    for seat in SEATS[:4]:
        fill(masked, seat)
        sign(masked, seat)
    told = seen(masked, "m-a1")
    assert len(told) > 4 * len(LETTERS)
    own = letters(sitting)["songtao"]
    naming = f"/lots/{LOT}/bids/{own}"
    for path, page in told.items():
        found = {word for word in everything if word in page}
        task = re.search(r'data-task="([^"]+)"', page)
        if path.endswith("/sign"):
            assert task is not None
            assert json.loads(unescape(task[1]))["bids"] == list(LETTERS)
        # Only what the bidder wrote into its own masked part is there, and the committee is told of it.
        shows = path != naming and own in path.partition("?")[0].split("/")
        assert found <= ({NAMES["songtao"].name_zh} if shows else set()), path
    assert "This masked part names its bidder" in told[naming]
    assert "File 1.txt" in told[naming]
    assert sum("This masked part names its bidder" in page for path, page in told.items() if "/sheet/" not in path) == 1
    # Control: the agency, who qualified the bidders, sees their names, and no letter.
    agency = masked.get("drafter", f"/lots/{LOT}/qualification").text
    assert NAMES["bolin"].name_en in agency
    sign_all(masked, SEATS[4:])
    hidden = seen(masked, "m-a1")  # all have signed, and nothing is handed in yet
    assert not {word for path in ("", f"/lots/{LOT}/sign") for word in everything if word in hidden[path]}
    sitting.hand_in()
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


def sheets_of(sitting: Sitting) -> list[dict[str, Any]]:
    with sitting.ledger.read() as conn:
        found = queries.scoring_of(conn, sitting.state().place)
        stored = [documents.get(conn, bytes.fromhex(digest)) for digest in found or ()]
    return [loads_object(each.doc) for each in stored if each is not None]


def test_sheets_name_letters_and_the_ranking_names_bids(masked: Room) -> None:
    """The highest plan goes to one bidder, and nobody told the members which."""
    sitting, known = masked.sitting, letters(masked.sitting)
    vote_all(masked)
    masked.do("drafter", masked.of("songtao", "explanation"), words="Own forest, own saw mill.")
    sitting.score({"qinghe": "49", "bolin": "20"})
    sheets = sheets_of(sitting)
    assert len(sheets) == len(SEATS)
    for sheet in sheets:
        plans = {item["bid"]: item["scores"][1]["points"] for item in sheet["items"]}
        assert plans == {known[key]: {"qinghe": "49", "bolin": "20"}.get(key, "30") for key in PRICES}
    sitting.vote_all(Step.PRICE, ("songtao",))
    sitting.sign_report()
    ranking, _ = service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    sums = {item.bid: dict(item.scores or ())["plan"] for item in ranking.items}
    assert (sums[sitting.bids["qinghe"]], sums[sitting.bids["bolin"]]) == ("245", "100")


def test_a_sheet_that_names_bids_or_a_letter_of_nobody_is_refused(masked: Room) -> None:
    sitting, known = masked.sitting, letters(masked.sitting)
    vote_all(masked)
    for seat in SEATS:
        sitting.type(seat)
        sitting.sign(seat)
    made = loads_object(sitting.machines["m-a1"].sheet.raw)  # type: ignore[union-attr]  # it was just made
    heading = Heading(**{name: made[name] for name in Heading.__slots__})
    criteria = sitting.state().rules.criteria
    require_lawful(made, heading, criteria, list(LETTERS))  # control: as it is, it is lawful
    for names in ({known[key]: bid for key, bid in sitting.bids.items()}, {"E": "F"}):
        items = [{**item, "bid": names.get(item["bid"], item["bid"])} for item in made["items"]]
        with pytest.raises(RuleBroken) as refusal:
            require_lawful({**made, "items": items}, heading, criteria, list(LETTERS))
        assert refusal.value.code == "sheet.invalid"
    with pytest.raises(ValueError, match="ascending order"):
        SHEET.write({**{k: v for k, v in made.items() if k not in {"typ", "v"}}, "items": [made["items"][0]] * 2})


def test_without_masking_nothing_is_drawn_and_names_are_shown(room: Room) -> None:  # noqa: F811
    """The control: the same pages of the same member tell whose each bid is."""
    sitting = room.sitting
    qualify(room)
    room.do("drafter", "/start")
    page = room.get("m-a1", room.of("bolin", "bids")).text
    assert all(word in page for word in (NAMES["bolin"].name_en, NAMES["bolin"].code, sitting.bids["bolin"]))
    sitting.vote_all()
    sitting.explain_price("songtao")
    sitting.vote_all(Step.PRICE, ("songtao",))
    page = room.get("m-a1", f"/lots/{LOT}/sign").text
    assert all(bid in page for bid in sitting.bids.values())
    sitting.score()
    assert {item["bid"] for item in sheets_of(sitting)[0]["items"]} == set(sitting.bids.values())
    assert bodies(sitting, "masks.committed") == bodies(sitting, "masks.revealed") == []
