"""Whose approval a release needs: people of the institution with keys of their own, and how many of them (SB1 S13.1).

The setting is the institution's and stays in its agent. A person is a name: two keys of one name count once, and nobody
can stand under two names with one key. What the platform says of people is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agents.custodian.agent import Agent
from agents.enrolments import read_enrolment
from trading.crypto.files import write_secret
from trading.crypto.signatures import verify_signature
from trading.kernel import fields
from trading.kernel.encoding import b64u
from trading.kernel.errors import Conflict, InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.approvals import Approval, parse_approval

FILE: Final = "people.json"
MISSING: Final = "release.approvals"  # the code of a release that too few people have approved
MOST: Final = 8
_MAX_KEY: Final = 16_384
_PERSON: Final = fields.record(
    {
        "alg": fields.one_of("ES256", "CMS", "SM2SM3"),
        "key": fields.b64u_of(1, _MAX_KEY),
        "kid": fields.digest,
        "name": fields.text,
    }
)
_PEOPLE: Final = fields.Table(
    "mb.custodian-people",
    {"people": fields.sorted_by(lambda each: each["kid"], _PERSON), "release": fields.integer(0, MOST)},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A key and the name of the person who holds it."""

    alg: str
    key: bytes
    kid: str
    name: str

    @property
    def who(self) -> str:
        """Return the name as it is compared: blanks and case make nobody another person."""
        return "".join(self.name.split()).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The setting: who may approve, and how many different people a release needs; 0 asks nobody."""

    people: tuple[Person, ...] = ()
    release: int = 0

    def person(self, kid: str) -> Person | None:
        """Return the holder of a key."""
        return next((each for each in self.people if each.kid == kid), None)


def people_of(directory: Path) -> People:
    """Return the setting of the agent in a directory; without a file nobody is asked.

    Raises:
        InvalidInput: ``doc.…``: the file is damaged; then nothing is released.
    """
    path = directory / FILE
    if not path.exists():
        return People()
    content = _PEOPLE.read(path.read_bytes())
    return People(people=tuple(Person(**each) for each in content["people"]), release=content["release"])


def add_person(agent: Agent, name: str, enrolment: SignedDocument) -> Person:
    """Let the holder of a key approve releases under a name.

    Args:
        agent: The institution's agent.
        name: As the institution calls the person.
        enrolment: The ``mb.key-enrol`` of the key, signed by the key itself: it shows possession.

    Raises:
        InvalidInput: ``doc.…``, ``sig.missing``, ``sig.invalid``; ``people.no_name``.
        Conflict: The key stands there already, or is the institution's own.
    """
    if not name.strip():
        raise InvalidInput("people.no_name", "a person has a name")
    key = read_enrolment(enrolment.doc)
    signature = next((each for each in enrolment.sigs if each["kid"] == key.kid), None)
    if signature is None:
        raise InvalidInput("sig.missing", "the enrolment is not signed by its own key")
    verify_signature(key.alg, key.key, enrolment.doc, signature)
    before = people_of(agent.directory)
    if before.person(key.kid) is not None or key.kid == agent.signer.kid:
        raise Conflict(f"the key {key.kid} is in use already")
    person = Person(alg=key.alg, key=key.key, kid=key.kid, name=name.strip())
    _save(agent, People(people=(*before.people, person), release=before.release))
    agent.journal.write(agent.clock.now_ms(), "people.added", kid=person.kid, name=person.name)
    return person


def remove_person(agent: Agent, kid: str) -> None:
    """Let the holder of a key approve nothing any more; what he approved does not count from now on.

    Raises:
        InvalidInput: ``people.unknown``: no such key.
        RuleBroken: ``people.too_few``: those who are left could approve nothing.
    """
    before = people_of(agent.directory)
    left = tuple(each for each in before.people if each.kid != kid)
    if len(left) == len(before.people):
        raise InvalidInput("people.unknown", f"no person has the key {kid}")
    _require_enough(left, before.release)
    _save(agent, People(people=left, release=before.release))
    agent.journal.write(agent.clock.now_ms(), "people.removed", kid=kid)


def require_people(agent: Agent, number: int) -> None:
    """Set how many different people must approve a release.

    Raises:
        RuleBroken: ``people.too_few``: fewer are known to the agent.
    """
    before = people_of(agent.directory)
    _require_enough(before.people, number)
    _save(agent, People(people=before.people, release=number))
    agent.journal.write(agent.clock.now_ms(), "people.required", release=number)


def _require_enough(people: tuple[Person, ...], number: int) -> None:
    known = len({each.who for each in people})
    if number > known:
        raise RuleBroken("people.too_few", "SB1 S13.1", need=number, have=known)


def _save(agent: Agent, people: People) -> None:
    rows = [
        {"alg": each.alg, "key": b64u(each.key), "kid": each.kid, "name": each.name}
        for each in sorted(people.people, key=lambda each: each.kid)
    ]
    write_secret(agent.directory / FILE, _PEOPLE.write({"people": rows, "release": people.release}), replace=True)


def approve(agent: Agent, signed: SignedDocument) -> list[Person]:
    """Keep an approval and return the people who signed it; the same one again changes nothing.

    Raises:
        InvalidInput: ``doc.…``, ``sig.missing``: signed by nobody whom the agent knows, ``sig.invalid``.
    """
    approval, people = parse_approval(signed.doc), people_of(agent.directory)
    signers = list(_signers(people, signed))
    if not signers:
        raise InvalidInput("sig.missing", "no person of this institution signed the approval")
    now = agent.clock.now_ms()
    with agent.state.transaction():
        for person in signers:
            if agent.state.add_approval(approval.question, person.kid, signed.wire_bytes()):
                facts = {"kid": person.kid, "name": person.name, "order_sha256": approval.order_sha256}
                agent.journal.write(now, "release.approved", **facts)
    return signers


def _signers(people: People, signed: SignedDocument) -> Iterator[Person]:
    """Yield the known people who signed; a signature of theirs that does not verify is an error."""
    for signature in signed.sigs:
        person = people.person(signature["kid"])
        if person is not None:
            verify_signature(person.alg, person.key, signed.doc, signature)
            yield person


def require_approved(agent: Agent, release: Approval) -> tuple[str, ...]:
    """Return the names of those who approved a release, once enough different people have.

    Every approval is verified again: one of a person who is no longer known does not count.

    Raises:
        RuleBroken: ``release.approvals``.
    """
    people = people_of(agent.directory)
    approved: dict[str, str] = {}
    for wire in agent.state.approvals(release.question):
        for person in _signers(people, SignedDocument.from_wire(wire)):
            approved.setdefault(person.who, person.name)
    if len(approved) < people.release:
        detail = f"{len(approved)} of {people.release} people have approved"
        raise RuleBroken(MISSING, "SB1 S13.1", have=len(approved), need=people.release, detail=detail)
    return tuple(sorted(approved.values()))
