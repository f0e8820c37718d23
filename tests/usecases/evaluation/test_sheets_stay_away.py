"""While a member has not signed, no table of the database holds a score of those who have (EXP-22, ADR 0070).

The question is asked as superuser, over every row of every table. What is looked for is what a sheet says: a marker in
a comment, a score that stands nowhere else, the salt, and the document itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from unittest.mock import patch

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError

from tests.support.databases import Database
from tests.support.sitting import SEATS, Sitting, renew, supervisor_of
from tests.usecases.evaluation.test_sitting import refusal
from trading.evaluation import service
from trading.evaluation.queries import signatures_of
from trading.evaluation.rules.commitment import Heading, MadeSheet, make_sheet
from trading.evaluation.rules.holding import echo_of
from trading.evaluation.service import holding, sheets
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import RuleBroken

MARKER = "\u6807\u8bb0-kite-7f3a\u6807\u8bb0"  # in the comment of every score
SCORE = "43.5"  # of a plan; no price, count or instant of the tender has it as a number of its own


def rows_of(conn: Connection) -> Iterator[tuple[str, str]]:
    """Yield every row of every table as text, byte strings both in hex and as the text they may be."""
    names = conn.exec_driver_sql(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
        "AND table_schema NOT IN ('pg_catalog', 'information_schema')"
    ).all()
    for schema, name in names:
        for row in conn.exec_driver_sql(f'SELECT * FROM "{schema}"."{name}"'):  # noqa: S608 - names of the catalogue
            yield f"{schema}.{name}", " ".join(written(value) for value in row)


def written(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        data = bytes(value)
        return data.hex() + " " + data.decode(errors="replace")
    return json.dumps(value, ensure_ascii=False, default=str)


def leaks(database: Database, sitting: Sitting, *seats: str) -> set[str]:
    """Return the tables in which something of the sheets of these seats stands."""
    wanted = {MARKER, f'"{SCORE}"'}
    for seat in seats:
        sheet = sitting.machines[seat].sheet
        assert sheet is not None
        wanted |= {sheet.raw.decode(), sheet.raw.hex(), json.loads(sheet.raw)["salt"]}
    with database.connect() as superuser:
        return {table for table, text in rows_of(superuser) if any(each in text for each in wanted)}


@pytest.fixture
def four(sitting: Sitting) -> Sitting:
    """Four of five have signed, one of them twice; the last has typed and not signed."""
    sitting.examine()
    for seat in SEATS:
        sitting.type(seat, {"bolin": SCORE}, comment=MARKER)
    for seat in SEATS[:4]:
        sitting.sign(seat)
    sitting.sign("m-a1", reason=MARKER)
    return sitting


def test_nothing_of_a_signed_sheet_is_in_the_database(four: Sitting) -> None:
    database = four.database
    assert database is not None
    with pytest.raises(RuleBroken, match=r"sheet\.too_early"):
        four.hand_in("m-b2")  # what is refused leaves nothing either
    assert leaks(database, four, *SEATS[:4]) == set()
    with database.connect() as superuser:
        signed = superuser.exec_driver_sql("SELECT count(*) FROM record.sheet_signature").scalar_one()
        digests = superuser.exec_driver_sql("SELECT count(*) FROM record.score_sheet").scalar_one()
    assert (signed, digests) == (5, 0)


def test_control_the_same_question_finds_sheets_once_all_have_signed(four: Sitting) -> None:
    database = four.database
    assert database is not None
    four.sign("m-e5")
    assert leaks(database, four, *SEATS) == set()
    four.hand_in("m-b2")
    assert leaks(database, four, "m-b2") == {"record.score_sheet"}
    four.hand_in()
    assert "record.score_sheet" in leaks(database, four, *SEATS)


def test_negative_control_a_sheet_that_is_sent_early_is_found(four: Sitting) -> None:
    """A program that forgets to wait is stopped by PostgreSQL; without its policies the question finds the sheet."""
    database = four.database
    assert database is not None
    unsigned = patch.object(holding, "require_all_signed", lambda *_: None)
    with unsigned, patch.object(sheets, "require_all_there", lambda *_: None):
        with pytest.raises(ProgrammingError, match="row-level security"):
            four.hand_in("m-b2")
        assert leaks(database, four, "m-b2") == set()
        with database.connect() as superuser:
            superuser.exec_driver_sql("DROP POLICY all_signed ON record.score_sheet")
            superuser.exec_driver_sql("DROP POLICY all_held ON record.score_sheet")
        four.hand_in("m-b2")
    assert leaks(database, four, "m-b2") == {"record.score_sheet"}


def sent(sitting: Sitting, seat: str) -> None:
    """Hand in what lies on a machine, whatever the others have shown."""
    sheet = sitting.machines[seat].sheet
    assert sheet is not None
    service.hand_in(sitting.ledger, service.member_actor(seat), *sitting.place, sheet.raw)


def test_no_sheet_is_taken_before_all_have_shown_that_theirs_is_there(four: Sitting) -> None:  # ADR 0078
    """The machine of one member is lost after all have signed: nothing of the others is in the database then."""
    database = four.database
    assert database is not None
    four.sign("m-e5")
    four.hold(*SEATS[:4])
    assert refusal(lambda: sent(four, "m-b2")) == ("sheet.not_held", "EXP-22")
    assert leaks(database, four, *SEATS) == set()
    renew(four, "m-e5", "The disk of my machine is broken.")
    assert refusal(lambda: sent(four, "m-b2")) == ("sheet.too_early", "EXP-22")
    four.sign("m-e5")
    assert refusal(lambda: sent(four, "m-b2")) == ("sheet.not_held", "EXP-22")  # all show theirs again
    four.hold("m-e5")
    assert refusal(lambda: sent(four, "m-e5")) == ("sheet.not_held", "EXP-22")
    assert leaks(database, four, *SEATS) == set()
    four.hand_in()
    with database.connect() as superuser:  # control: now they are all there
        assert superuser.exec_driver_sql("SELECT count(*) FROM record.score_sheet").scalar_one() == 5


def test_nobody_scores_again_once_a_sheet_of_another_member_was_taken(four: Sitting) -> None:  # ADR 0078
    four.sign("m-e5")
    four.hand_in("m-b2")
    late = ("renewal.too_late", "EXP-22")
    assert refusal(lambda: renew(four, "m-e5", "The disk of my machine is broken.")) == late
    four.hand_in()


def test_a_request_is_not_granted_any_more_once_a_sheet_of_another_member_was_taken(four: Sitting) -> None:
    four.sign("m-e5")
    service.ask_renewal(four.ledger, service.member_actor("m-e5"), *four.place, "Perhaps lost.")
    four.hand_in("m-b2")
    refused = refusal(
        lambda: service.void_sheet(four.ledger, supervisor_of(four), *four.place, seat="m-e5", reason="Seen.")
    )
    assert refused == ("renewal.too_late", "EXP-22")


def test_negative_control_a_program_that_forgets_to_ask_is_stopped_by_postgresql(four: Sitting) -> None:
    database = four.database
    assert database is not None
    four.sign("m-e5")
    four.hold(*SEATS[:4])
    with patch.object(sheets, "require_all_there", lambda *_: None):
        with pytest.raises(ProgrammingError, match="row-level security"):
            sent(four, "m-b2")
        assert leaks(database, four, "m-b2") == set()
        with database.connect() as superuser:
            superuser.exec_driver_sql("DROP POLICY all_held ON record.score_sheet")
        sent(four, "m-b2")
    assert leaks(database, four, "m-b2") == {"record.score_sheet"}


def test_an_echo_is_of_this_sheet_and_of_these_signatures(four: Sitting) -> None:
    four.sign("m-e5")
    actor, sheet = service.member_actor("m-b2"), four.machines["m-b2"].sheet
    assert sheet is not None

    def hold(echo: str, version: int = 1) -> None:
        service.hold_sheet(four.ledger, actor, *four.place, version=version, echo=echo)

    assert refusal(lambda: hold(SCORE)) == ("sheet.digest_wrong", "EXP-22")
    assert refusal(lambda: hold("7" * 64, 2)) == ("sheet.version", "EXP-22")
    hold(echo_of(bytes(32), sheet.raw))
    four.hold(*(seat for seat in SEATS if seat != "m-b2"))
    assert refusal(lambda: sent(four, "m-b2")) == ("sheet.echo_wrong", "EXP-22")
    four.hold("m-b2")
    assert refusal(lambda: hold(echoed(four, "m-b2"))) == ("sheet.held", "EXP-22")
    sent(four, "m-b2")
    assert refusal(lambda: hold("7" * 64)) == ("sheet.handed_in", "EXP-22")


def echoed(sitting: Sitting, seat: str) -> str:
    with sitting.ledger.read() as conn:
        return signatures_of(conn, sitting.state().place)[seat].echo or ""


def test_postgresql_takes_no_other_bytes_than_those_that_were_signed(four: Sitting) -> None:
    four.sign("m-e5")
    machine = four.machines["m-b2"]
    assert machine.sheet is not None
    salt = json.loads(machine.sheet.raw)["salt"]
    other = machine.sheet.raw.replace(salt.encode(), b"0" * len(salt))
    machine.sheet = MadeSheet(raw=other, commit=machine.sheet.commit)
    blind = patch.object(sheets, "require_committed", lambda *_: None)
    with blind, pytest.raises(ProgrammingError, match="row-level security"):
        four.hand_in("m-b2")


def test_scores_are_not_guessed_from_a_digest_that_is_salted(four: Sitting) -> None:
    """Whoever has the database tries out a small sheet: 21 values of one criterion, all else known to him."""
    raw = four.machines["m-c3"].sheet
    assert raw is not None
    document = json.loads(raw.raw)
    heading = Heading(**{name: document[name] for name in Heading.__slots__})
    plans = [row for item in document["items"] for row in item["scores"] if row["criterion"] == "plan"]

    def guesses(salt: bytes) -> dict[str, str]:
        found = {}
        for whole, half in product(range(50), ("", ".5")):
            plans[0]["points"] = f"{whole}{half}"
            found[make_sheet(heading, document["items"], salt).commit] = plans[0]["points"]
        return found

    right = plans[0]["points"]
    known = sha256_hex(raw.raw)
    assert guesses(bytes.fromhex(document["salt"]))[known] == right  # control: with the salt the guess is at once right
    assert known not in guesses(bytes(32))
    unsalted = make_sheet(heading, json.loads(raw.raw)["items"], bytes(32)).commit
    assert guesses(bytes(32))[unsalted] == right  # negative control: a salt that is known protects nothing
