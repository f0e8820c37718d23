"""Questions and answers as events. Who asks is in no record: a salted commitment stands for him (NOT-36, DOC-18).

``question.asked`` is recorded under the actor ``asker:<question>``, on behalf of nobody. Who it is stands in one table
that the database shows to the asker's own organisation alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trading.clarifications.rules.answering import Content
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256_hex
from trading.kernel.events import Event, EventKind
from trading.kernel.roles import Actor

_TEXTS = {"answer_en", "answer_zh", "effect", "notice", "question_en", "question_zh"}

EVENTS = (
    EventKind(
        name="question.asked",
        fields=frozenset({"asker_sha256", "lot", "question", "text_sha256"}),
        title_zh="收到提问",
        title_en="Question asked",
    ),
    EventKind(
        name="answer.drafted",
        fields=frozenset({"content_sha256", "question", "version"}),
        title_zh="起草答复",
        title_en="Answer drafted",
    ),
    EventKind(
        name="answer.published",
        fields=frozenset({"lot", "number", "question", "version", *_TEXTS}),
        public=True,
        title_zh="发布答疑",
        title_en="Answer published",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: the only place where a person, an organisation and a question meet. ``salt`` is 32 random bytes."""

    question: str
    account: str
    organisation: str
    salt: bytes

    @property
    def sha256(self) -> str:
        """Return the commitment in the record: the asker can open it, nobody can guess it."""
        members = {
            "account": self.account,
            "organisation": self.organisation,
            "question": self.question,
            "salt": self.salt.hex(),
        }
        return sha256_hex(dumps(members))

    @property
    def actor(self) -> Actor:
        """Return the name under which the act is recorded."""
        return Actor(account=f"asker:{self.question}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The procedure of a question."""

    procedure: str
    procedure_id: int


def ask(place: Place, asker: Asker, *, lot: str | None, text: str) -> Event:
    """Return ``question.asked``; ``lot`` is None for a question about all of them."""
    body = {
        "asker_sha256": asker.sha256,
        "lot": lot,
        "question": asker.question,
        "text_sha256": sha256_hex(text.encode()),
    }
    return _event("question.asked", place, asker.question, body)


def draft(place: Place, question: str, *, version: int, content: Content) -> Event:
    """Return ``answer.drafted``: only the digest, because a draft is nobody's business yet."""
    body = {"content_sha256": content.sha256, "question": question, "version": version}
    return _event("answer.drafted", place, question, body)


def publish(place: Place, question: str, *, lot: str | None, number: int, version: int, content: Content) -> Event:
    """Return ``answer.published`` with the texts themselves: from now on they are part of the documents (DOC-18)."""
    body = {"lot": lot, "number": number, "question": question, "version": version, **content.to_json()}
    return _event("answer.published", place, question, body)


def _event(kind: str, place: Place, question: str, body: dict[str, Any]) -> Event:
    return Event(
        kind=kind,
        subject=f"question:{question}",
        body=body,
        procedure=place.procedure,
        procedure_id=place.procedure_id,
        article="87-26, 87-27",
    )
