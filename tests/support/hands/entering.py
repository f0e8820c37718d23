"""Signing in with password and authenticator; device keys made in the browser, let in by two people of the desk."""

from __future__ import annotations

from typing import Final

from tests.support.hands.person import CODE, Person
from tests.support.hands.world import World
from trading.accounts.service import requests
from trading.accounts.service.demonstration import WayIn
from trading.crypto.signatures import sign_document
from trading.demo import cast
from trading.demo.stage import trust_document
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.parties.queries import all_keys_of
from verifier.build import single_file_source

#: Who makes a key in the browser, and the label of the role in which it signs.
SIGNERS: Final = (
    ("drafter", "Agency or buyer"),
    ("reviewer", "Agency or buyer"),
    ("supervisor", "Supervising authority"),
    ("centre", "Trading centre"),
    ("qinghe", "Bidder"),
)
DESK: Final = ("desk1", "desk2")
AT_THE_START: Final = (*(login for login, _label in SIGNERS), *DESK, "auditor", "notary-custodian")


def sign_in(world: World, way: WayIn) -> None:
    """Sign somebody in with a mouse; once more if the code ran out under the hands."""
    person = world.person(way.login).open("/signin")
    for _ in range(2):
        person.fill(login=way.login, password=way.password, code=world.digits(way)).push("Sign in")
        if is_in(person):
            break
    person.arrived()
    assert is_in(person)


def sign_in_by_keyboard(world: World, way: WayIn) -> None:
    """Sign somebody in by keyboard alone, from the first page of the site."""
    person = world.person(way.login).open("/")
    keyboard = person.keyboard
    keyboard.press("link", "Workspace", within="nav")
    person.arrived()
    for _ in range(2):
        keyboard.write("User name", way.login)
        keyboard.write("Password", way.password)
        keyboard.write(CODE, world.digits(way))
        keyboard.press("button", "Sign in")
        if is_in(person):
            break
    person.arrived()
    assert is_in(person)


def is_in(person: Person) -> bool:
    """Whether the workspace is open, where a person comes to by signing in."""
    return person.page.url.endswith("/workspace")


def enrol(world: World, login: str, label: str) -> None:
    """Make a key in the browser of a person; two people of the desk let it in."""
    owner = world.person(login).open("/account/keys/new")
    owner.page.get_by_label(label, exact=True).check()
    owner.confirm().press("Continue")
    owner.press("Make the key in this browser", says="The key has proved itself.")
    (waiting,) = requests.waiting(world.play.stage.runtime.ledger)
    for name in DESK:
        world.person(name).open(f"/desk/requests/{waiting.id}").confirm().press("Approve")
    owner.open("/account")
    owner.page.locator("[data-here]:visible").wait_for()


def hand_out_trust(world: World) -> None:
    """Write the supervisor's trust file, which names the keys of the browsers beside those kept in files (P8)."""
    stage = world.play.stage
    content = loads_object(trust_document(stage, sha256_hex(single_file_source())).doc)
    known = {row["kid"]: row for row in content["institutions"]}
    for organisation in (cast.AGENCY, cast.SUPERVISOR, cast.CENTRE):
        with stage.runtime.ledger.read() as conn:
            keys = all_keys_of(conn, organisation.code)
        for key in keys:
            row = {"alg": key.alg, "key": b64u(key.spki), "kid": key.kid, "name": organisation.name_zh}
            known.setdefault(key.kid, {**row, "role": key.role})
    content["institutions"] = sorted(known.values(), key=lambda row: row["kid"])
    signed = sign_document(dumps(content), stage.signers[("supervisor", "supervisor")])
    (stage.folder / "trust.json").write_bytes(signed.doc)
    stage.trust_file.write_bytes(signed.wire_bytes())
